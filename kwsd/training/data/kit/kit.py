"""The kit on the disk: a folder for each part, fetched, checked and unpacked once."""

import lzma
import shutil
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterable
from pathlib import Path, PurePosixPath

import soundfile

from kwsd.errors import KwsdError
from kwsd.files import check_room, user_folder
from kwsd.training.data.download import CountBytes, fetch
from kwsd.training.data.kit.manifest import File, Part, shipped_parts
from kwsd.training.data.kit.sources import urls
from kwsd.training.data.kit.unpack import UNPACK

_MARK = ".kit"  # the file in a part's folder that holds its fingerprint, written last
_DOWNLOADS = ".downloads"
_DAMAGED = (  # what reading an archive raises that is not as expected
    tarfile.TarError,
    zipfile.BadZipFile,
    lzma.LZMAError,
    zlib.error,
    struct.error,
    soundfile.SoundFileError,
    EOFError,
    ValueError,
    LookupError,
)


class Kit:
    """The parts in a folder."""

    def __init__(self, folder: Path | None = None, parts: tuple[Part, ...] | None = None) -> None:
        """folder: the user's kit if not given. parts: those of the manifest if not given."""
        self.folder = folder or user_folder("data") / "kit"
        self.parts = shipped_parts() if parts is None else parts

    def has(self, part: Part) -> bool:
        """Whether a part is there, complete and in the manifest's version."""
        try:
            return (self.folder / part.name / _MARK).read_text("utf-8") == part.fingerprint
        except OSError:
            return False

    def used(self, language: str) -> list[Part]:
        """The parts for a keyword in a language: of each role those for this language, or else for all."""
        own = {part.role for part in self.parts if language in part.languages}
        return [
            part
            for part in self.parts
            if (language in part.languages if part.role in own else not part.languages)
        ]

    def needed(self, language: str = "en") -> list[Part]:
        """The parts that are fetched for a keyword in a language: all that are used and not optional."""
        return [part for part in self.used(language) if not part.optional]

    def missing(self, language: str = "en") -> list[Part]:
        """The needed parts that are not there."""
        return [part for part in self.needed(language) if not self.has(part)]

    def folders(self, role: str, language: str = "en") -> tuple[Path, ...]:
        """The folders of the parts of a role that are there."""
        used = self.used(language)
        return tuple(self.folder / part.name for part in used if part.role == role and self.has(part))

    def fetch(self, parts: Iterable[Part], progress: CountBytes) -> dict[str, str]:
        """Fetch and unpack the parts that are not there. Returns by name why parts could not be had.

        progress: counts the bytes that are fetched and unpacked.
        What an interrupted call has fetched is kept, and the next one continues. Raises KwsdError if the disk
        has no room, and OSError if a file cannot be written.
        """
        wanted = [part for part in parts if not self.has(part)]
        # an archive is deleted once it is unpacked
        needed = sum(part.unpacked for part in wanted) + max((part.size for part in wanted), default=0)
        check_room(self.folder, needed, "the kit; make room, or give another folder with --kit")
        self.folder.mkdir(parents=True, exist_ok=True)
        total = sum(part.size + part.unpacked for part in wanted)
        before = 0  # bytes of the parts that are done
        failures = {}

        def count(done: int) -> None:
            progress(before + done, total)

        for part in wanted:
            try:
                self._unpack(part, self._fetch(part, count), count)
            except KwsdError as error:
                failures[part.name] = str(error)
            before += part.size + part.unpacked
            count(0)
        if not failures:
            shutil.rmtree(self.folder / _DOWNLOADS, ignore_errors=True)
        return failures

    def remove(self, part: Part) -> None:
        """Delete a part, and what an interrupted call has fetched of it."""
        shutil.rmtree(self.folder / part.name, ignore_errors=True)
        shutil.rmtree(self._unfinished(part), ignore_errors=True)
        for file in part.files:
            for archive in (
                self.folder / _DOWNLOADS / file.name,
                self.folder / _DOWNLOADS / f"{file.name}.part",
            ):
                archive.unlink(missing_ok=True)

    def _fetch(self, part: Part, progress: Callable[[int], None]) -> list[Path]:
        """Fetch a part's files. progress: called with the bytes of it that are there. Raises KwsdError."""
        downloads = self.folder / _DOWNLOADS
        downloads.mkdir(exist_ok=True)
        archives, fetched = [], 0

        def count(have: int, _: int | None) -> None:
            progress(fetched + have)

        for file in part.files:
            archives.append(downloads / file.name)
            _fetch_file(file, archives[-1], count)
            fetched += file.size
        return archives

    def _unpack(self, part: Part, archives: list[Path], progress: Callable[[int], None]) -> None:
        """Unpack a part and delete its archives. Raises KwsdError if they are not as expected.

        progress: called with the bytes of the part that are fetched or unpacked.
        """
        unfinished = self._unfinished(part)
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir()
        written = 0
        try:
            for name, content in UNPACK[part.unpack](archives):
                _write(unfinished, name, content)
                written += len(content)
                progress(part.size + min(written, part.unpacked))
        except _DAMAGED as error:
            raise KwsdError(f"cannot unpack it: {error}") from error
        if not any(unfinished.iterdir()):
            raise KwsdError("cannot unpack it: there is nothing in it that is used")
        (unfinished / _MARK).write_text(part.fingerprint, "utf-8")
        shutil.rmtree(self.folder / part.name, ignore_errors=True)  # an earlier version
        unfinished.rename(self.folder / part.name)
        for archive in archives:
            archive.unlink()

    def _unfinished(self, part: Part) -> Path:
        return self.folder / f".{part.name}.part"


def _fetch_file(file: File, to: Path, progress: CountBytes) -> None:
    """Fetch a file from the first of its URLs that has it; each is tried twice. Raises KwsdError."""
    first: KwsdError | None = None
    for _ in range(2):
        try:
            for url in urls(file):
                try:
                    fetch(url, to, file.sha256, progress)
                    return
                except KwsdError as error:
                    first = first or error
        except KwsdError as error:
            first = first or error
    assert first is not None
    raise first


def _write(folder: Path, name: str, content: bytes) -> None:
    """Write a file below a folder. Raises KwsdError if its name leads elsewhere."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\\" in name or ":" in name:
        raise KwsdError(f"cannot unpack it: it has a file named {name}")
    (folder / path).parent.mkdir(parents=True, exist_ok=True)
    (folder / path).write_bytes(content)
