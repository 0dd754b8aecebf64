"""Refuses options that a command would ignore."""

import click
from click.core import ParameterSource

from kwsd.errors import UsageError


def refuse_ignored(reason: str, *names: str) -> None:
    """Raise UsageError if one of these parameters of the current command was typed.

    reason: completes the message, such as "needs --grid".
    """
    context = click.get_current_context()
    for parameter in context.command.params:
        typed = context.get_parameter_source(str(parameter.name)) is ParameterSource.COMMANDLINE
        if typed and parameter.name in names:
            raise UsageError(f"{'/'.join((parameter.opts[0], *parameter.secondary_opts))} {reason}")
