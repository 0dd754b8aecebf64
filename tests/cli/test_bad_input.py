"""What the installed command makes of all kinds of input: the good is heard, the bad named in one line."""

import io
import json
import os
import struct
import subprocess
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import soxr
from harness import KWSD, LOUD, PATIENCE

from kwsd import Detector
from kwsd.cli import main

SAMPLE = Path(__file__).parents[2] / "docs" / "sample.flac"
MODEL = "jarvis"

Samples = np.ndarray[Any, np.dtype[np.float32]]


def run(*options: str | Path, command: str = "listen", **how: Any) -> "subprocess.CompletedProcess[str]":
    """Run kwsd to its end. As root it goes without root's right to open any file."""
    rights = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"] if os.geteuid() == 0 else []
    line = [*rights, KWSD, command, *options]
    how = {"stdin": subprocess.DEVNULL} | how
    return subprocess.run(line, capture_output=True, text=True, check=False, timeout=PATIENCE, **how)


def complaints(done: "subprocess.CompletedProcess[str]") -> list[str]:
    """Lines of standard error, but for the one that says what is listened to."""
    return [line for line in done.stderr.splitlines() if not line.startswith("kwsd: listening for")]


@pytest.fixture(scope="module")
def speech() -> Samples:
    """4.5 s in which the keyword is said once."""
    samples: Samples = soundfile.read(SAMPLE, dtype="float32")[0][11 * 16_000 :]
    return samples


@pytest.fixture(scope="module")
def said(speech: Samples) -> Any:
    """When the keyword is heard in it, to within a step."""
    detector = Detector.load(MODEL)
    detector.warm_up()
    (trigger,) = detector.feed(np.concatenate((speech, np.zeros(8_000, np.float32))))
    return pytest.approx(trigger.stream_time, abs=1.01 * detector.settings.step / 100)


@dataclass(frozen=True)
class Variant:
    """A way to write the same recording."""

    suffix: str = "wav"
    subtype: str | None = None
    rate: int = 16_000
    channels: int = 1
    change: Callable[[Samples], Samples] = np.asarray
    told: str = ""  # what is said of it on standard error


def bad_numbers(samples: Samples) -> Samples:
    """As a crashed plug-in leaves them, in the pause before the word."""
    changed = samples.copy()
    changed[3_000:3_010] = np.nan
    changed[4_000:4_002] = np.inf, -np.inf
    changed[5_000] = 3e38
    return changed


GOOD = {
    "8 bit": Variant(subtype="PCM_U8"),
    "24 bit": Variant(subtype="PCM_24"),
    "32 bit": Variant(subtype="PCM_32"),
    "32-bit float": Variant(subtype="FLOAT"),
    "64-bit float": Variant(subtype="DOUBLE"),
    "mu-law": Variant(subtype="ULAW"),
    "FLAC": Variant("flac"),
    "Ogg": Variant("ogg"),
    "Opus": Variant("ogg", "OPUS", 48_000),
    "MP3": Variant("mp3", rate=44_100),
    "AIFF": Variant("aiff"),
    "8 kHz": Variant(rate=8_000),
    "11.025 kHz": Variant(rate=11_025, channels=3),
    "22.05 kHz": Variant(rate=22_050, channels=4),
    "44.1 kHz": Variant("flac", rate=44_100, channels=2),
    "48 kHz": Variant(rate=48_000, channels=5),
    "96 kHz": Variant("flac", "PCM_24", 96_000, channels=6),
    "192 kHz": Variant(rate=192_000, channels=7),
    "8 channels": Variant(channels=8),
    "DC offset": Variant(change=lambda samples: samples + np.float32(0.3)),
    "clipping": Variant(change=lambda samples: (8 * samples).clip(-1, 1)),
    "NaN and Inf": Variant(subtype="FLOAT", channels=2, change=bad_numbers, told="24 samples of "),
    "NaN and Inf at 48 kHz": Variant(subtype="FLOAT", rate=48_000, change=bad_numbers, told="12 samples of "),
}


def write(path: Path, samples: Samples, variant: Variant) -> None:
    """NaN would smear in the resampler, so `change` comes after it."""
    if variant.rate != 16_000:
        samples = soxr.resample(samples, 16_000, variant.rate)
    wide = np.repeat(variant.change(samples)[:, None], variant.channels, axis=1)
    soundfile.write(path, wide, variant.rate, subtype=variant.subtype)


@pytest.mark.parametrize("name", GOOD)
def test_the_word_is_heard_at_its_time(tmp_path: Path, speech: Samples, said: Any, name: str) -> None:
    variant = GOOD[name]
    path = tmp_path / f"speech.{variant.suffix}"
    write(path, speech, variant)
    done = run("--model", MODEL, "--input", path)
    assert done.returncode == 0, done.stderr
    times = [json.loads(line)["stream_time"] for line in done.stdout.splitlines()]
    assert times == [said]
    assert len(complaints(done)) == bool(variant.told)
    assert variant.told in done.stderr


