"""Downloads a file, continues broken downloads and checks it; and unpacks the Speech Commands archive."""

import hashlib
import http.client
import tarfile
import urllib.error
import urllib.request
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path

from kwsd.errors import KwsdError

URL = "https://storage.googleapis.com/download.tensorflow.org/data/speech_commands_v0.01.tar.gz"
SHA256 = "743935421bb51cccdb6bdd152e04c5c70274e935c82119ad7faeec31780d811d"
TIMEOUT_SECONDS = 60  # without a byte
_CHUNK = 1 << 16

CountBytes = Callable[[int, int | None], None]
"""Called with the bytes that are done, and the number of them in all, or None if that is not known."""


def download(root: Path, progress: CountBytes, url: str = URL, sha256: str = SHA256) -> None:
    """Download the archive and unpack it to `root`.

    After a broken download the next call continues it. Raises KwsdError if the server cannot be reached, or
    if the file is not the archive (it is then deleted).
    """
    archive = root.with_name(root.name + ".tar.gz")
    try:
        root.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise KwsdError(f"cannot make the folder {root.parent}: {error.strerror}") from error
    try:
        fetch(url, archive, sha256, progress)
        unpacked = root.with_name(root.name + ".part")
        with tarfile.open(archive) as tar:
            tar.extractall(unpacked, filter="data")
        unpacked.rename(root)
        archive.unlink()
    except (OSError, tarfile.TarError) as error:
        raise KwsdError(f"cannot unpack {archive}: {error}; {root}.part may be removed") from error


def fetch(url: str, file: Path, sha256: str, progress: CountBytes) -> None:
    """Download `url` to `file`, unless it is there, and check it.

    After a broken download the next call continues it. Raises KwsdError if the server cannot be reached or
    breaks off, or if the file has another SHA-256 (it is then deleted), and OSError if the disk is full.
    """
    if not file.exists():
        _receive(url, file, progress)
    with file.open("rb") as content:
        found = hashlib.file_digest(content, "sha256").hexdigest()
    if found != sha256:
        file.unlink()
        raise KwsdError(f"{url}: SHA-256 {found} is not {sha256}; deleted; repeat the download")


def _receive(url: str, file: Path, progress: CountBytes) -> None:
    partial = file.with_name(file.name + ".part")
    have = partial.stat().st_size if partial.exists() else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})
    total = None
    try:
        response = urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS)
    except urllib.error.HTTPError as error:
        error.close()
        if not have or error.code != HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            raise KwsdError(f"{url}: {error}") from error
        total = have  # the whole file is already here
    except (OSError, http.client.HTTPException) as error:
        raise _broken(url, have, error) from error
    else:
        with response:
            if response.status != HTTPStatus.PARTIAL_CONTENT:
                have = 0  # the server sends the whole file again
            length = response.headers.get("Content-Length")
            total = have + int(length) if length else None
            with partial.open("ab" if have else "wb") as out:
                while chunk := _read(response, url, have):
                    out.write(chunk)
                    have += len(chunk)
                    progress(have, total)
    if total is not None and have < total:
        raise KwsdError(
            f"{url}: interrupted at {have:,} of {total:,} bytes; repeat the download to continue there"
        )
    partial.rename(file)


def _read(response: http.client.HTTPResponse, url: str, have: int) -> bytes:
    """The next bytes. An error of the network becomes a KwsdError, to tell it from one of the disk."""
    try:
        return response.read(_CHUNK)
    except (OSError, http.client.HTTPException) as error:
        raise _broken(url, have, error) from error


def _broken(url: str, have: int, error: Exception) -> KwsdError:
    return KwsdError(f"{url}: {error}; repeat the download to continue at {have:,} bytes")
