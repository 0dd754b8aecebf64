"""Training examples: words mixed with noise, rooms and other voices, as frames."""
