"""Training examples: words in noise, speech and rooms, in other voices, as log-mel frames."""
