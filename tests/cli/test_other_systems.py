"""What works on macOS and Windows, where people train a word: everything but the service."""

import json
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import soundfile
from harness import LOUD, Spoken
from systems import PATIENCE, SYSTEMS, environment, kwsd, line, python

PORTAUDIO = '''
"""PortAudio with one microphone, which hears a burst of noise every two seconds."""

import random, struct, threading

class PortAudioError(Exception): ...

class default:
    device = [0, 1]

USUAL = {"hostapi": 0, "default_samplerate": 48000.0}
DEVICES = [
    {"index": 0, "name": "Mikrofon (мікрофон)", "max_input_channels": 1, **USUAL},
    {"index": 1, "name": "Speakers", "max_input_channels": 0, **USUAL},
]

def get_portaudio_version():
    return 0, "PortAudio V19, played by a test"

def query_hostapis():
    return [{"name": "Core Audio"}]

def query_devices():
    return DEVICES

def check_input_settings(device, channels, dtype, samplerate):
    if samplerate != 48000:
        raise PortAudioError

class RawInputStream:
    def __init__(self, samplerate, blocksize, callback, **_):
        self.block, self.callback, self.closed = blocksize, callback, threading.Event()
        self.pause = blocksize / samplerate
        random.seed(0)
        self.noise = [random.randrange(-16000, 16000) for _ in range(blocksize)]

    def start(self):
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        status = type("Status", (), {"input_overflow": False})
        number = 0
        while not self.closed.wait(self.pause):
            level = 1 if number % 20 < 5 else 0
            samples = (level * sample for sample in self.noise)
            self.callback(struct.pack(f"<{self.block}h", *samples), self.block, None, status)
            number += 1

    def close(self):
        self.closed.set()
'''


@pytest.fixture(params=SYSTEMS)
def system(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def portaudio(tmp_path: Path) -> dict[str, str]:
    """Variables of an environment in which sounddevice is this PortAudio."""
    folder = tmp_path / "portaudio"
    folder.mkdir()
    (folder / "sounddevice.py").write_text(PORTAUDIO, "utf-8")
    return {"PYTHONPATH": pythonpath(folder)}


def pythonpath(folder: Path) -> str:
    separator = ";" if sys.platform == "win32" else ":"
    return separator.join(filter(None, [str(folder), environment().get("PYTHONPATH")]))


def hook(code: str) -> str:
    """A hook in a shell of either kind that runs this code, in which there are no double quotes."""
    return f'"{sys.executable}" -c "{code}"'


def events(text: str) -> list[str]:
    return [json.loads(line)["keyword"] for line in text.splitlines()]


@pytest.mark.parametrize(
    "arguments", [(), ("--help",), ("service", "--help"), ("listen", "--help"), ("train", "--help")]
)
def test_help_is_given(system: str, arguments: tuple[str, ...]) -> None:
    done = kwsd(system, *arguments, code=0 if arguments else 2)
    assert "Usage" in done.stdout + done.stderr


def test_a_recording_is_heard_and_hooks_and_clips_work(system: str, loud: Spoken, tmp_path: Path) -> None:
    said, clips = tmp_path / "said", tmp_path / "clips"
    code = f"import os, sys; open({str(said)!r}, 'w').write(os.environ['KWSD_KEYWORD'] + sys.stdin.read())"
    options = ("--on-trigger", hook(code), "--save-clips", clips, "--stats-every", 1)
    heard = kwsd(system, "listen", "--model", LOUD, "--input", loud.path, *options)
    assert events(heard.stdout) == ["loud"]
    assert "exit code 0" in heard.stderr
    keyword, _, event = said.read_text("utf-8").partition("{")
    assert keyword == "loud"
    assert json.loads("{" + event)["keyword"] == "loud"
    (clip,) = clips.iterdir()
    samples, rate = soundfile.read(clip, dtype="int16")
    assert (rate, clip.stat().st_size) == (16_000, 44 + 2 * len(samples))  # no byte is a line's end
    assert len(samples) > 8_000


def test_a_hook_that_hangs_is_ended_with_what_it_started(system: str, loud: Spoken) -> None:
    code = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'import time; time.sleep(600)'])"
    options = ("--on-trigger", hook(code), "--hook-timeout", 0.5)
    heard = kwsd(system, "listen", "--model", LOUD, "--input", loud.path, *options)
    assert "ran for more than 0.5 s" in heard.stderr
    assert "left running" not in heard.stderr


def test_a_hook_that_reads_nothing_is_run(system: str, loud: Spoken) -> None:
    heard = kwsd(system, "listen", "--model", LOUD, "--input", loud.path, "--on-trigger", hook("pass"))
    assert "exit code 0" in heard.stderr


def test_raw_audio_is_heard_on_standard_input(system: str, loud: Spoken) -> None:
    heard = kwsd(system, "listen", "--model", LOUD, "--input", "-", stdin=loud.samples.tobytes())
    assert events(heard.stdout) == ["loud"]


