"""Audio files: what kind they are, how long in truth, and a reader for each."""
