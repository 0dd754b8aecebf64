"""Reads Debian packages, wheels and tarballs without dpkg, pip and npm."""

import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from kwsd.errors import KwsdError

_AR_MAGIC, _AR_HEADER = b"!<arch>\n", 60  # ar(5)


def deb_files(package: Path) -> Iterator[tuple[PurePosixPath, bytes]]:
    """The files in a .deb: an ar archive, of which the member data.tar.* has them. Raises KwsdError."""
    with package.open("rb") as file:
        if file.read(len(_AR_MAGIC)) != _AR_MAGIC:
            raise KwsdError(f"{package.name} is not a Debian package")
        while header := file.read(_AR_HEADER):
            size = int(header[48:58])
            if header.startswith(b"data.tar"):
                with tarfile.open(fileobj=file, mode="r|*") as tar:
                    yield from _files(tar)
                return
            file.seek(size + size % 2, 1)
    raise KwsdError(f"{package.name} has no files")


def tar_files(archive: Path) -> Iterator[tuple[PurePosixPath, bytes]]:
    """The files in a tarball."""
    with tarfile.open(archive, mode="r|*") as tar:
        yield from _files(tar)


def _files(tar: tarfile.TarFile) -> Iterator[tuple[PurePosixPath, bytes]]:
    for member in tar:
        content = tar.extractfile(member) if member.isfile() else None
        if content:
            yield PurePosixPath(member.name), content.read()


def wheel_files(wheel: Path) -> Iterator[tuple[PurePosixPath, bytes]]:
    """The files in a wheel."""
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            yield PurePosixPath(name), archive.read(name)
