"""``kwsd devices``: lists the microphones."""

import click


@click.command(name="devices")
def command() -> None:
    """The default microphone is marked with *.

    `--device` accepts an index, or part of a name or description. A monitor records what a loudspeaker plays.
    """
    from rich.console import Console
    from rich.table import Column, Table
    from rich.text import Text

    from kwsd.audio.microphone import microphones
    from kwsd.audio.no_microphone import no_microphone
    from kwsd.errors import AudioError, one_line

    found = microphones()
    if not found:
        raise AudioError(no_microphone())
    table = Table("", "Index", Column("Name", overflow="fold"), "Description", "System", "Channels", "Rate")
    for one in found:
        table.add_row(
            "*" if one.default else "",
            "" if one.index is None else str(one.index),
            Text(one_line(one.name)),
            Text(one_line(one.problem or one.description)),
            one.system,
            str(one.channels or ""),
            f"{one.rate} Hz" if one.rate else "",
        )
    Console().print(table)
