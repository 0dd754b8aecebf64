"""What a user without a microphone is told."""

from pathlib import Path

import pytest

from kwsd.audio import no_microphone


def test_a_container_is_told_what_to_mount(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mark = tmp_path / ".dockerenv"
    monkeypatch.setattr(no_microphone, "CONTAINER_FILES", (mark,))
    outside = no_microphone.no_microphone()
    assert Path(outside.rpartition("see ")[2]).is_file()  # a page that can be opened
    mark.touch()
    inside = no_microphone.no_microphone()
    assert "mount the sound server's folder or /dev/snd" in inside
    assert "docs/containers.md" in inside
    assert "silent-microphone" not in inside
