"""Options that have been renamed. An old name still works, and logs a line that names the new one."""

import logging

from kwsd.daemon.logs import say

NEW_NAMES = {"gate": "candidate-threshold"}  # by the old name, both without dashes


def current_name(option: str) -> str:
    """The current name of an option, given its current or old name, without dashes.

    Commands use it as click's `token_normalize_func`. It is also applied to the keys of a configuration file.
    """
    if option not in NEW_NAMES:
        return option
    new = NEW_NAMES[option]
    say(f"the option {option} is deprecated; use {new}", logging.WARNING)
    return new
