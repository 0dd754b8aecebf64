"""Adapts a model to the voices of its users, from a few recordings of the word. Needs no torch."""
