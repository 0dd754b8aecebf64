"""``python -m kwsd`` is the command ``kwsd``."""

from kwsd.cli import main

main()
