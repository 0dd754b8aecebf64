"""Microphones through a sound server (PulseAudio, PipeWire), by libpulse."""
