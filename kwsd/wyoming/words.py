"""The words that the service offers: shipped models, model files, and a folder that is watched."""

import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from importlib.metadata import version
from pathlib import Path

from wyoming.info import Attribution, Info, WakeModel, WakeProgram

from kwsd.errors import ModelError, UsageError, one_line
from kwsd.resources import shared
from kwsd.runtime.detector import Detector
from kwsd.runtime.model import Model, Settings
from kwsd.runtime.modelfile import read_model, read_models
from kwsd.wyoming.protocol import encoded

# the shipped models for daily use, one for each keyword
SHIPPED = ("jarvis", "hey-jarvis", "alexa", "computer", "hey-computer", "marvin", "happy")
PROJECT = Attribution("kwsd", "https://github.com/OWNER/kwsd")

# posterior that makes a trigger, by the name of the word; that of None is for every other word. Without
# either, a word has its model's own
Thresholds = Mapping[str | None, float]

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class OfferedWord:
    """A model, under the name by which clients ask for it."""

    name: str
    """The name of its file, without the suffix."""

    phrase: str
    """What to say: the keyword of the model."""

    model: Model
    """Its keyword is replaced by the name, so that its triggers give the name."""

    settings: Settings

    @classmethod
    def of(cls, model: Model, path: Path, thresholds: Thresholds) -> "OfferedWord":
        """The word of a model file. Raises UsageError for a threshold that is out of range."""
        threshold = thresholds.get(path.stem, thresholds.get(None))
        settings = model.settings.override(threshold=threshold)
        return cls(path.stem, model.keyword, replace(model, keyword=path.stem), settings)

    @property
    def description(self) -> WakeModel:
        """How clients see it."""
        path = self.model.path
        is_ours = path is not None and path.parent == shared("models")
        return WakeModel(
            name=self.name,
            phrase=self.phrase,
            description=self.phrase,  # what older versions of Home Assistant show
            attribution=PROJECT if is_ours else Attribution("", ""),
            installed=True,
            version=str(self.model.facts.get("date", "")) or None,
            languages=["en"] if is_ours else [],
        )


class Words:
    """The words that are offered at one time, by name."""

    def __init__(self, words: Mapping[str, OfferedWord]) -> None:
        self.by_name = dict(words)

    def detector(self, names: Sequence[str] | None) -> Detector | None:
        """A detector of the words with these names, or of all. Names that are not offered are left out.

        None if no word is left.
        """
        chosen = self.by_name.values() if names is None else map(self.by_name.get, dict.fromkeys(names))
        words = [word for word in chosen if word]
        return Detector([word.model for word in words], [word.settings for word in words]) if words else None

    @cached_property
    def info(self) -> bytes:
        """The message that describes the service. All words are in one program: clients read no other."""
        program = WakeProgram(
            name="kwsd",
            description="Keyword spotting",
            attribution=PROJECT,
            installed=True,
            version=version("kwsd"),
            models=[word.description for word in self.by_name.values()],
        )
        return encoded(Info(wake=[program]).event())


def named_words(names: Sequence[str], thresholds: Thresholds) -> dict[str, OfferedWord]:
    """The words of these models, shipped ones or files. Raises ModelError or UsageError."""
    words: dict[str, OfferedWord] = {}
    for model in read_models(names):
        assert model.path is not None  # it was read from a file
        word = OfferedWord.of(model, model.path, thresholds)
        if word.name in words:
            raise UsageError(f"the word {one_line(word.name)} is given twice: rename one of the files")
        words[word.name] = word
    return words


class ModelFolder:
    """A folder of model files. What is wrong with it is logged once and never stops the service."""

    def __init__(self, folder: Path, thresholds: Thresholds) -> None:
        self._folder, self._thresholds = folder, thresholds
        self._seen: dict[Path, tuple[int, ...]] = {}  # what tells whether a file has changed
        self._problem = ""
        self.words: dict[str, OfferedWord] = {}

    def scan(self) -> bool:
        """Read new and changed files, forget removed ones. Returns whether there were any."""
        try:
            found = self._files()
            problem = ""
        except OSError as error:
            found, problem = self._seen, f"cannot read the folder {self._folder}: {error.strerror}"
        if problem and problem != self._problem:
            log.warning("%s; its words stay as they are", problem)
        self._problem = problem
        changed = [
            path for path in found.keys() | self._seen.keys() if found.get(path) != self._seen.get(path)
        ]
        self._seen = found
        for path in sorted(changed):
            self._update(path, path in found)
        return bool(changed)

    def _files(self) -> dict[Path, tuple[int, ...]]:
        """The model files of the folder, and what tells whether they have changed. Raises OSError."""
        found: dict[Path, tuple[int, ...]] = {}
        with os.scandir(self._folder) as entries:
            for entry in entries:
                if entry.name.endswith(".pt") and not entry.name.startswith("."):
                    found[Path(entry.path)] = _state(entry)
        return found

    def _update(self, path: Path, exists: bool) -> None:
        """Offer the word of a new or changed file, or no longer that of a removed one."""
        was_offered = self.words.pop(path.stem, None) is not None
        if not exists:
            if was_offered:
                log.info("no longer offered: %s, because its file was removed", path.stem)
            return
        try:
            word = OfferedWord.of(read_model(path), path, self._thresholds)
        except (ModelError, UsageError) as error:
            log.warning("not offered: %s", error)
            return
        self.words[word.name] = word
        log.info("%s: %s (%r) from %s", "changed" if was_offered else "offered", word.name, word.phrase, path)


def _state(entry: "os.DirEntry[str]") -> tuple[int, ...]:
    """What changes when a file changes; empty for a link to a file that cannot be found."""
    try:
        status = entry.stat()
    except OSError:  # reading the file will tell why
        return ()
    return status.st_mtime_ns, status.st_size, status.st_ino
