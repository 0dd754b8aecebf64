"""The checks of ``kwsd doctor``: whether ``kwsd listen`` has all it needs, and how to fix what is missing."""

import getpass
import os
import platform
import shlex
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from kwsd.audio.alsa.holders import LIST_COMMAND, holders
from kwsd.daemon.systemd.unit import NAME
from kwsd.errors import AbsentError, AudioError, BusyError, KwsdError, ModelError, UsageError

if TYPE_CHECKING:
    from kwsd.audio.microphone import Microphone

LEVEL_SECONDS = 2.0  # of audio whose level is measured
AUDIO_TIMEOUT = 5.0  # seconds to wait for that audio
MIN_PEAK = -60.0  # dBFS; below it no voice can be recognized
MAX_CLIPPED = 0.001  # share of samples at full scale, above which a voice is distorted
SPEED_SECONDS = 10  # length of the audio that measures the speed; the first second only warms up
MAX_CPU = 0.5  # of a core; a model that needs more falls behind as soon as anything else runs

DEVICE_NODES = Path("/dev/snd")
# commands that open the sound settings on other systems
SETTINGS = {
    "darwin": {
        "mute": 'open "x-apple.systempreferences:com.apple.preference.security?Privacy_Microphone"',
        "volume": 'open "x-apple.systempreferences:com.apple.preference.sound"',
    },
    "win32": {"mute": "start ms-settings:privacy-microphone", "volume": "start ms-settings:sound"},
}


@dataclass(frozen=True)
class Subject:
    """The microphone and the models to check, as in the options of ``kwsd listen``."""

    device: str | None
    words: tuple[str, ...]


@dataclass(frozen=True)
class Finding:
    """The result of a check. `fix` is a command, or empty if there is nothing to fix."""

    check: str
    status: Literal["pass", "fail", "skip"]
    found: str
    fix: str = ""


class CheckError(Exception):
    """A check has failed. Its text is what was found, and `fix` is the command that fixes it."""

    status: Literal["fail", "skip"] = "fail"

    def __init__(self, found: str, fix: str = "") -> None:
        super().__init__(found)
        self.fix = fix


class SkipError(CheckError):
    """A check does not apply here. Its text is the reason."""

    status = "skip"


def examine(subject: Subject) -> Iterator[Finding]:
    """Run the checks in order, and yield the finding of each. A check that needs a failed one is skipped."""
    missing: set[str] = set()
    for check, need in CHECKS.items():
        name = check.__name__
        try:
            if need in missing:
                raise SkipError(f"the {need} check must pass first")
            yield Finding(name, "pass", check(subject))
        except CheckError as error:
            missing.add(name)
            yield Finding(name, error.status, str(error), error.fix)


def versions(_: Subject) -> str:
    """List the versions for a bug report. Never fails."""
    system = f"{platform.system()} {platform.release()} {platform.machine()}"
    with suppress(OSError):
        system += f" ({platform.freedesktop_os_release()['PRETTY_NAME']})"
    modules = (f"{name} {metadata.version(name)}" for name in ("kwsd", "numpy"))
    return ", ".join((*modules, f"Python {platform.python_version()}", system))


def library(_: Subject) -> str:
    """Check that the audio library can be used."""
    from kwsd.audio.alsa.libasound import AlsaError
    from kwsd.audio.microphone import library

    try:
        return library()
    except AlsaError as error:
        raise CheckError(str(error), "arecord -L") from error
    except AudioError as error:
        on_linux = sys.platform == "linux"
        fix = "sudo apt install alsa-utils" if on_linux else "pip install --force-reinstall sounddevice"
        raise CheckError(str(error), fix) from error


def server(_: Subject) -> str:
    """Check that the session's sound server, through which programs share the microphone, answers."""
    if sys.platform != "linux":
        raise SkipError("on Linux only")
    program, address = _server()
    with socket.socket(socket.AF_UNIX) as client:
        try:
            client.connect(str(address))
        except OSError as error:
            raise CheckError(
                f"{program} does not answer at {address}: {error.strerror}", _restart_command()
            ) from error
    return f"{_version(program)} at {address}"


def permission(_: Subject) -> str:
    """Check that the user may open the sound cards."""
    if sys.platform != "linux":
        raise SkipError("on Linux only")
    import grp

    nodes = sorted(DEVICE_NODES.glob("pcmC*c"))
    if not nodes:
        raise SkipError(f"no sound card can record: there is no capture device in {DEVICE_NODES}")
    closed = next((node for node in nodes if not os.access(node, os.R_OK | os.W_OK)), None)
    if closed is None:
        return f"you may open {', '.join(map(str, nodes))}"
    user, number = getpass.getuser(), closed.stat().st_gid
    try:
        group = grp.getgrgid(number)
    except KeyError as error:  # in a container, files can belong to a group without a name
        raise CheckError(f"{user} may not open {closed}", f"docker run --group-add {number}") from error
    if user in group.gr_mem:
        raise CheckError(
            f"{user} joined the group {group.gr_name} after logging in", f"newgrp {group.gr_name}"
        )
    raise CheckError(
        f"{user} may not open {closed}", f"sudo usermod -aG {group.gr_name} {user}; log in again"
    )


