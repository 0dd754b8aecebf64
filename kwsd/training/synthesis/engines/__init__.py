"""Speech synthesizers: espeak-ng, Kokoro and the smaller ones."""
