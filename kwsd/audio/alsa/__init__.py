"""Microphones through ALSA: its library, the sound cards, and the processes that use them."""
