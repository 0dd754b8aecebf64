"""The program that writes a clip: what it removes, what it leaves alone, what it says."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from kwsd.daemon.sinks import clip_writer

SIZE = 1_000


def named(time: str, keyword: str = "loud") -> str:
    return f"kwsd-{time}T000000.000000Z-{keyword}.wav"


def write(folder: Path, name: str, room_for: int, prefix: tuple[str, ...] = ()) -> dict[str, object]:
    """What the program prints; the folder has room for so many clips."""
    line = [
        *prefix,
        sys.executable,
        "-I",
        "-S",
        clip_writer.__file__,
        str(folder),
        name,
        str(room_for * SIZE),
    ]
    done = subprocess.run(line, input=bytes(SIZE), capture_output=True, check=True)
    printed: dict[str, object] = json.loads(done.stdout)
    return printed


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_the_oldest_go(tmp_path: Path) -> None:
    for day in range(1, 6):
        assert write(tmp_path, named(f"2030010{day}"), 3) == {"kept": {}, "error": None}
    assert names(tmp_path) == [named(f"2030010{day}") for day in (3, 4, 5)]


def test_a_folder_that_vanished_is_made_again(tmp_path: Path) -> None:
    write(tmp_path / "gone" / "clips", named("20300101"), 1)
    assert names(tmp_path / "gone" / "clips") == [named("20300101")]


@pytest.mark.parametrize(
    "kind",
    ["folder", "link", "dangling link", "fifo"],
)
def test_what_is_no_file_is_no_clip(tmp_path: Path, kind: str) -> None:
    folder = tmp_path / "clips"
    folder.mkdir()
    odd, target = folder / named("20000101"), tmp_path / "target"
    if kind == "folder":
        odd.mkdir()
    elif kind == "fifo":
        os.mkfifo(odd)
    else:
        odd.symlink_to(target)
    if kind == "link":
        target.write_bytes(bytes(10 * SIZE))
    for day in (1, 2, 3):
        assert write(folder, named(f"2030010{day}"), 2) == {"kept": {}, "error": None}
    assert names(folder) == [odd.name, named("20300102"), named("20300103")]
    assert target.exists() == (kind == "link")


def test_what_cannot_be_removed_is_named_and_the_clip_is_written(tmp_path: Path) -> None:
    """Another user's clips in a sticky folder."""
    if os.getuid() != 0 or shutil.which("setpriv") is None:
        pytest.skip("giving a file to another user needs root, and setpriv")
    tmp_path.chmod(0o1777)
    for day in (1, 2):
        write(tmp_path, named(f"2000010{day}"), 2)
    for path in (tmp_path, *tmp_path.iterdir()):
        os.chown(path, 1, 1)
    printed = write(tmp_path, named("20300101"), 2, prefix=("setpriv", "--bounding-set=-fowner"))
    assert printed["error"] is None
    assert printed["kept"] == {named("20000101"): "Operation not permitted"}
    assert named("20300101") in names(tmp_path)


def test_a_clip_that_was_renamed_is_its_user_s(tmp_path: Path) -> None:
    write(tmp_path, named("20300101"), 2)
    kept = tmp_path / named("20300101", "loud-the_good_one")
    (tmp_path / named("20300101")).rename(kept)
    try:
        os.getxattr(kept, clip_writer.NAME_ATTRIBUTE)
    except OSError:
        pytest.skip("this file system has no extended attributes")
    for day in (2, 3, 4):
        write(tmp_path, named(f"2030010{day}"), 2)
    assert names(tmp_path) == [kept.name, named("20300103"), named("20300104")]


def test_clips_of_an_older_kwsd_have_no_mark_and_go_like_the_others(tmp_path: Path) -> None:
    (tmp_path / named("20300101")).write_bytes(bytes(SIZE))
    for day in (2, 3):
        write(tmp_path, named(f"2030010{day}"), 2)
    assert names(tmp_path) == [named("20300102"), named("20300103")]


def test_after_a_clock_that_jumped_to_2099_the_new_clips_stay(tmp_path: Path) -> None:
    for name in (named("20990101"), named("20990102"), *(named(f"2030010{day}") for day in (1, 2, 3, 4))):
        write(tmp_path, name, 3)
    assert names(tmp_path) == [named(f"2030010{day}") for day in (2, 3, 4)]


def test_a_clip_that_another_kwsd_removes_meanwhile_is_no_loss(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for day in (1, 2):
        write(tmp_path, named(f"2030010{day}"), 2)
    sized = clip_writer.our_size

    def removed_then(path: Path) -> int | None:
        """As if the other came between listing the folder and looking at this one, or after it."""
        size = None
        if path.name == named("20300101"):
            path.unlink()
            size = sized(path)
        elif path.name == named("20300102"):
            size = sized(path)
            path.unlink()
        return size

    monkeypatch.setattr(clip_writer, "our_size", removed_then)
    assert clip_writer.make_room(tmp_path, named("20300103"), 0) == {}
    assert names(tmp_path) == []


def test_a_name_that_is_taken_is_not_written_over(tmp_path: Path) -> None:
    write(tmp_path, named("20300101"), 2)
    assert write(tmp_path, named("20300101"), 2) == {"kept": {}, "error": "File exists"}
