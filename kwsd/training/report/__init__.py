"""The report of recorded runs, and figures."""
