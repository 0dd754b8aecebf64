"""Where a trigger goes: standard output, the terminal, hooks, clips."""
