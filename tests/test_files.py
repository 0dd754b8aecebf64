"""Files are replaced whole or not at all."""

import errno
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from kwsd.errors import KwsdError, UsageError
from kwsd.files import check_replaceable, replace_file, replacing, user_folder


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def old(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_text("old")
    return path


def test_a_new_file_has_the_mode_that_the_umask_gives(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        replace_file(tmp_path / "new", "text é")
    finally:
        os.umask(before)
    assert (tmp_path / "new").read_bytes() == "text é".encode()
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o640
    assert names(tmp_path) == ["new"]


def test_mode_and_owner_of_a_replaced_file_are_kept(old: Path) -> None:
    old.chmod(0o604)
    if os.geteuid() == 0:
        os.chown(old, 12345, 23456)
    owner = (old.stat().st_uid, old.stat().st_gid)
    replace_file(old, b"new")
    assert old.read_text() == "new"
    assert stat.S_IMODE(old.stat().st_mode) == 0o604
    assert (old.stat().st_uid, old.stat().st_gid) == owner


def test_a_reader_sees_the_old_file_until_the_end(old: Path) -> None:
    with replacing(old) as file:
        file.write(b"ne")
        file.flush()
        assert old.read_text() == "old"
        file.write(b"w")
    assert old.read_text() == "new"


def fail_while_replacing(path: Path, error: BaseException) -> None:
    with replacing(path) as file:
        file.write(b"half")
        raise error


@pytest.mark.parametrize("error", [KeyboardInterrupt(), ValueError()])
def test_an_exception_leaves_the_old_file_and_nothing_else(old: Path, error: BaseException) -> None:
    with pytest.raises(type(error)):
        fail_while_replacing(old, error)
    assert old.read_text() == "old"
    assert names(old.parent) == ["file"]


def test_text_that_cannot_be_encoded_leaves_the_old_file(old: Path) -> None:
    with pytest.raises(UnicodeEncodeError):
        replace_file(old, "caf\udce9")
    assert old.read_text() == "old"


def test_a_full_disk_is_one_line_and_leaves_the_old_file(old: Path) -> None:
    with pytest.raises(KwsdError, match=f"cannot write {old}: No space left on device"):
        fail_while_replacing(old, OSError(errno.ENOSPC, "No space left on device"))
    assert old.read_text() == "old"
    assert names(old.parent) == ["file"]


def test_a_process_killed_while_writing_leaves_the_old_file(old: Path) -> None:
    program = (
        "import sys, pathlib, kwsd.files as f\n"
        "with f.replacing(pathlib.Path(sys.argv[1])) as file:\n"
        "    file.write(b'half'); file.flush(); print('writing', flush=True); sys.stdin.read()\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program, old], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == "writing\n"
        process.send_signal(signal.SIGKILL)
    assert old.read_text() == "old"


def test_a_symbolic_link_is_reported_not_followed(old: Path, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(old)
    with pytest.raises(UsageError, match=f"{link} is a symbolic link to {old}"):
        replace_file(link, "new")
    assert old.read_text() == "old"
    assert link.is_symlink()


@pytest.mark.parametrize(
    ("name", "says"),
    [
        (".", "is a folder"),
        ("pipe", "is a device or a pipe"),
        ("nowhere/file", "there is no folder"),
        ("file/file", "Not a directory"),
        ("long" * 100, "File name too long"),
        ("a\0b", "embedded null"),
    ],
)
def test_what_cannot_be_replaced_is_refused_before_any_work(old: Path, name: str, says: str) -> None:
    os.mkfifo(old.with_name("pipe"))
    for attempt in (check_replaceable, lambda path: replace_file(path, "new")):
        with pytest.raises(UsageError, match=says):
            attempt(old.parent / name)
    assert names(old.parent) == ["file", "pipe"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_closed_folder_is_refused(old: Path) -> None:
    old.parent.chmod(0o500)
    try:
        with pytest.raises(UsageError, match="no permission"):
            check_replaceable(old)
    finally:
        old.parent.chmod(0o700)


VARIABLES = ("HOME", "USERPROFILE", "LOCALAPPDATA", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME")


@pytest.mark.parametrize(
    ("system", "variables", "folders"),
    [
        ("linux", {"HOME": "/me"}, ("/me/.config", "/me/.local/share", "/me/.cache")),
        (
            "linux",
            {"HOME": "/me", "XDG_CONFIG_HOME": "/a", "XDG_DATA_HOME": "/b", "XDG_CACHE_HOME": "/c"},
            ("/a", "/b", "/c"),
        ),
        ("win32", {"USERPROFILE": "/me"}, ("/me/.config", "/me/AppData/Local", "/me/AppData/Local")),
        ("win32", {"USERPROFILE": "/me", "LOCALAPPDATA": "/local"}, ("/me/.config", "/local", "/local")),
    ],
)
def test_the_user_s_folders_are_those_of_the_system(
    system: str, variables: dict[str, str], folders: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "platform", system)
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    found = (user_folder("config"), user_folder("data"), user_folder("cache"))
    assert found == tuple(Path(folder) / "kwsd" for folder in folders)
