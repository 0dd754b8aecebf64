"""What the sound server does while kwsd listens: moves, suspends, mutes, hangs; and what kwsd makes of it."""

import signal
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from harness import Daemon, FakeMicrophone, Spoken

pytestmark = pytest.mark.microphone

Listen = Callable[..., Daemon]
LOST = "kwsd: no more audio from the microphone 'default': was it unplugged? waiting for it"
UNANSWERED = "kwsd: the sound server does not answer; "


def test_a_monitor_does_not_take_the_microphones_place(
    daemon: Listen, own_microphone: FakeMicrophone, loud: Spoken
) -> None:
    own_microphone.add_loudspeaker()
    running = daemon()
    running.wait_for_notification("READY=1")
    own_microphone.unplug()
    running.wait_for_notification("STATUS=waiting for microphone default")
    running.wait_for_line(LOST)
    own_microphone.play(loud.path, sink="tv")
    own_microphone.plug()
    running.wait_for_notification("STATUS=default: 0 triggers")
    own_microphone.play(loud.path)
    running.event()
    code, error = running.stop()
    assert code == 0
    assert running.rest() == []
    assert "reconnected to the microphone 'default' after " in error


def test_no_microphone_but_a_monitor_is_said(
    daemon: Listen, own_microphone: FakeMicrophone, loud: Spoken
) -> None:
    own_microphone.add_loudspeaker()
    own_microphone.unplug()
    running = daemon()
    running.wait_for_notification("STATUS=waiting for microphone default")
    own_microphone.play(loud.path, sink="tv")
    own_microphone.plug()
    running.wait_for_notification("READY=1")
    own_microphone.play(loud.path)
    running.event()
    code, error = running.stop()
    assert code == 0
    assert "no microphone: the default source is a monitor of a loudspeaker; waiting for it\n" in error
    assert "kwsd: connected to the microphone 'default'\n" in error
    assert running.rest() == []


def test_a_monitor_that_is_named_is_heard(
    daemon: Listen, own_microphone: FakeMicrophone, loud: Spoken
) -> None:
    own_microphone.add_loudspeaker()
    running = daemon("--device", "tv.monitor")
    running.wait_for_notification("READY=1")
    own_microphone.play(loud.path, sink="tv")
    running.event()


@pytest.mark.parametrize("channels", [7, 9, 16, 32])
def test_a_microphone_of_any_number_of_channels_is_heard(
    daemon: Listen, own_microphone: FakeMicrophone, loud: Spoken, channels: int
) -> None:
    sink = ("module-null-sink", "sink_name=many", f"channels={channels}", "norewinds=1")
    assert own_microphone.control("load-module", *sink)
    running = daemon("--device", "many.monitor", "--channel", "1")
    running.wait_for_notification("READY=1")
    own_microphone.play(loud.path, sink="many")
    running.event()


def test_the_default_is_followed_to_another_microphone(
    daemon: Listen, own_microphone: FakeMicrophone, loud: Spoken
) -> None:
    own_microphone.add("desk")
    running = daemon()
    running.wait_for_notification("READY=1")
    assert own_microphone.control("set-default-source", "desk")
    running.wait_for_line("kwsd: the default microphone is now 'desk'")
    own_microphone.play(loud.path, sink="desk.speaker")
    running.event()
    code, error = running.stop()
    assert code == 0
    assert "waiting" not in error


def test_a_microphone_that_is_named_is_stayed_with_and_waited_for(
    daemon: Listen, own_microphone: FakeMicrophone, loud: Spoken
) -> None:
    own_microphone.add("desk")
    running = daemon("--device", "MIC")
    running.wait_for_notification("READY=1")
    assert own_microphone.control("set-default-source", "desk")
    own_microphone.unplug()
    running.wait_for_notification("STATUS=waiting for microphone ")
    own_microphone.play(loud.path, sink="desk.speaker")
    own_microphone.plug()
    assert own_microphone.control("set-default-source", "desk")
    running.wait_for_line("reconnected to")
    own_microphone.play(loud.path)
    running.event()
    assert running.stop()[0] == 0
    assert running.rest() == []


def test_a_suspended_microphone_is_said_and_heard_again(
    daemon: Listen, own_microphone: FakeMicrophone, loud: Spoken
) -> None:
    running = daemon()
    running.wait_for_notification("READY=1")
    assert own_microphone.control("suspend-source", "mic", "1")
    running.wait_for_notification("STATUS=the microphone 'default' is suspended")
    assert own_microphone.control("suspend-source", "mic", "0")
    running.wait_for_notification("STATUS=default: 0 triggers, 0 overruns")
    own_microphone.play(loud.path)
    running.event()
    code, error = running.stop()
    assert code == 0
    assert error.count("kwsd: the microphone 'default' is suspended; waiting for it\n") == 1
    assert "audio was lost" not in error


def test_a_muted_microphone_is_said_with_the_way_out(daemon: Listen, own_microphone: FakeMicrophone) -> None:
    running = daemon()
    running.wait_for_notification("READY=1")
    assert own_microphone.control("set-source-mute", "mic", "1")
    running.wait_for_line("kwsd: the microphone 'default' is muted: pactl set-source-mute mic 0")
    assert own_microphone.control("set-source-mute", "mic", "0")
    running.wait_for_line("kwsd: the microphone 'default' is no longer muted")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_server_that_stops_answering_stops_nothing_else(
    daemon: Listen, own_microphone: FakeMicrophone, loud: Spoken, number: signal.Signals
) -> None:
    running = daemon()
    running.wait_for_notification("READY=1")
    own_microphone.freeze()
    running.wait_for_line(UNANSWERED)
    own_microphone.thaw()
    running.wait_for_line("reconnected to")
    own_microphone.play(loud.path)
    running.event()
    own_microphone.freeze()
    running.process.send_signal(number)
    assert running.wait()[0] == 0


def test_a_server_that_stops_answering_while_the_microphone_is_away(
    daemon: Listen, own_microphone: FakeMicrophone
) -> None:
    running = daemon()
    running.wait_for_notification("READY=1")
    own_microphone.unplug()
    running.wait_for_notification("STATUS=waiting for microphone default")
    own_microphone.freeze()
    running.wait_for_line(UNANSWERED)
    assert running.stop()[0] == 0


def test_it_may_start_while_the_server_does_not_answer(
    daemon: Listen, own_microphone: FakeMicrophone, loud: Spoken
) -> None:
    own_microphone.freeze()
    running = daemon()
    running.wait_for_line(UNANSWERED)
    own_microphone.thaw()
    running.wait_for_notification("READY=1")
    own_microphone.play(loud.path)
    running.event()
    assert running.stop()[0] == 0


def test_one_channel_may_be_chosen(
    daemon: Listen, own_microphone: FakeMicrophone, loud: Spoken, tmp_path: Path
) -> None:
    path = tmp_path / "right.wav"
    soundfile.write(path, np.stack((0 * loud.samples, loud.samples), axis=1), 16_000)
    running = daemon("--channel", "2")
    running.wait_for_notification("READY=1")
    own_microphone.play(path)
    running.event()
    assert running.stop()[0] == 0


def test_alsas_way_to_the_server_stays_open(
    daemon: Listen, own_microphone: FakeMicrophone, loud: Spoken
) -> None:
    running = daemon("--device", "default")
    running.wait_for_notification("READY=1")
    own_microphone.play(loud.path)
    running.event()
    assert running.stop()[0] == 0
