"""Speech synthesis engines. Each module lists its voices, or raises MissingEngineError."""
