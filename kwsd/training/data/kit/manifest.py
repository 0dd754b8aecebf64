"""The list of the kit's parts, manifest.toml: what each is, its licence and its files."""

import hashlib
import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any


@dataclass(frozen=True)
class File:
    """A file to fetch. source: PyPI package, npm package, folder in Debian's pool or URL, as `kind` says."""

    kind: str  # "pypi", "npm", "debian" or "url"
    source: str
    name: str
    size: int
    sha256: str


@dataclass(frozen=True)
class Part:
    """A part of the kit; manifest.toml explains the values."""

    name: str
    role: str
    what: str
    licence: str
    without: str
    unpack: str
    unpacked: int
    files: tuple[File, ...]
    optional: bool = False
    languages: tuple[str, ...] = ()

    @property
    def size(self) -> int:
        """Bytes to fetch."""
        return sum(file.size for file in self.files)

    @property
    def fingerprint(self) -> str:
        """A hash of its files' hashes. Another version of the part has another one."""
        return hashlib.sha256("".join(file.sha256 for file in self.files).encode()).hexdigest()


@cache
def shipped_parts() -> tuple[Part, ...]:
    """The parts in manifest.toml."""
    return read_parts(files(__package__).joinpath("manifest.toml").read_text("utf-8"))


def read_parts(text: str) -> tuple[Part, ...]:
    """The parts in the text of a manifest."""
    return tuple(_part(entry) for entry in tomllib.loads(text)["part"])


def _part(entry: dict[str, Any]) -> Part:
    languages, files = tuple(entry.get("languages", ())), tuple(map(_file, entry["files"]))
    return Part(**{**entry, "languages": languages, "files": files})


def _file(entry: dict[str, Any]) -> File:
    [kind] = entry.keys() & {"pypi", "npm", "debian", "url"}
    return File(kind, entry[kind], entry["name"], entry["size"], entry["sha256"])
