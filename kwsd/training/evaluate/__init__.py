"""Evaluates models on clips and streams, chooses settings, mines hard negatives. Needs no torch."""
