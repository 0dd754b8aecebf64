"""What tests of the whole command use: a microphone without sound hardware, a running daemon."""

import importlib
import json
import os
import queue
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

from kwsd.pcm import to_int16

LOUD = Path(__file__).with_name("loud.pt")  # see make_loud.py
KWSD = Path(os.environ.get("KWSD", Path(sys.executable).with_name("kwsd")))  # the installed command
SILENCE = bytes(2 * 16_000)  # a second, as a pipe takes it
WORD = np.random.default_rng(0).normal(0, 6_000, 8_000).astype(np.int16).tobytes()  # of the model LOUD
# WirePlumber ends if PipeWire does not answer yet, and without it there is no default microphone
PIPEWIRE = """
pipewire &
until pw-cli info 0 >/dev/null 2>&1; do sleep 0.05; done
wireplumber &
exec pipewire-pulse
"""
PATIENCE = 30.0  # seconds after which what was waited for is not coming

ALSA = """
</usr/share/alsa/alsa.conf>
pcm.!default { type pulse }
"""


def wait_for(what: str, condition: Callable[[], Any]) -> Any:
    """The condition's value as soon as it is true."""
    deadline = time.monotonic() + PATIENCE
    while not (value := condition()):
        assert time.monotonic() < deadline, f"{what} did not come in {PATIENCE:.0f} s"
        time.sleep(0.02)
    return value


