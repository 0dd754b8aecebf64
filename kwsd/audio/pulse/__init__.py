"""Microphones through a sound server (PulseAudio, PipeWire), with libpulse."""