def device(subject: Subject) -> str:
    """Check that the microphone can be opened."""
    try:
        microphone = _open(subject)
    except AbsentError as error:
        raise CheckError(str(error), _search_command()) from error
    except BusyError as error:
        if unit := _recording_service():
            return unit.found
        raise CheckError(str(error), LIST_COMMAND) from error
    except KwsdError as error:
        raise CheckError(str(error), "kwsd devices") from error
    microphone.stop()
    microphone.close()
    return microphone.description


def level(subject: Subject) -> str:
    """Check the level of two seconds of audio."""
    import numpy as np

    from kwsd.pcm import HIGHEST, SAMPLE_RATE

    recording = np.empty(0, np.float32)
    try:
        microphone = _open(subject)
    except BusyError as error:
        if unit := _recording_service():
            raise SkipError(unit.found, unit.stop) from error
        raise CheckError(str(error), LIST_COMMAND) from error
    except AudioError as error:
        raise CheckError(str(error), _users_command()) from error
    alarm = threading.Timer(AUDIO_TIMEOUT, microphone.stop)
    alarm.start()
    try:
        for samples in microphone:
            recording = np.concatenate((recording, samples))
            if len(recording) >= LEVEL_SECONDS * SAMPLE_RATE:
                break
    except AudioError as error:
        raise CheckError(str(error), "kwsd doctor") from error
    finally:
        alarm.cancel()
        microphone.stop()
        microphone.close()
    if not len(recording):
        raise CheckError(f"no audio arrived in {AUDIO_TIMEOUT:g} s", _users_command())
    loudness = np.abs(recording)
    if microphone.muted:
        raise CheckError("muted", microphone.muted)
    if not loudness.any():
        raise CheckError("digital silence: muted, or the wrong microphone", _mixer_command("mute", "0"))
    peak = 20 * float(np.log10(loudness.max()))
    if np.mean(loudness >= HIGHEST) > MAX_CLIPPED:
        raise CheckError("clipped: the gain is too high", _mixer_command("volume", "50%"))
    if peak < MIN_PEAK:
        raise CheckError(
            f"peak {peak:.0f} dB: the gain is too low, or nobody spoke", _mixer_command("volume", "100%")
        )
    return f"peak {peak:.0f} dB, mean {10 * float(np.log10(np.mean(recording**2))):.0f} dB"


def model(subject: Subject) -> str:
    """Check that the model files can be read, and that their words differ."""
    from kwsd.runtime.detector import check_different
    from kwsd.runtime.modelfile import read_models

    try:
        models = read_models(subject.words)
        check_different(models)
    except ModelError as error:
        raise CheckError(str(error), "kwsd doctor --model student") from error
    except UsageError as error:
        raise CheckError(str(error), f"kwsd doctor {shlex.quote(subject.words[0])}") from error
    return ", ".join(f"{one.name} listens for {one.keyword!r}" for one in models)


