"""The installed `kwsd doctor`: on a microphone, on none, and whether the fixes it prints work."""

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import numpy as np
import pytest
import soundfile
from harness import KWSD, LOUD, FakeMicrophone, Spoken

Findings = dict[str, dict[str, str]]


def examine(environment: dict[str, str], *options: str) -> tuple[int, Findings]:
    """Exit code, and what each check found."""
    done = subprocess.run(
        [KWSD, "doctor", "--json", *options], env=environment, capture_output=True, text=True, check=False
    )
    assert done.stderr == ""
    return done.returncode, {finding.pop("check"): finding for finding in json.loads(done.stdout)}


def states(findings: Findings, *names: str) -> list[str]:
    return [findings[name]["status"] for name in names]


@contextmanager
def sounding(microphone: FakeMicrophone, path: Path) -> Iterator[None]:
    player = subprocess.Popen(["paplay", "--device=speaker", path], env=microphone.environment)
    try:
        yield
    finally:
        player.kill()
        player.wait()


@pytest.mark.microphone
def test_what_is_wrong_with_the_level_is_said_and_fixed(microphone: FakeMicrophone, tmp_path: Path) -> None:
    def pactl(command: str) -> None:
        subprocess.run(command, shell=True, env=microphone.environment, check=True)

    beep = np.sign(np.sin(2 * np.pi * 200 / 16_000 * np.arange(30 * 16_000)))  # full scale, square
    soundfile.write(tmp_path / "beep.wav", beep.astype(np.float32), 16_000)
    faults = {
        "muted": "pactl set-source-mute @DEFAULT_SOURCE@ 1",
        "too low": "pactl set-source-volume @DEFAULT_SOURCE@ 5%",
        "clipped": "true",  # the gain is 100 % again
    }
    try:
        with sounding(microphone, tmp_path / "beep.wav"):
            for found, fault in faults.items():
                pactl(fault)
                code, findings = examine(microphone.environment, "--model", str(LOUD))
                assert code == 1
                checks = ("library", "server", "device", "level")
                assert states(findings, *checks) == ["pass", "pass", "pass", "fail"]
                assert found in findings["level"]["found"]
                pactl(findings["level"]["fix"])
            code, findings = examine(microphone.environment, "--model", str(LOUD))
            assert code == 0
            assert states(findings, "level", "model", "speed") == ["pass", "pass", "pass"]
    finally:  # other tests use it, too
        pactl("pactl set-source-mute @DEFAULT_SOURCE@ 0; pactl set-source-volume @DEFAULT_SOURCE@ 100%")


@pytest.mark.microphone
@pytest.mark.parametrize("music", [True, False])
def test_a_monitor_is_no_microphone(
    microphone: FakeMicrophone,  # noqa: ARG001 - it skips where there can be none
    loud: Spoken,
    tmp_path: Path,
    music: bool,
) -> None:
    own = FakeMicrophone(tmp_path)
    try:
        subprocess.run(["pactl", "unload-module", "module-remap-source"], env=own.environment, check=True)
        with sounding(own, loud.path) if music else nullcontext():
            code, findings = examine(own.environment)
    finally:
        own.close()
    assert code == 1
    assert states(findings, "library", "server", "device", "level") == ["pass", "pass", "fail", "skip"]
    assert findings["device"]["found"] == "no microphone: the default source is a monitor of a loudspeaker"


def test_no_microphone_fails_once(tmp_path: Path) -> None:
    code, findings = examine(os.environ | {"XDG_RUNTIME_DIR": str(tmp_path), "PULSE_SERVER": ""})
    assert code == 1
    assert states(findings, "library", "device", "level", "model") == ["pass", "fail", "skip", "pass"]
    assert findings["device"]["fix"]


def test_no_library_to_record_with_fails_once(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        "import ctypes\n\ndef absent(*_, **__):\n    raise OSError\n\nctypes.CDLL = absent\n"
    )
    code, findings = examine(os.environ | {"PYTHONPATH": str(tmp_path)})
    assert code == 1
    assert states(findings, "library", "device", "level", "speed") == ["fail", "skip", "skip", "pass"]
    assert findings["library"]["fix"] == "sudo apt install alsa-utils"


def test_a_model_that_is_none(tmp_path: Path) -> None:
    code, findings = examine(os.environ | {}, "--model", str(tmp_path))
    assert code == 1
    assert states(findings, "model", "speed") == ["fail", "skip"]
    assert str(tmp_path) in findings["model"]["found"]


def test_two_models_of_one_word() -> None:
    """All else is checked nevertheless."""
    code, findings = examine(os.environ | {}, "nano", "student")
    assert code == 1
    assert states(findings, "versions", "model", "speed") == ["pass", "fail", "skip"]
    assert "'happy' is given twice" in findings["model"]["found"]
    assert findings["model"]["fix"] == "kwsd doctor nano"


def test_the_table_shows_all_that_was_found() -> None:
    wide = os.environ | {"COLUMNS": "200"}
    table = subprocess.run([KWSD, "doctor"], env=wide, capture_output=True, text=True, check=False).stdout
    _, findings = examine(wide)
    for name in ("library", "model", "service"):
        assert findings[name]["found"] in table
