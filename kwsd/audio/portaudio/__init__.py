"""Microphones through PortAudio, on systems other than Linux."""