def encoded(samples: Samples, kind: str) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, samples, 16_000, format=kind)
    return file.getvalue()


def patched(data: bytes, at: int, layout: str, value: int) -> bytes:
    """The data with a number of this layout put over what is at this place."""
    changed = bytearray(data)
    struct.pack_into(layout, changed, at, value)
    return bytes(changed)


FRAMES_IN_FLAC = 8 + 13  # the lower 4 bits there and the 4 bytes that follow
RATE_IN_WAV, CHANNELS_IN_WAV = 24, 22

# of a file: what it holds of the speech's WAV and FLAC, what is said of it, whether the word is heard first
BAD_FILES: dict[str, tuple[Callable[[bytes, bytes], bytes], str, bool]] = {
    "empty": (lambda _wav, _flac: b"", "is empty: record it again", False),
    "a header only": (lambda wav, _: wav[:44], "contains no audio: record it again", False),
    "half a header": (lambda wav, _: wav[:30], "as audio: ", False),
    "no audio": (lambda _wav, _flac: b"#!/bin/sh\nexit\n" * 99, "as audio: Format not recognised; ", False),
    "cut short": (lambda wav, _: wav[:-16_000], "is truncated: it has 4.0 of 4.5 s; get a new copy", True),
    "cut short FLAC": (lambda _, flac: flac[:-4_000], "it is damaged: get a new copy", True),
    "damaged FLAC": (lambda _, flac: flac[:30_000] + bytes(99) + flac[30_099:], "it is damaged", False),
    "a month of FLAC": (
        lambda _, flac: patched(flac, FRAMES_IN_FLAC, ">Q", int.from_bytes(b"\xff" * 5 + flac[26:29])),
        "is truncated: it has 4.5 of 4,294,967.3 s; get a new copy",
        True,
    ),
    "0 Hz": (lambda wav, _: patched(wav, RATE_IN_WAV, "<I", 0), "as audio: ", False),
    "1 Hz": (lambda wav, _: patched(wav, RATE_IN_WAV, "<I", 1), "has an invalid sample rate of 1 Hz", False),
    "2 GHz": (lambda wav, _: patched(wav, RATE_IN_WAV, "<I", 2**31 - 1), "of 2,147,483,647 Hz", False),
    "no channels": (lambda wav, _: patched(wav, CHANNELS_IN_WAV, "<H", 0), "as audio: ", False),
    "65,535 channels": (lambda wav, _: patched(wav, CHANNELS_IN_WAV, "<H", 65_535), "as audio: ", False),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_a_bad_file_is_named(tmp_path: Path, speech: Samples, name: str) -> None:
    make, says, heard = BAD_FILES[name]
    path = tmp_path / "speech"
    path.write_bytes(make(encoded(speech, "WAV"), encoded(speech, "FLAC")))
    done = run("--model", MODEL, "--input", path)
    assert done.returncode == 1, done.stderr
    assert len(done.stdout.splitlines()) == heard
    (line,) = complaints(done)
    assert str(path) in line
    assert says in line


@pytest.mark.parametrize("end", ["unknown to its writer", "unknown to arecord"])
def test_a_wav_that_was_written_to_a_pipe_is_whole(tmp_path: Path, speech: Samples, end: str) -> None:
    claimed = {"unknown to its writer": 2**32 - 1, "unknown to arecord": 2**31}[end]
    (tmp_path / "speech.wav").write_bytes(patched(encoded(speech, "WAV"), 40, "<I", claimed))
    done = run("--model", MODEL, "--input", tmp_path / "speech.wav")
    assert (done.returncode, complaints(done)) == (0, [])


COMMAND = "arecord -t raw -f S16_LE -r 16000 -c 1 | kwsd listen --input -"
# what comes on standard input, the exit code and what is said of it
PIPED: dict[str, tuple[Callable[[Samples], bytes], int, str]] = {
    "closed at once": (lambda _: b"", 1, f"no audio arrived on standard input: {COMMAND}"),
    "closed in a header": (lambda samples: encoded(samples, "WAV")[:30], 1, "no audio arrived"),
    "closed after a byte": (lambda _: b"x", 1, "no audio arrived"),
    "odd by a byte": (
        lambda _: bytes(32_001),
        0,
        "ended in the middle of a sample: is it 16 kHz mono int16?",
    ),
    "a file": (lambda samples: encoded(samples, "FLAC"), 2, "kwsd listen --input FILE"),
    "a WAV of floats": (lambda samples: encoded(samples, "WAV")[:34] + b"\x20\0data\4\0\0\0", 2, COMMAND),
}


@pytest.mark.parametrize("name", PIPED)
def test_bad_standard_input_is_named(tmp_path: Path, speech: Samples, name: str) -> None:
    make, code, says = PIPED[name]
    (tmp_path / "given").write_bytes(make(speech))
    with (tmp_path / "given").open("rb") as given:
        done = run("--input", "-", stdin=given)
    assert done.returncode == code, done.stderr
    (line,) = complaints(done)
    assert "standard input" in line
    assert says in line


def test_standard_input_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with (tmp_path / "given").open("wb") as given:
        done = run("--input", "-", stdin=given)
    assert done.returncode == 1
    assert complaints(done) == [f"kwsd: cannot read standard input: Bad file descriptor; {COMMAND}"]


# options, and what is said of them
BAD_OPTIONS = [
    ("--window 0", "--window"),
    ("--window 1.5", "--window"),
    ("--window 100001", "window must be a whole number from 1 to 100,000"),
    ("--step 0", "--step"),
    ("--step 1001", "step must be a whole number from 1 to 1,000"),
    ("--threshold -1", "--threshold"),
    ("--threshold nan", "'nan' is not a finite number"),
    ("--threshold 0", "'--threshold': 0.0 is not in the range 0.001<=x<=1"),
    ("--threshold high", "'high' is not a valid float"),
    ("--candidate-threshold 0", "'--candidate-threshold': 0.0 is not in the range 0.001<=x<=1"),
    ("--release nan", "'nan' is not a finite number"),
    ("--release 0.9 --threshold 0.5", "release 0.9 must not be above threshold 0.5"),
    ("--patience 0", "--patience"),
    ("--refractory inf", "'inf' is not a finite number"),
    ("--hook-timeout nan", "'nan' is not a finite number"),
    ("--clip-seconds 1e9 --save-clips clips", "--clip-seconds"),
    ("--clips-limit nan --save-clips clips", "'nan' is not a finite number"),
    ("--no-such", "No such option '--no-such'"),
    ("--model no-such", "shipped models: "),
    ("--model .", "a folder; give the .pt file in it"),
    ("--model rate.pt", "rate.pt: made for audio at 8000 Hz, but kwsd uses 16000 Hz; use another model"),
    ("--model closed", "closed: no permission to read it; change its mode or owner"),
    ("--input no-such", "there is no file 'no-such'"),
    ("--input .", "cannot listen to '.': it is a folder"),
    ("--input /dev/null", "it is a device or pipe: try --input -"),
    ("--input closed", "no permission to read 'closed'; change its mode or owner"),
    ("--save-clips closed/clips", "cannot make the folder 'closed/clips' for clips"),
    ("--save-clips shut", "shut"),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Holds speech.wav, a file and a folder that are closed to all, and a model for audio at 8 kHz."""
    folder = tmp_path_factory.mktemp("folder")
    soundfile.write(folder / "speech.wav", np.zeros(1_600), 16_000)
    (folder / "closed").touch(0o000)
    (folder / "shut").mkdir(0o000)
    with zipfile.ZipFile(LOUD) as loud, zipfile.ZipFile(folder / "rate.pt", "w") as model:
        for name in loud.namelist():
            at_16_khz, at_8_khz = (b"sample_rateM" + struct.pack("<H", rate) for rate in (16_000, 8_000))
            model.writestr(name, loud.read(name).replace(at_16_khz, at_8_khz))
    return folder


@pytest.mark.parametrize(("options", "says"), BAD_OPTIONS)
def test_a_bad_option_is_named(folder: Path, options: str, says: str) -> None:
    given = options.split()
    rest = [] if "--input" in given else ["--input", "speech.wav"]
    done = run(*given, *rest, cwd=folder)
    code = 1 if options == "--model closed" else 2  # its mode may be changed while a service tries again
    assert (done.returncode, done.stdout) == (code, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith("kwsd: ")
    assert says in line


@pytest.mark.parametrize("command", ["listen", "devices"])
def test_no_library_to_record_with_is_one_line(tmp_path: Path, command: str) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        "import ctypes\n\ndef absent(*_, **__):\n    raise OSError\n\nctypes.CDLL = absent\n"
    )
    done = run(command=command, env=os.environ | {"PYTHONPATH": str(tmp_path)})
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "kwsd: the ALSA library is not installed: sudo apt install alsa-utils\n"


def test_no_thread_to_be_had_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(*_: object) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr("kwsd.daemon.signals.Signals.__init__", refuse)
    with pytest.raises(SystemExit) as end:
        main(["listen"])
    assert end.value.code == 1
    assert capsys.readouterr().err == (
        "kwsd: can't start new thread: too many processes, or too little memory\n"
    )


def test_a_library_that_does_not_load_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def break_off(*_: object, **__: object) -> None:
        raise ImportError("\n\nIMPORTANT: PLEASE READ THIS\n\nOriginal error was: no such symbol\n")

    monkeypatch.setattr("kwsd.cli.commands.cli.main", break_off)
    with pytest.raises(SystemExit) as end:
        main(["info", "happy"])
    assert end.value.code == 1
    assert (
        capsys.readouterr().err
        == "kwsd: the installation of kwsd is broken: Original error was: no such symbol\n"
    )
