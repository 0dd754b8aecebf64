"""What a trigger starts: lines on standard output, hooks and clips."""
