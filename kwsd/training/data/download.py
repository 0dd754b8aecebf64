"""Downloads the Speech Commands archive, continues broken downloads, checks and unpacks it."""

import hashlib
import tarfile
import urllib.error
import urllib.request
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path

from kwsd.errors import KwsdError

URL = "https://storage.googleapis.com/download.tensorflow.org/data/speech_commands_v0.01.tar.gz"
SHA256 = "743935421bb51cccdb6bdd152e04c5c70274e935c82119ad7faeec31780d811d"
_CHUNK = 1 << 20

Progress = Callable[[int, int | None], None]


def download(root: Path, progress: Progress, url: str = URL, sha256: str = SHA256) -> None:
    """Download the archive and unpack it to `root`. progress: called with bytes so far and in all, or None.

    After a broken download the next call continues it. Raises KwsdError if the server cannot be reached, or
    if the file is not the archive (it is then deleted).
    """
    archive = root.with_name(root.name + ".tar.gz")
    try:
        root.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise KwsdError(f"cannot make the folder {root.parent}: {error.strerror}") from error
    if not archive.exists():
        _fetch(url, archive, progress)
    digest = hashlib.sha256()
    with archive.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    if digest.hexdigest() != sha256:
        archive.unlink()
        raise KwsdError(f"{url}: SHA-256 {digest.hexdigest()} is not {sha256}; deleted; repeat the download")
    unpacked = root.with_name(root.name + ".part")
    try:
        with tarfile.open(archive) as tar:
            tar.extractall(unpacked, filter="data")
        unpacked.rename(root)
        archive.unlink()
    except (OSError, tarfile.TarError) as error:
        raise KwsdError(f"cannot unpack {archive}: {error}; {unpacked} may be removed") from error


def _fetch(url: str, archive: Path, progress: Progress) -> None:
    partial = archive.with_name(archive.name + ".part")
    have = partial.stat().st_size if partial.exists() else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})
    try:
        with urllib.request.urlopen(request, timeout=60) as response:
            if response.status != HTTPStatus.PARTIAL_CONTENT:
                have = 0  # the server sends the whole file again
            length = response.headers.get("Content-Length")
            total = have + int(length) if length else None
            with partial.open("ab" if have else "wb") as file:
                while chunk := response.read(_CHUNK):
                    file.write(chunk)
                    have += len(chunk)
                    progress(have, total)
    except urllib.error.HTTPError as error:
        if (
            error.code != HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE
        ):  # otherwise the whole file is already here
            raise KwsdError(f"{url}: {error}") from error
        total = have
    except OSError as error:
        raise KwsdError(f"{url}: {error}; repeat the download to continue at {have:,} bytes") from error
    if total is not None and have < total:
        raise KwsdError(
            f"{url}: interrupted at {have:,} of {total:,} bytes; repeat the download to continue there"
        )
    partial.rename(archive)
