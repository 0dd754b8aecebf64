"""Audio file formats: how to recognize them, how long a file really is, and readers."""
