"""The installed commands on sound cards, without a sound server: what a card does while kwsd listens."""

import json
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from fake_card import FakeCards
from harness import KWSD, LOUD, Daemon, wait_for

Listen = Callable[..., Daemon]


@pytest.fixture
def burst(tmp_path: Path) -> Path:
    """Half a second of noise in every two, at 48 kHz: the keyword of the model whose keyword is loudness."""
    path = tmp_path / "burst.raw"
    noise = 0.2 * 32_768 * np.random.default_rng(0).standard_normal(24_000)
    np.concatenate((np.zeros(48_000), noise.clip(-32_768, 32_767), np.zeros(24_000))).astype("<i2").tofile(
        path
    )
    return path


@pytest.fixture
def daemon(fake_cards: FakeCards, tmp_path: Path) -> Iterator[Listen]:
    started = []

    def start(*options: str) -> Daemon:
        daemon = Daemon(tmp_path, fake_cards.environment, "--model", str(LOUD), *options)
        started.append(daemon)
        return daemon

    yield start
    for one in started:
        one.close()


def errors(tmp_path: Path) -> str:
    return (tmp_path / "errors").read_text()


def run(cards: FakeCards, *command: str) -> subprocess.CompletedProcess[str]:
    wide = cards.environment | {"COLUMNS": "200"}
    return subprocess.run([KWSD, *command], env=wide, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("hot", [0, 1])
def test_the_word_is_heard_on_either_channel(
    daemon: Listen, fake_cards: FakeCards, burst: Path, hot: int
) -> None:
    fake_cards.add("usbmic", burst, format="S32_LE", channels=2, hot=hot)
    assert daemon("--device", "usbmic").event()["keyword"] == "loud"


def test_a_chosen_channel_alone_is_heard(daemon: Listen, fake_cards: FakeCards, burst: Path) -> None:
    fake_cards.add("usbmic", burst, channels=2, hot=1)
    assert daemon("--device", "usbmic", "--channel", "2").event()["keyword"] == "loud"
    done = run(fake_cards, "listen", "--device", "usbmic", "--channel", "3")
    assert (done.returncode, done.stderr) == (
        2,
        "kwsd: 'usbmic' has no channel 3: it has 2 channels, counted from 1\n",
    )


def test_a_busy_card_is_called_busy_everywhere(
    daemon: Listen, fake_cards: FakeCards, burst: Path, tmp_path: Path
) -> None:
    fake_cards.add("usbmic", burst)
    fake_cards.set("usbmic", "busy")
    busy = "the microphone 'usbmic' is in use by another program (fuser -v /dev/snd/* shows it)"
    assert busy in run(fake_cards, "devices").stdout
    found = {one["check"]: one for one in json.loads(run(fake_cards, "doctor", "--json").stdout)}
    assert [found["device"][field] for field in ("status", "found", "fix")] == [
        "fail",
        busy,
        "fuser -v /dev/snd/*",
    ]
    running = daemon()
    wait_for("the line", lambda: f"kwsd: {busy}; waiting for it" in errors(tmp_path))
    fake_cards.clear("usbmic", "busy")
    assert running.event()["keyword"] == "loud"
    assert "kwsd: connected to the microphone 'usbmic'" in errors(tmp_path)


def test_a_card_may_go_and_come_again_and_again(
    daemon: Listen, fake_cards: FakeCards, burst: Path, tmp_path: Path
) -> None:
    fake_cards.add("usbmic", burst, channels=2)
    running = daemon("--device", "usbmic")
    for count in (1, 2):
        running.wait_for_notification("STATUS=usbmic: ")
        fake_cards.set("usbmic", "unplugged")
        fake_cards.set("usbmic", "gone")
        running.wait_for_notification("STATUS=waiting for microphone usbmic")
        fake_cards.clear("usbmic", "gone")
        fake_cards.clear("usbmic", "unplugged")
        wait_for("its return", lambda count=count: errors(tmp_path).count("reconnected to") == count)
    code, error = running.stop()
    assert code == 0
    assert [line for line in error.splitlines() if not line.startswith("kwsd: ")] == []
    assert error.count("no more audio from the microphone 'usbmic': was it unplugged? waiting for it") == 2


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_an_audio_system_that_hangs_does_not_hold_the_way_out(
    daemon: Listen, fake_cards: FakeCards, burst: Path, tmp_path: Path, number: signal.Signals
) -> None:
    fake_cards.add("usbmic", burst)
    fake_cards.set("usbmic", "hang")
    running = daemon("--device", "usbmic")
    wait_for("the line", lambda: "the audio system has not answered for 5 s" in errors(tmp_path))
    running.process.send_signal(number)
    assert running.process.wait(5) == 0
    fake_cards.clear("usbmic", "hang")


@pytest.mark.parametrize("how", ["hang", "hang_close"])
def test_an_audio_system_that_hangs_for_a_while_is_waited_for(
    daemon: Listen, fake_cards: FakeCards, burst: Path, tmp_path: Path, how: str
) -> None:
    fake_cards.add("usbmic", burst)
    running = daemon("--device", "usbmic")
    running.event()
    fake_cards.set("usbmic", how)
    fake_cards.set("usbmic", "gone")
    wait_for("the loss", lambda: "no more audio" in errors(tmp_path))
    fake_cards.clear("usbmic", "gone")
    wait_for("the line", lambda: "the audio system has not answered for 5 s" in errors(tmp_path))
    fake_cards.clear("usbmic", how)
    wait_for("its return", lambda: "reconnected to" in errors(tmp_path))
    running.event()
    running.process.terminate()
    assert running.process.wait(5) == 0


def test_a_configuration_of_alsa_that_cannot_be_read_is_one_line(fake_cards: FakeCards) -> None:
    path = Path(fake_cards.environment["HOME"]) / ".asoundrc"
    path.write_text('pcm.!default {\n type plug\n slave.pcm "hw:1,0"\n')
    says = f"ALSA cannot read its configuration: Invalid argument: check {path}"
    for command in (["listen", "--model", str(LOUD), "--exit-on-loss"], ["devices"]):
        done = run(fake_cards, *command)
        assert (done.returncode, done.stderr) == (1, f"kwsd: {says}\n")
    done = run(fake_cards, "doctor", "--json")
    found = {one["check"]: one for one in json.loads(done.stdout)}
    assert (done.returncode, done.stderr) == (1, "")
    assert [found[check]["status"] for check in ("library", "device", "level")] == ["fail", "skip", "skip"]
    assert found["library"]["found"] == says


def test_doctor_passes_a_card_that_works(fake_cards: FakeCards, burst: Path) -> None:
    fake_cards.add("usbmic", burst, channels=2, format="S24_LE")
    found = {one["check"]: one for one in json.loads(run(fake_cards, "doctor", "--json").stdout)}
    assert [found[check]["status"] for check in ("library", "device", "level")] == ["pass"] * 3
    assert found["device"]["found"] == "usbmic (ALSA), 48000 Hz, 2 channels"
    assert os.uname().release in found["versions"]["found"]
