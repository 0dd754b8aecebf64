"""Measures how good a model is: on clips and on streams; chooses settings; mines hard negatives. No torch."""
