"""Microphones through ALSA: libasound itself, the sound cards, and who has one open."""
