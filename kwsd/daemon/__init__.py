"""The service around the detector: the loop, signals, watchdog, events out, hooks."""