def gone(pid: int) -> bool:
    """Whether a process has ended, though its parent may not have asked how."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except FileNotFoundError:
        return True


def set_constants(folder: Path, values: dict[str, float]) -> None:
    """Make a kwsd that has the folder in PYTHONPATH run with these, such as kwsd.pcm.SAMPLE_RATE."""
    code = ""
    for name, value in values.items():
        module, _, constant = name.rpartition(".")
        assert hasattr(importlib.import_module(module), constant), f"{name} has another name now"
        code += f"import {module}\n{name} = {value}\n"
    (folder / "sitecustomize.py").write_text(code)


@dataclass(frozen=True)
class Spoken:
    """A recording in which a model hears its keyword."""

    model: str  # as --model takes it
    keyword: str
    samples: np.ndarray[Any, np.dtype[np.int16]]
    path: Path  # of a 16 kHz mono WAV of the samples


def speak(keyword: str, model: str, clips: list[np.ndarray[Any, Any]], folder: Path) -> Spoken:
    """The clips, 16 kHz mono floats, with a second of silence after each and half a one before."""
    import soundfile

    pause = np.zeros(16_000)
    joined = np.concatenate([pause[:8_000], *(part for clip in clips for part in (clip, pause))])
    samples = to_int16(joined)
    path = folder / f"{keyword}.wav"
    soundfile.write(path, samples, 16_000)
    return Spoken(model, keyword, samples, path)


class FakeMicrophone:
    """A PulseAudio server of its own: what is played into its speaker is what its microphone records."""

    # norewinds: without it an idle null sink makes its listeners wait for up to two seconds
    SINK = ("module-null-sink", "sink_name=speaker", "rate=48000", "channels=2", "norewinds=1")
    SOURCE = ("module-remap-source", "source_name=mic", "master=speaker.monitor")

    def __init__(self, folder: Path, *access: str) -> None:
        """`access`: arguments of module-native-protocol-unix, which lets programs in."""
        self._protocol = " ".join(("module-native-protocol-unix", *access))
        runtime = folder / "run"
        runtime.mkdir(mode=0o700)
        (folder / "asound.conf").write_text(ALSA)
        self.environment = os.environ | {
            "XDG_RUNTIME_DIR": str(runtime),
            "XDG_CONFIG_HOME": str(folder),
            "ALSA_CONFIG_PATH": str(folder / "asound.conf"),
        }
        self.environment.pop("PULSE_SERVER", None)
        self.start()

    def start(self) -> None:
        options = ["-n", "--daemonize=no", "--exit-idle-time=-1", "--disallow-exit", "--log-level=error"]
        options.append("--disable-shm=yes")  # the hang that it may end in has a test of its own
        self._server = subprocess.Popen(
            ["pulseaudio", *options, "-L", self._protocol],
            env=self.environment,
            stderr=subprocess.DEVNULL,
        )
        wait_for("PulseAudio", lambda: self.control("info"))
        self.plug()

    def play(self, path: Path, sink: str = "speaker") -> None:
        """Speak a WAV file, from beginning to end."""
        subprocess.run(
            ["paplay", f"--device={sink}", path], env=self.environment, check=True, timeout=PATIENCE
        )

    def unplug(self) -> None:
        for module in reversed(self._plugged):
            assert self.control("unload-module", module)

    def plug(self) -> None:
        self._plugged = [self._load(*self.SINK), self._load(*self.SOURCE)]
        # PipeWire takes a while to have it
        wait_for("the microphone", lambda: self.control("set-default-source", "mic"))

    def add(self, name: str) -> None:
        """Plug in another microphone; `play` with `sink=NAME.speaker` speaks into it."""
        self._load("module-null-sink", f"sink_name={name}.speaker", "norewinds=1")
        self._load("module-remap-source", f"source_name={name}", f"master={name}.speaker.monitor")

    def add_loudspeaker(self) -> None:
        """A loudspeaker, "tv": its monitor is what the server has to record where there is no microphone."""
        self._load("module-null-sink", "sink_name=tv", "norewinds=1")
        assert self.control("set-default-sink", "tv")

    def freeze(self) -> None:
        """Let the server answer nobody, until `thaw`."""
        self._server.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._server.send_signal(signal.SIGCONT)

    def close(self) -> None:
        self._server.kill()
        self._server.wait()

    def control(self, *command: str) -> bool:
        """Whether pactl has done this."""
        return self._run(*command).returncode == 0

    def _load(self, *module: str) -> str:
        """Load a module and return its index."""
        done = self._run("load-module", *module)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def _run(self, *command: str) -> "subprocess.CompletedProcess[str]":
        line = ["pactl", *command]
        return subprocess.run(line, env=self.environment, capture_output=True, check=False, text=True)


class FakePipeWire(FakeMicrophone):
    """PipeWire, WirePlumber and pipewire-pulse in a session of their own."""

    def start(self) -> None:
        self.environment["XDG_STATE_HOME"] = self.environment["XDG_CONFIG_HOME"]
        self._server = subprocess.Popen(
            ["dbus-run-session", "--", "sh", "-c", PIPEWIRE],
            env=self.environment,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        wait_for("PipeWire", lambda: self.control("info"))
        self.plug()

    def freeze(self) -> None:
        os.killpg(self._server.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        os.killpg(self._server.pid, signal.SIGCONT)

    def close(self) -> None:
        os.killpg(self._server.pid, signal.SIGKILL)
        self._server.wait()


class Daemon:
    """A running ``kwsd listen``: waits for its word to systemd and for its events, never for time to pass."""

    def __init__(self, folder: Path, environment: dict[str, str], *options: str) -> None:
        address = folder / "notify"
        self._notifications = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._notifications.bind(str(address))
        self._notifications.setblocking(False)
        self._errors = (folder / "errors").open("w+")  # no pipe: nobody reads it before the end
        self.process = subprocess.Popen(
            [KWSD, "listen", *options],
            env=environment | {"NOTIFY_SOCKET": str(address)},
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
        )
        self._lines: queue.Queue[str] = queue.Queue()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.put(line)

    def wait_for_notification(self, wanted: str) -> None:
        """Until it sends a message that contains `wanted`."""

        def sent() -> bool:
            try:
                return wanted in self._notifications.recv(4096).decode()
            except BlockingIOError:
                assert self.process.poll() is None, self.wait()
                return False

        wait_for(wanted, sent)

    def wait_for_line(self, wanted: str) -> None:
        """Until standard error contains `wanted`."""
        wait_for(wanted, lambda: wanted in self.log())

    def log(self) -> str:
        """What it has written to standard error so far."""
        return Path(self._errors.name).read_text()

    def event(self) -> dict[str, Any]:
        """The next trigger."""
        event: dict[str, Any] = json.loads(self._lines.get(timeout=PATIENCE))
        return event

    def rest(self) -> list[str]:
        """The lines of the triggers that nobody asked for, once it has ended."""
        self._reader.join()
        return list(self._lines.queue)

    def wait(self) -> tuple[int, str]:
        """Exit code and standard error, once it ends."""
        code = self.process.wait(PATIENCE)
        self._errors.seek(0)
        return code, self._errors.read()

    def stop(self) -> tuple[int, str]:
        self.process.send_signal(signal.SIGTERM)
        return self.wait()

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        self._reader.join()
        for stream in (self.process.stdout, self._errors, self._notifications):
            assert stream is not None
            stream.close()


class Piped:
    """``kwsd listen`` on a pipe: it handles a signal or a command with the next audio."""

    def __init__(self, stderr: Path, *options: str | Path) -> None:
        self._log = stderr
        with stderr.open("wb") as file:
            self.process = subprocess.Popen(
                [KWSD, "listen", "--input", "-", *options],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=file,
            )

    def say(self, *audio: bytes) -> None:
        stdin: IO[bytes] | None = self.process.stdin
        assert stdin is not None
        stdin.write(b"".join(audio))  # buffered: an unbuffered write may take only a part
        stdin.flush()

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def wait_for(self, text: str) -> str:
        """Give it audio until it logs a line that contains this text; give the line."""
        for _ in range(200):
            for line in self._log.read_text().splitlines():
                if text in line:
                    return line
            select.select([], [], [], 0.05)
            self.say(SILENCE)
        raise AssertionError(f"no {text!r} in {self._log.read_text()}")

    def finish(self) -> bytes:
        """What it printed."""
        printed, _ = self.process.communicate(timeout=PATIENCE)
        assert self.process.returncode == 0
        return printed
