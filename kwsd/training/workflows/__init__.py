"""What each command of the training side does, as functions."""
