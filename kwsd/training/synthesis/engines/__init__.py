"""Speech synthesis engines. Each module lists its voices for a language, or raises MissingEngineError."""
