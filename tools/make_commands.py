"""Writes docs/commands.md: what every command prints when it is called with --help."""

from collections.abc import Iterator
from pathlib import Path

import click
from click.testing import CliRunner

from kwsd.cli.commands import cli

PAGE = Path(__file__).parents[1] / "docs" / "commands.md"
INTRODUCTION = """\
# Commands

What `kwsd COMMAND --help` prints, for every command. Written by `python tools/make_commands.py`.
"""


def commands(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The words of every command of a group, those of nested groups after the group itself."""
    context = click.Context(group)
    for name in group.list_commands(context):
        yield (*path, name)
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))


def section(words: tuple[str, ...]) -> str:
    """A command's help under its name."""
    title = " ".join(("kwsd", *words))
    printed = CliRunner().invoke(
        cli, [*words, "--help"], prog_name="kwsd", env={"COLUMNS": "80"}, catch_exceptions=False
    )
    return f"\n{'#' * max(2, len(words) + 1)} {title}\n\n```text\n{printed.output.rstrip()}\n```\n"


def page() -> str:
    """The text of docs/commands.md."""
    return INTRODUCTION + "".join(section(words) for words in ((), *commands(cli)))


if __name__ == "__main__":
    PAGE.write_text(page())
