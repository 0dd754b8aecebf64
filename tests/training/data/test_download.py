import hashlib
import io
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from webserver import Server, serving

from kwsd.errors import KwsdError
from kwsd.training.data.download import download


def archive() -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as tar:
        content = bytes(range(256)) * 4_000
        info = tarfile.TarInfo("./happy/0_nohash_0.wav")
        info.size = len(content)
        tar.addfile(info, io.BytesIO(content))
    return file.getvalue()


ARCHIVE = archive()
SHA256 = hashlib.sha256(ARCHIVE).hexdigest()


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as served:
        served.contents["/archive.tar.gz"] = ARCHIVE
        yield served


@pytest.fixture
def fetch(server: Server, tmp_path: Path) -> Callable[[], Path]:
    def call(sha256: str = SHA256) -> Path:
        root = tmp_path / "speech_commands"
        download(root, lambda *_: None, f"{server.url}/archive.tar.gz", sha256)
        return root

    return call


def test_unpacks_and_leaves_nothing_else(fetch: Callable[..., Path]) -> None:
    root = fetch()
    assert (root / "happy" / "0_nohash_0.wav").stat().st_size == 256 * 4_000
    assert [path.name for path in root.parent.iterdir()] == ["speech_commands"]


def test_goes_on_where_it_broke_off(server: Server, fetch: Callable[..., Path]) -> None:
    server.cut = 1_000
    with pytest.raises(KwsdError, match="repeat the download"):
        fetch()
    assert (fetch() / "happy").is_dir()
    assert [start for _, start in server.starts] == [0, 1_000]


def test_a_server_without_ranges_sends_all_again(server: Server, fetch: Callable[..., Path]) -> None:
    server.ranges, server.cut = False, 1_000
    with pytest.raises(KwsdError, match="repeat the download"):
        fetch()
    assert (fetch() / "happy").is_dir()


def test_what_is_not_the_archive_is_deleted(fetch: Callable[..., Path], tmp_path: Path) -> None:
    with pytest.raises(KwsdError, match="SHA-256"):
        fetch("0" * 64)
    assert not list(tmp_path.iterdir())


def test_no_server_is_named(tmp_path: Path) -> None:
    with pytest.raises(KwsdError, match=r"http://127\.0\.0\.1:1/a"):
        download(tmp_path / "x", lambda *_: None, "http://127.0.0.1:1/a")
