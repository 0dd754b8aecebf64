"""The microphone unplugged and plugged in, the sound server killed and restarted, while kwsd listens."""

from collections.abc import Callable
from pathlib import Path

import pytest
from harness import Daemon, FakeMicrophone, Spoken, set_constants, wait_for

pytestmark = pytest.mark.microphone

Listen = Callable[..., Daemon]


def lines(error: str) -> list[str]:
    """What kwsd said, without PortAudio's own complaints."""
    return [line for line in error.splitlines() if line.startswith("kwsd: ")]


def test_an_unplugged_microphone_comes_back(
    daemon: Listen,
    own_microphone: FakeMicrophone,
    loud: Spoken,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(own_microphone.environment, "WATCHDOG_USEC", "200000")
    running = daemon("--save-clips", str(tmp_path / "clips"), "--clip-seconds", "0.2")
    running.wait_for_notification("READY=1")
    own_microphone.play(loud.path)
    before = running.event()
    own_microphone.unplug()
    running.wait_for_notification("STATUS=waiting for microphone default")
    for _ in range(3):  # it lives and tries: systemd need not restart it
        running.wait_for_notification("WATCHDOG=1")
    own_microphone.plug()
    running.wait_for_notification("STATUS=default: 1 triggers")
    own_microphone.play(loud.path)
    after = running.event()
    code, error = running.stop()
    assert code == 0
    _, _, lost, *_, back = lines(error)
    assert lost == "kwsd: no more audio from the microphone 'default': was it unplugged? waiting for it"
    assert back.startswith("kwsd: reconnected to the microphone 'default' after ")
    gap = float(back.split()[-2])
    assert after["stream_time"] - before["stream_time"] > gap > 0.5
    clips = list((tmp_path / "clips").iterdir())
    assert [clip.stat().st_size for clip in clips] == [44 + 2 * 3_200] * 2


def test_the_sound_server_may_restart_again_and_again(
    daemon: Listen, own_microphone: FakeMicrophone, loud: Spoken
) -> None:
    running = daemon()
    running.wait_for_notification("READY=1")
    proc = Path(f"/proc/{running.process.pid}")

    def held() -> tuple[int, int]:
        return len(list((proc / "fd").iterdir())), len(list((proc / "task").iterdir()))

    holds = []
    for round_ in range(3):
        own_microphone.close()
        running.wait_for_notification("STATUS=waiting for microphone default")
        own_microphone.start()
        running.wait_for_notification(f"STATUS=default: {round_} triggers")
        own_microphone.play(loud.path)
        running.event()
        holds.append(held())
    assert len(set(holds)) == 1, holds
    assert running.stop()[0] == 0


def test_it_may_start_before_the_sound_server(
    daemon: Listen, own_microphone: FakeMicrophone, loud: Spoken
) -> None:
    own_microphone.close()
    running = daemon()
    running.wait_for_notification("STATUS=waiting for microphone default")
    running.wait_for_notification("EXTEND_TIMEOUT_USEC=")
    own_microphone.start()
    running.wait_for_notification("READY=1")
    own_microphone.play(loud.path)
    running.event()
    code, error = running.stop()
    assert code == 0
    assert "no microphone" in lines(error)[0]
    assert lines(error)[0].endswith("; waiting for it")


def test_it_stops_while_it_waits(daemon: Listen, own_microphone: FakeMicrophone) -> None:
    own_microphone.close()
    running = daemon()
    running.wait_for_notification("STATUS=waiting for microphone default")
    assert running.stop()[0] == 0


def test_told_to_it_exits_on_loss(daemon: Listen, own_microphone: FakeMicrophone) -> None:
    running = daemon("--exit-on-loss")
    running.wait_for_notification("READY=1")
    own_microphone.unplug()
    code, error = running.wait()
    assert code == 1
    assert lines(error)[-1] == "kwsd: no more audio from the microphone 'default': was it unplugged?"
    assert "Traceback" not in error


def test_a_mute_microphone_is_told_of(
    daemon: Listen,
    own_microphone: FakeMicrophone,
    loud: Spoken,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    set_constants(tmp_path, {"kwsd.audio.reconnecting.ZEROS_SECONDS": 1.0})
    monkeypatch.setitem(own_microphone.environment, "PYTHONPATH", str(tmp_path))
    running = daemon()

    def told() -> int:
        return (tmp_path / "errors").read_text().count("has delivered only zeros for 1 s")

    wait_for("the warning", lambda: told() == 1)
    own_microphone.play(loud.path)
    running.event()
    wait_for("another, as sound came between", lambda: told() == 2)
    assert running.stop()[0] == 0
    assert told() == 2
