"""The files of a finished run: the model, its card, its cost, and the record of the run."""
