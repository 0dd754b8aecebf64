"""``kwsd synthesize``: speak a keyword, near misses and sentences without it in many voices."""

from dataclasses import dataclass
from pathlib import Path

from kwsd.training.synthesis.generate import synthesize
from kwsd.training.synthesis.language import Language
from kwsd.training.synthesis.languages.en import ENGLISH
from kwsd.training.workflows.progress import SILENT, Progress, filling


@dataclass(frozen=True)
class Speech:
    """The synthetic speech. folder: where it is written and kept.

    keyword, near_misses, sentences: the number of clips of each. language: that of the keyword.
    """

    folder: Path
    keyword: int = 450
    near_misses: int = 250
    sentences: int = 40
    language: Language = ENGLISH

    @property
    def counts(self) -> dict[str, int]:
        """Number of clips of each of kwsd.training.synthesis.plan.KINDS."""
        return {"keyword": self.keyword, "near_misses": self.near_misses, "sentences": self.sentences}


def speak(
    keyword: str,
    speech: Speech,
    kokoro: Path | None = None,
    seed: int = 0,
    jobs: int | None = None,
    progress: Progress = SILENT,
) -> None:
    """Make the clips (see kwsd.training.synthesis.generate.synthesize), and report how many there are."""
    out = speech.folder
    with filling(out, progress), progress.stage(f"speaking {keyword!r}"):
        outcome = synthesize(
            keyword,
            out,
            speech.counts,
            kokoro,
            jobs,
            seed,
            speech.language,
            on_missing=progress.note,
            on_clip=progress.count,
        )
    for failure in outcome.failures:
        progress.note(f"not made: {failure}")
    progress.note(f"{out}: {outcome.made} clips made, {outcome.kept} already there")
