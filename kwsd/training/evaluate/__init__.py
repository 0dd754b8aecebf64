"""How good a model is: scores of clips, streams, operating points, hard negatives. No torch."""
