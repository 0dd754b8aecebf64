"""``kwsd synthesize``: speak a keyword, near misses and sentences without it in many voices."""

from pathlib import Path

from kwsd.training.synthesis.generate import synthesize
from kwsd.training.synthesis.language import Language
from kwsd.training.workflows.progress import SILENT, Progress, filling


def speak(
    keyword: str,
    out: Path,
    counts: dict[str, int],
    kokoro: Path | None,
    jobs: int | None,
    seed: int,
    language: Language,
    progress: Progress = SILENT,
) -> None:
    """Make the clips (see kwsd.training.synthesis.generate.synthesize), and report how many there are."""
    with filling(out, progress), progress.stage(f"speaking {keyword!r}"):
        outcome = synthesize(
            keyword,
            out,
            counts,
            kokoro,
            jobs,
            seed,
            language,
            on_missing=progress.note,
            on_clip=progress.count,
        )
    for failure in outcome.failures:
        progress.note(f"not made: {failure}")
    progress.note(f"{out}: {outcome.made} clips made, {outcome.kept} already there")
