"""Audio sources: microphones, files and pipes, with a ring buffer and resampling."""
