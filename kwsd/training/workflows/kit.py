"""Fetches parts of the kit, for ``kwsd kit`` and ``kwsd new``, and says what the absence of others costs."""

from collections.abc import Callable, Sequence

from kwsd.errors import KwsdError
from kwsd.training.data.kit.kit import Kit
from kwsd.training.data.kit.manifest import Part
from kwsd.training.workflows.progress import SILENT, Progress, filling


def fetch_parts(kit: Kit, parts: Sequence[Part], progress: Progress = SILENT) -> list[Part]:
    """Fetch parts into the kit. Returns those that could not be had, of which each is a warning.

    Raises KwsdError if the kit then has no part at all, or if the disk has no room.
    """
    with filling(kit.folder, progress), progress.stage("fetching the kit"):
        failures = kit.fetch(parts, progress.count)
    if failures and not any(map(kit.has, kit.parts)):
        raise KwsdError(f"no part of the kit could be fetched: {next(iter(failures.values()))}")
    left_out = [part for part in parts if part.name in failures]
    for part in left_out:
        progress.warning(f"{part.name} is left out: {failures[part.name]}. Without it: {part.without}")
    return left_out


def fetch_missing(
    kit: Kit, language: str, may_fetch: Callable[[Kit, Sequence[Part]], bool], progress: Progress
) -> None:
    """Fetch the parts that a keyword in a language needs, or say what their absence costs."""
    missing = kit.missing(language)
    if missing and may_fetch(kit, missing):
        fetch_parts(kit, missing, progress)
    else:
        for part in missing:
            progress.note(f"Without {part.name}: {part.without}")
    for part in kit.used(language):
        if part.role == "test" and kit.has(part):
            progress.note(f"False alarms are counted in: {part.what}")
