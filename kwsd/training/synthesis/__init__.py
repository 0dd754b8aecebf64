"""Speech made from text: the keyword in many voices, its near misses, and sentences without it."""