def speed(subject: Subject) -> str:
    """Check that the processor is fast enough for the models together."""
    import numpy as np

    from kwsd.pcm import SAMPLE_RATE
    from kwsd.runtime.detector import Detector

    # settings as in benchmarks/detector.py: no trigger resets the engine, and the second stage never runs
    detector = Detector.load(subject.words, threshold=1, candidate_threshold=1)
    shape = (SPEED_SECONDS, 10, SAMPLE_RATE // 10)  # ten chunks per second
    chunks = np.random.default_rng(0).normal(0, 0.1, shape).astype(np.float32)
    costs = []
    for second in chunks:
        start = time.process_time()
        for chunk in second:
            detector.feed(chunk)
        costs.append(time.process_time() - start)
    cost = min(costs[1:])
    found = f"{1000 * cost:.2f} ms of CPU per second of audio: {cost:.2%} of a core"
    if cost > MAX_CPU:
        step = max(spotter.settings.step for spotter in detector.spotters)
        raise CheckError(found, f"kwsd listen --step {2 * step}")
    return found


def service(_: Subject) -> str:
    """Check the systemd service of the user or, if there is none, of the machine."""
    if sys.platform != "linux":
        raise SkipError("on Linux only")
    from kwsd.daemon.systemd.service import network_is_allowed

    for scope in ("--user", "--system"):
        facts = _unit(scope, NAME)
        if facts.get("LoadState") != "loaded":
            continue
        state, restarts = facts["ActiveState"], facts["NRestarts"]
        if state == "active":
            network = (
                "hooks have network access" if network_is_allowed(facts) else "hooks have no network access"
            )
            return f"active, {restarts} restarts, {network}; {facts['StatusText'] or 'no status'}"
        if state == "inactive":
            raise CheckError(f"{NAME} is stopped", f"systemctl {scope} start {NAME}")
        raise CheckError(
            f"the state of {NAME} is {state!r}, after {restarts} restarts", f"journalctl {scope} -e -u {NAME}"
        )
    raise SkipError("not installed", "kwsd service install")


# in this order, each with the check that must pass first
CHECKS = {
    versions: None,
    library: None,
    server: None,
    permission: None,
    device: "library",
    level: "device",
    model: None,
    speed: "model",
    service: None,
}


def _open(subject: Subject) -> "Microphone":
    """Open the microphone. Raises AudioError or UsageError, and CheckError if the audio system hangs."""
    from kwsd.audio.microphone import opener
    from kwsd.audio.reconnecting import OPEN_TIMEOUT, OpenAttempt

    audio = opener(subject.device)
    attempt = OpenAttempt(audio.open)
    if not attempt.wait(OPEN_TIMEOUT):
        audio.abandon()
        raise CheckError(f"the audio system has not answered for {OPEN_TIMEOUT:.0f} s", _restart_command())
    return attempt.result()


@dataclass(frozen=True)
class _Service:
    found: str
    stop: str  # the command that stops it


def _recording_service() -> _Service | None:
    """kwsd's own service if it uses the microphone, else None."""
    with suppress(SkipError):
        for scope in ("--user", "--system"):
            facts = _unit(scope, NAME)
            pid = facts.get("MainPID", "0")
            if pid != "0" and int(pid) in {holder.pid for holder in holders()}:
                return _Service(f"in use by kwsd's own service (pid {pid})", f"systemctl {scope} stop {NAME}")
    return None


def _server() -> tuple[str, Path]:
    """Name and socket of the sound server. Raises CheckError if it is missing, SkipError if not needed."""
    if sys.platform != "linux":
        raise SkipError("on Linux only")
    if given := os.environ.get("PULSE_SERVER", "").removeprefix("unix:"):
        if given.startswith("/"):
            return "PulseAudio", Path(given)
        raise SkipError(f"PULSE_SERVER names {given}")
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    folder = Path(runtime or f"/run/user/{os.getuid()}")
    try:
        for program, path in (("PipeWire", "pipewire-0"), ("PulseAudio", "pulse/native")):
            if (folder / path).is_socket():
                if runtime is None:
                    raise CheckError("XDG_RUNTIME_DIR is not set", f"export XDG_RUNTIME_DIR={folder}")
                return program, folder / path
    except PermissionError as error:
        owner = folder.owner()
        command = f"sudo -u {owner} XDG_RUNTIME_DIR={folder} kwsd doctor"
        raise CheckError(f"{folder} belongs to {owner}", command) from error
    if any(DEVICE_NODES.glob("pcmC*c")):
        raise SkipError("neither PipeWire nor PulseAudio is running: kwsd uses ALSA directly")
    if not folder.is_dir():
        raise CheckError(f"{folder} does not exist", f"sudo loginctl enable-linger {getpass.getuser()}")
    raise CheckError(
        f"neither PipeWire nor PulseAudio has a socket in {folder}",
        "systemctl --user start pipewire pipewire-pulse wireplumber",
    )


def _version(program: str) -> str:
    """Name and version of the sound server, or `program` if it does not understand PulseAudio's protocol.

    Raises CheckError if it does not answer.
    """
    from kwsd.audio.pulse.server import NoAnswerError, Server

    try:
        server = Server()
        try:
            return server.state().program
        finally:
            server.close()
    except NoAnswerError as error:
        raise CheckError(str(error), _restart_command()) from error
    except AudioError:
        return program


def _restart_command() -> str:
    """The command that restarts the sound server."""
    try:
        program, _ = _server()
    except CheckError:
        return "kwsd devices"
    return f"systemctl --user restart {'pipewire pipewire-pulse' if program == 'PipeWire' else 'pulseaudio'}"


def _search_command() -> str:
    """The command to run if there is no microphone."""
    from kwsd.audio.pulse.libpulse import is_installed

    try:
        program, address = _server()
    except CheckError:
        return "arecord -l" if sys.platform == "linux" else "kwsd devices"
    if not is_installed():
        return "sudo apt install libpulse0"
    if program == "PipeWire" and not address.with_name("pulse").is_dir():
        return "sudo apt install pipewire-pulse"
    return "pactl list short sources"


def _users_command() -> str:
    """The command that shows which program or setting blocks the microphone."""
    return SETTINGS[sys.platform]["mute"] if sys.platform in SETTINGS else LIST_COMMAND


def _mixer_command(what: str, value: str) -> str:
    """The command that sets the microphone's volume or mute, or that opens the settings of the system."""
    if sys.platform in SETTINGS:
        return SETTINGS[sys.platform][what]
    try:
        _server()
    except CheckError:
        return "alsamixer"
    return f"pactl set-source-{what} @DEFAULT_SOURCE@ {value}"


def _unit(scope: str, name: str) -> dict[str, str]:
    """Properties of a systemd unit; empty if systemd is not running. Raises SkipError without systemctl."""
    properties = "LoadState,ActiveState,NRestarts,StatusText,MainPID,RestrictAddressFamilies,PrivateNetwork"
    line = ["systemctl", scope, "show", name, f"--property={properties}"]
    try:
        done = subprocess.run(line, capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        raise SkipError("systemd is not installed") from error
    return dict(fact.split("=", 1) for fact in done.stdout.splitlines() if "=" in fact)
