"""What a word from text is made from besides its text: the user's folders, and those of the kit."""

from dataclasses import dataclass
from pathlib import Path

from kwsd.training.data.kit.kit import Kit
from kwsd.training.workflows.run import NO_SOURCES, Sources


@dataclass(frozen=True)
class Material:
    """Folders of voices and recordings.

    kokoro: Kokoro's voices, or None. data: a Speech Commands tree, whose words are further negatives, or
    None. test: speech on which nothing is trained and nothing chosen.
    """

    kokoro: Path | None = None
    data: Path | None = None
    sources: Sources = NO_SOURCES
    test: tuple[Path, ...] = ()


def with_kit(own: Material, kit: Kit, language: str) -> Material:
    """The user's folders and those of the kit for a language, given by its code.

    Kokoro's voices and the tree are the kit's if not given.
    """

    def folders(role: str) -> tuple[Path, ...]:
        return kit.folders(role, language)

    sources = Sources(
        noise=own.sources.noise + folders("noise") + folders("music"),
        speech=own.sources.speech + folders("speech"),
        hard=own.sources.hard,
        unseen=own.sources.unseen + folders("unseen"),
    )
    return Material(
        own.kokoro or next(iter(folders("voices")), None),
        own.data or next(iter(folders("words")), None),
        sources,
        own.test + folders("test"),
    )
