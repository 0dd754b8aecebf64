"""Options that have been renamed: the old name still works and logs one line with the new one."""

import logging

from kwsd.daemon.logs import say

NEW_NAMES = {"gate": "candidate-threshold"}  # by the old name, both without dashes


def current_name(option: str) -> str:
    """The present name of an option, both without dashes.

    Commands have it as click's `token_normalize_func`; a configuration file's keys go through it, too.
    """
    if option not in NEW_NAMES:
        return option
    new = NEW_NAMES[option]
    say(f"the option {option} is deprecated: its name is now {new}", logging.WARNING)
    return new
