"""From a trained network to a file: the model file, its card, its cost and the record of its run."""
