"""Runs the ``kwsd`` command for ``python -m kwsd``."""

from kwsd.cli import main

if __name__ == "__main__":  # not in the processes that multiprocessing starts
    main()
