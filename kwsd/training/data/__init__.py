"""Recordings: the Speech Commands tree, folders of audio, reading and keeping them."""
