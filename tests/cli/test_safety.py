"""What the keyword and the triggers must never do."""

import json
import stat
import subprocess
import zipfile
from pathlib import Path

import numpy as np
import pytest
from harness import KWSD, LOUD, PATIENCE

HOSTILE = "$(touch injected)`touch injected`;touch injected|'\"&>injected%s"
AUDIO = np.concatenate((np.zeros(16_000), np.random.default_rng(0).normal(0, 6_000, 8_000), np.zeros(16_000)))


@pytest.fixture
def hostile(tmp_path: Path) -> Path:
    """The model of loudness, its keyword a shell's delight."""
    path = tmp_path / "hostile.pt"
    word, keyword = (text.encode() for text in ("loud", HOSTILE))
    with zipfile.ZipFile(LOUD) as loud, zipfile.ZipFile(path, "w") as model:
        for name in loud.namelist():
            model.writestr(
                name,
                loud.read(name).replace(
                    b"X" + len(word).to_bytes(4, "little") + word,
                    b"X" + len(keyword).to_bytes(4, "little") + keyword,
                ),
            )
    return path


def test_a_keyword_is_never_run_and_nothing_is_written_elsewhere(hostile: Path, tmp_path: Path) -> None:
    """A hook has its facts by environment and standard input; clips have a harmless name and are private."""
    here = tmp_path / "here"
    here.mkdir()
    clips = tmp_path / "clips"
    hook = f'printf "%s" "$KWSD_KEYWORD" > {tmp_path}/environment; cat > {tmp_path}/input'
    done = subprocess.run(
        [KWSD, "listen", "--model", hostile, "--input", "-", "--on-trigger", hook, "--save-clips", clips],
        input=AUDIO.astype(np.int16).tobytes(),
        capture_output=True,
        cwd=here,
        check=False,
        timeout=PATIENCE,
        umask=0,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["keyword"] == HOSTILE
    assert (tmp_path / "environment").read_text() == HOSTILE
    assert json.loads((tmp_path / "input").read_text()) == json.loads(done.stdout)
    (clip,) = clips.iterdir()
    assert set(clip.name) <= set("abcdefghijklmnopqrstuvwxyzTZ0123456789-_.")
    assert stat.S_IMODE(clip.stat().st_mode) == 0o600
    assert stat.S_IMODE(clips.stat().st_mode) == 0o700
    assert list(here.iterdir()) == []
    written = {path.name for path in tmp_path.iterdir()}
    assert written == {"here", "clips", "environment", "input", "hostile.pt"}
