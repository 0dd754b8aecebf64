"""The same as in test_listen_server.py with PipeWire for a sound server, which goes other ways about it."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from harness import LOUD, Daemon, FakeMicrophone, FakePipeWire, Spoken, wait_for

pytestmark = pytest.mark.microphone

PROGRAMS = ("dbus-run-session", "pipewire", "pw-cli", "wireplumber", "pipewire-pulse", "pactl", "paplay")


@pytest.fixture
def pipewire(tmp_path: Path) -> Iterator[FakePipeWire]:
    for program in PROGRAMS:
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed")
    folder = tmp_path / "pipewire"
    folder.mkdir()
    fake = FakePipeWire(folder)
    yield fake
    fake.close()


@pytest.fixture
def running(pipewire: FakePipeWire, tmp_path: Path) -> Iterator[Daemon]:
    daemon = Daemon(tmp_path, pipewire.environment, "--model", str(LOUD))
    daemon.wait_for_notification("READY=1")
    yield daemon
    daemon.close()


def test_a_monitor_does_not_take_the_microphones_place(
    running: Daemon, pipewire: FakePipeWire, loud: Spoken
) -> None:
    pipewire.add_loudspeaker()
    pipewire.unplug()
    running.wait_for_notification("STATUS=waiting for microphone default")
    running.wait_for_line("no more audio from the microphone 'default': was it unplugged? waiting for it")
    pipewire.play(loud.path, sink="tv")
    pipewire.plug()
    running.wait_for_notification("STATUS=default: 0 triggers")
    pipewire.play(loud.path)
    running.event()
    assert running.stop()[0] == 0
    assert running.rest() == []


def test_the_default_is_followed_to_another_microphone(
    running: Daemon, pipewire: FakePipeWire, loud: Spoken
) -> None:
    pipewire.add("desk")
    wait_for("desk", lambda: pipewire.control("set-default-source", "desk"))
    running.wait_for_line("kwsd: the default microphone is now 'desk'")
    pipewire.play(loud.path, sink="desk.speaker")
    running.event()
    assert running.stop()[0] == 0


def test_a_server_that_stops_answering_stops_nothing_else(
    running: Daemon, pipewire: FakePipeWire, loud: Spoken
) -> None:
    pipewire.freeze()
    running.wait_for_line("the sound server does not answer; ")
    pipewire.thaw()
    running.wait_for_line("reconnected to")
    pipewire.play(loud.path)
    running.event()
    pipewire.freeze()
    assert running.stop()[0] == 0


def test_pipewire_may_take_the_place_of_pulseaudio(
    daemon: Callable[..., Daemon], own_microphone: FakeMicrophone, pipewire: FakePipeWire, loud: Spoken
) -> None:
    running = daemon()
    running.wait_for_notification("READY=1")
    own_microphone.close()
    running.wait_for_notification("STATUS=waiting for microphone default")
    pipewire.close()
    pipewire.environment = own_microphone.environment
    pipewire.start()
    running.wait_for_notification("STATUS=default: 0 triggers")
    pipewire.play(loud.path)
    running.event()
    assert running.stop()[0] == 0
