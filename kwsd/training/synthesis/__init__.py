"""Synthetic speech: the keyword, near misses of it and sentences without it, in many voices."""
