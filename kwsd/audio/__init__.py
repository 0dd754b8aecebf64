"""Where samples come from: the ring buffer, microphone, file and pipe sources, resampling."""