def test_the_live_microphone_is_heard_through_portaudio_until_it_is_interrupted(
    system: str, portaudio: dict[str, str], tmp_path: Path
) -> None:
    """By Ctrl-C or, on Windows, where no other process can press that, Ctrl-Break."""
    clips = tmp_path / "clips"
    process = subprocess.Popen(
        line(system, "listen", "--model", LOUD, "--on-trigger", hook("pass"), "--save-clips", clips),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        env=environment(**portaudio),
        creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
    )
    alarm = threading.Timer(PATIENCE, process.kill)
    alarm.start()
    assert process.stdout is not None
    heard = process.stdout.readline()
    process.send_signal(signal.CTRL_BREAK_EVENT if sys.platform == "win32" else signal.SIGINT)
    _, said = process.communicate()
    alarm.cancel()
    assert events(heard) == ["loud"]
    assert process.returncode == 0, said
    assert "Mikrofon" in said
    assert "Traceback" not in said
    assert list(clips.iterdir())


def test_microphones_are_listed_whatever_the_encoding(system: str, portaudio: dict[str, str]) -> None:
    listed = kwsd(system, "devices", PYTHONIOENCODING="cp1252", **portaudio).stdout
    assert "Mikrofon" in listed
    assert r"\u043c" in listed
    assert "Speakers" not in listed


def test_without_portaudio_one_line_says_so(system: str, tmp_path: Path) -> None:
    (tmp_path / "sounddevice.py").write_text("raise OSError('PortAudio library not found')\n", "utf-8")
    for command in (("devices",), ("listen", "--model", str(LOUD))):
        said = kwsd(system, *command, code=1, PYTHONPATH=pythonpath(tmp_path)).stderr
        assert said == (
            "kwsd: the PortAudio library is not installed: install portaudio (PortAudio library not found)\n"
        )


def test_doctor_examines_what_there_is(system: str, portaudio: dict[str, str]) -> None:
    done = kwsd(system, "doctor", "--model", LOUD, "--json", **portaudio)
    found = {one["check"]: one for one in json.loads(done.stdout)}
    skipped = [name for name, one in found.items() if one["status"] == "skip"]
    assert skipped == ["server", "permission", "service"]
    assert found["library"]["found"] == "PortAudio V19"
    assert "Mikrofon" in found["device"]["found"]
    assert {one["status"] for name, one in found.items() if name not in skipped} == {"pass"}


@pytest.mark.parametrize("arguments", [("install",), ("install", "--system"), ("uninstall",), ("status",)])
def test_the_service_is_refused_in_one_line(system: str, arguments: tuple[str, ...]) -> None:
    said = kwsd(system, "service", *arguments, code=2).stderr
    assert said.startswith("kwsd: kwsd service needs Linux with systemd; ")
    assert said.count("\n") == 1


def test_a_configuration_is_read_as_utf_8(system: str, tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text(f"on-trigger = ['say „grüß“']\nmodel = '{LOUD}'\n", "utf-8")
    shown = kwsd(system, "config", "--config", file, "--json").stdout
    assert json.loads(shown)["on-trigger"] == {"value": ["say „grüß“"], "from": "the file"}


def test_the_configuration_is_looked_for_in_the_user_s_folder(system: str, tmp_path: Path) -> None:
    folder = tmp_path / ".config" / "kwsd"
    folder.mkdir(parents=True)
    (folder / "config.toml").write_text("threshold = 0.123\n", "utf-8")
    variables = {"XDG_CONFIG_HOME": "", "HOME": "", "USERPROFILE": str(tmp_path)}
    shown = kwsd(system, "config", "--model", LOUD, "--json", **variables).stdout
    assert json.loads(shown)["threshold"]["value"] == 0.123


def test_a_recording_is_scored(system: str, loud: Spoken) -> None:
    rows = kwsd(system, "score", loud.path, "--model", LOUD).stdout.splitlines()
    assert rows[0] == "stream_time,posterior,warm,verified,trigger"
    assert sum(row.endswith(",True") for row in rows) == 1


def test_a_missing_ffmpeg_is_named_with_the_way_to_it(system: str, tmp_path: Path) -> None:
    file = tmp_path / "voice.m4a"
    file.write_bytes(b"\0\0\0\x20ftypM4A " + bytes(100))
    said = kwsd(system, "listen", "--input", file, code=1, PATH=str(tmp_path)).stderr
    assert said.endswith(f"{'brew' if system == 'darwin' else 'winget'} install ffmpeg\n")


@pytest.mark.skipif(sys.platform != "linux", reason="writes to Linux's eventfd, which calls any text invalid")
def test_what_windows_says_of_a_pipe_that_nobody_reads_is_understood() -> None:
    code = """
import os
from kwsd.cli.strict_output import RaisingFile
from kwsd.errors import ReaderLeftError
try:
    RaisingFile(os.eventfd(0), "w").write(b"text")
except ReaderLeftError:
    print("left")
"""
    said = subprocess.run([*python("win32"), "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout == "left\n"


def test_every_module_can_be_imported(system: str) -> None:
    """The Python API is there: what only Linux has is looked for when it is used."""
    pytest.importorskip("torch")
    code = """
import importlib, pkgutil, kwsd
for module in pkgutil.walk_packages(kwsd.__path__, "kwsd."):
    importlib.import_module(module.name)
    print(module.name)
"""
    modules = subprocess.run(
        [*python(system), "-c", code], capture_output=True, text=True, check=False, timeout=PATIENCE
    )
    assert modules.returncode == 0, modules.stderr
    assert "kwsd.daemon.systemd.account" in modules.stdout.split()
