"""ALSA devices that are not there: whatever format, rate and channels a card has, kwsd hears it."""

import itertools
import os
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from fake_card import FakeCards
from harness import wait_for

from kwsd.audio.alsa import cards, holders
from kwsd.audio.alsa import libasound as alsa
from kwsd.audio.alsa.cards import CardOpener, choose, devices
from kwsd.audio.alsa.libasound import Pcm, open_pcm, read_configuration
from kwsd.audio.alsa.microphone import AlsaMicrophone
from kwsd.errors import AbsentError, AudioError, BusyError, UsageError

TONE = 440  # Hz


@pytest.fixture
def tone(tmp_path: Path) -> Path:
    """A second of it at 48 kHz, at half of full scale."""
    path = tmp_path / "tone.raw"
    (16_384 * np.sin(2 * np.pi * TONE * np.arange(48_000) / 48_000)).astype("<i2").tofile(path)
    return path


def heard(microphone: AlsaMicrophone, seconds: float = 0.3) -> np.ndarray:
    """The first so many seconds that a microphone gives; it is closed then."""
    with microphone:
        chunks = []
        for chunk in microphone:
            chunks.append(chunk)
            if sum(map(len, chunks)) >= seconds * 16_000:
                break
    return np.concatenate(chunks)


def opened(name: str | None = None, channel: int | None = None, latency: float = 0.05) -> AlsaMicrophone:
    return CardOpener(name, channel, latency).open()


def device_of(opener: CardOpener) -> str:
    """ALSA name of what it opens."""
    with opener.open() as microphone:
        return microphone.name


@pytest.mark.parametrize("sample_format", ["U8", "S16_LE", "S24_LE", "S24_3LE", "S32_LE", "FLOAT_LE"])
def test_every_sample_format_is_heard(fake_cards: FakeCards, tone: Path, sample_format: str) -> None:
    fake_cards.add("card", tone, format=sample_format)
    samples = heard(opened("card"))[2_000:]
    assert np.abs(samples).max() == pytest.approx(0.5, abs=0.02)
    spectrum = np.abs(np.fft.rfft(samples))
    assert spectrum.argmax() == pytest.approx(TONE * len(samples) / 16_000, abs=1.5)


@pytest.mark.parametrize("rate", [8_000, 11_025, 16_000, 22_050, 32_000, 44_100, 48_000, 96_000, 192_000])
def test_every_rate_is_heard(fake_cards: FakeCards, tone: Path, rate: int) -> None:
    fake_cards.add("card", tone, rate=rate)
    samples = heard(opened("card"))[2_000:]
    spectrum = np.abs(np.fft.rfft(samples))
    frequency = TONE * rate / 48_000  # of the same samples at another rate
    assert spectrum.argmax() == pytest.approx(frequency * len(samples) / 16_000, abs=1.5)


@pytest.mark.parametrize("channels", [1, 2, 4, 6, 8, 32])
def test_the_last_channel_is_heard_too(fake_cards: FakeCards, tone: Path, channels: int) -> None:
    fake_cards.add("card", tone, channels=channels, hot=channels - 1, format="S32_LE")
    mean, last = heard(opened("card")), heard(opened("card", channels))
    assert np.abs(mean).max() > 0.4 / channels
    assert np.abs(last).max() > 0.4
    if channels > 1:
        assert np.abs(heard(opened("card", 1))).max() == 0
    with pytest.raises(UsageError, match=f"'card' has no channel {channels + 1}"):
        opened("card", channels + 1)


def test_what_mixes_any_number_of_channels_gives_one_or_the_channel_wanted(
    fake_cards: FakeCards, tone: Path
) -> None:
    fake_cards.add("server", tone, channels=1, most_channels=32)
    for channel, channels in ((None, "1 channel"), (3, "3 channels")):
        with opened("server", channel) as microphone:
            assert microphone.description == f"server (ALSA), 48000 Hz, {channels}"


def test_a_plugin_before_a_card_is_opened_with_the_cards_channels(
    fake_cards: FakeCards, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_cards.add("card", channels=4)
    fake_cards.add("shared", channels=2)
    fake_cards.write('pcm.plugged { type plug slave.pcm "card" }\n')
    monkeypatch.setattr(Pcm, "card", "card")  # behind every plugin here
    for name, channels in (("plugged", 4), ("shared", 2)):  # the second has its own, whatever the card has
        with open_pcm(name, 0.1) as pcm:
            assert pcm.channels == channels
    monkeypatch.setattr(Pcm, "card", "nosuch")  # it cannot be asked: in use through a plugin that shares it
    with open_pcm("plugged", 0.1) as pcm:
        assert pcm.channels == 1


def test_a_card_with_any_number_of_channels_is_opened_with_eight(
    fake_cards: FakeCards, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Pcm, "is_card", True)
    for least, most, opened_with in ((1, 2, 2), (1, 32, 8), (10, 32, 10), (32, 32, 32)):
        fake_cards.add(f"card{most}_{least}", channels=least, most_channels=most)
        read_configuration()
        with open_pcm(f"card{most}_{least}", 0.1) as pcm:
            assert pcm.channels == opened_with


@pytest.mark.parametrize("name", ["card", "plug:card", "plug:SLAVE='card'", "both", "mapped:0", "default"])
def test_every_name_that_alsa_opens_is_a_device(fake_cards: FakeCards, tone: Path, name: str) -> None:
    fake_cards.add("card", tone, channels=2, format="S24_3LE")
    fake_cards.write('pcm.!default "card"\npcm.both { type plug slave.pcm "card" }\n')
    fake_cards.write('pcm.mapped { @args [ N ] @args.N { type integer } type plug slave.pcm "card" }\n')
    assert np.abs(heard(opened(name))).max() > 0.2


@pytest.mark.parametrize("name", ["hw:7,0", "plughw:CARD=Device,DEV=0", "sysdefault:CARD=Device", "dsnoop:7"])
@pytest.mark.usefixtures("fake_cards")
def test_a_card_that_is_not_there_is_waited_for(name: str) -> None:
    with pytest.raises(AbsentError, match=f"the microphone '{name}' is not connected"):
        opened(name)


def test_a_name_is_chosen_by_index_or_part_and_nothing_else_is_guessed(
    fake_cards: FakeCards, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cards, "cards", lambda: [("usb_a", "USB PnP Sound Device"), ("usb_b", "USB Camera")])
    for name in ("usb_a", "usb_b", "mine"):
        fake_cards.add(name)
    assert [device.name for device in devices()] == ["usb_a", "usb_b", "usb_a", "usb_b", "mine"]
    monkeypatch.setattr(cards, "configured_names", lambda: ["hw", "mine"])
    assert (choose("1"), choose("pnp"), choose("CAMERA"), choose("mine"), choose("hw:1,0")) == (
        *("usb_b", "usb_a", "usb_b"),
        *("mine", "hw:1,0"),
    )
    says = r"several microphones match --device 'usb'; available: 'usb_a' \(USB"
    with pytest.raises(UsageError, match=says):
        choose("usb")
    for wanted in ("nosuch", "9", "hhw:1,0"):
        says = f"no microphone matches --device '{wanted}'; available: 'usb_a'"
        with pytest.raises(UsageError, match=says):
            choose(wanted)


def test_without_a_default_the_first_device_is_opened(fake_cards: FakeCards) -> None:
    with pytest.raises(AbsentError, match="no microphone was found"):
        opened()
    fake_cards.add("card")
    assert device_of(CardOpener(None, None, 0.05)) == "card"
    fake_cards.add("other")
    fake_cards.write('pcm.!default "other"\n')
    assert device_of(CardOpener(None, None, 0.05)) == "default"


def test_the_device_opened_first_is_opened_again(fake_cards: FakeCards) -> None:
    fake_cards.add("card")
    opener = CardOpener(None, None, 0.05)
    assert (opener.name, device_of(opener), opener.name) == ("default", "card", "card")
    fake_cards.add("other")
    fake_cards.write('pcm.!default "other"\n')
    assert device_of(opener) == "card"
    fake_cards.set("card", "unplugged")
    with pytest.raises(AbsentError, match="'card' is not connected"):
        opener.open()


def test_a_busy_device_is_called_busy(
    fake_cards: FakeCards, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(holders, "PROC", tmp_path / "proc")
    fake_cards.add("card")
    fake_cards.set("card", "busy")
    for name in ("card", None):
        with pytest.raises(BusyError, match=r"'card' is in use by another program \(fuser -v /dev/snd/\*"):
            opened(name)
    hold(tmp_path / "proc", card=1, pid=4_321, command="arecord")
    with pytest.raises(BusyError, match=r"'card' is in use by arecord \(pid 4321\)$"):
        opened("card")
    (device,) = devices()
    assert (device.name, device.rate, "in use by arecord" in device.problem) == ("card", 0, True)


def hold(proc: Path, card: int, pid: int, command: str) -> None:
    """As the kernel tells that a thread of this process has a card."""
    substream = proc / f"asound/card{card}/pcm0c/sub0"
    substream.mkdir(parents=True)
    (substream / "status").write_text(f"state: RUNNING\nowner_pid   : {pid + 1}\ntrigger_time: 1.0\n")
    for number in (pid, pid + 1):
        (proc / f"{number}").mkdir()
        (proc / f"{number}/status").write_text(f"Name:\t{command}\nTgid:\t{pid}\n")
        (proc / f"{number}/comm").write_text(f"{command}\n")


def test_holders_of_a_card_are_told_from_those_of_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(holders, "PROC", tmp_path)
    hold(tmp_path, 1, 100, "arecord")
    hold(tmp_path, 12, 200, "obs")
    files = tmp_path / "300/fd"
    files.mkdir(parents=True)
    (tmp_path / "300/comm").write_text("ffmpeg\n")
    (files / "5").symlink_to("/dev/snd/pcmC1D2c")
    (files / "6").symlink_to("/dev/snd/pcmC2D0p")
    assert list(map(str, holders.holders(1))) == ["arecord (pid 100)", "ffmpeg (pid 300)"]
    assert [holder.pid for holder in holders.holders()] == [100, 200, 300]
    assert holders.holders(2) == []
    hold(tmp_path, 3, os.getpid(), "kwsd")
    assert holders.holders(3) == []


def test_each_loss_of_audio_counts_once(fake_cards: FakeCards, tone: Path) -> None:
    fake_cards.add("card", tone)
    with opened("card", latency=0.02) as microphone:
        chunks = iter(microphone)
        for count in range(3):
            next(chunks)
            assert microphone.overruns == count
            fake_cards.set("card", "overrun")
            wait_for("the loss", lambda: not fake_cards.has("card", "overrun"))
            wait_for("its count", lambda count=count: microphone.overruns > count)
        next(chunks)
        assert (microphone.overruns, microphone.dropped > 0) == (3, True)


def test_a_device_that_goes_is_lost_and_comes_back_as_it_was(fake_cards: FakeCards, tone: Path) -> None:
    fake_cards.add("card", tone, channels=2)
    opener = CardOpener("card", None, 0.02)
    microphone = opener.open()
    before = microphone.description
    chunks = iter(microphone)
    next(chunks)
    fake_cards.set("card", "gone")
    with pytest.raises(AudioError, match="no more audio from the microphone 'card': was it unplugged"):
        list(chunks)
    assert microphone.overruns == 0
    microphone.close()
    fake_cards.set("card", "unplugged")
    for _ in range(3):  # what an absent device answers is no answer
        with pytest.raises(AbsentError):
            opener.open()
    fake_cards.clear("card", "gone")
    fake_cards.clear("card", "unplugged")
    microphone = opener.open()
    assert microphone.description == before
    assert heard(microphone).any()


def test_a_device_that_gives_no_audio_costs_nothing_and_is_lost(
    fake_cards: FakeCards, tone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kwsd.audio.capture.START_TIMEOUT", 1.0)
    fake_cards.add("card", tone)
    fake_cards.set("card", "stall")
    with opened("card", latency=0.1) as microphone:
        before = time.process_time()
        with pytest.raises(AudioError, match="no more audio"):
            list(microphone)
        assert time.process_time() - before < 0.2


def test_a_device_that_does_not_close_is_left_behind(
    fake_cards: FakeCards, tone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kwsd.audio.alsa.microphone.CLOSE_TIMEOUT", 0.1)
    fake_cards.add("card", tone)
    threads = threading.active_count()
    microphone = opened("card", latency=0.02)
    fake_cards.set("card", "hang_close")
    microphone.close()
    assert threading.active_count() == threads + 1
    fake_cards.clear("card", "hang_close")
    assert heard(opened("card")).any()
    wait_for("its end", lambda: threading.active_count() == threads)


def test_it_holds_no_more_after_many_opens_than_after_one(fake_cards: FakeCards, tone: Path) -> None:
    fake_cards.add("card", tone, format="S24_LE", channels=2)
    held = []
    for _ in range(5):
        heard(opened("card", latency=0.02), seconds=0.02)
        held.append((len(list(Path("/proc/self/fd").iterdir())), threading.active_count()))
    descriptors, threads = zip(
        *held, strict=True
    )  # a thread that an earlier test abandoned may end meanwhile
    assert descriptors[-1] <= descriptors[0]
    assert threads[-1] <= threads[0]


def test_a_small_buffer_is_read_more_often(fake_cards: FakeCards, tone: Path) -> None:
    """Where a second of 32 channels at 192 kHz does not fit, the default latency would lose audio."""
    fake_cards.add("card", tone, rate=192_000, channels=32, format="FLOAT_LE")
    read_configuration()
    with open_pcm("card", 0.2) as pcm:
        assert pcm.latency < 0.05


@pytest.mark.parametrize("file", [".asoundrc", ".config/alsa/asoundrc"])
def test_a_configuration_that_cannot_be_read_is_named(
    fake_cards: FakeCards, file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = Path(fake_cards.environment["HOME"])
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / ".config"))
    path = home / file
    path.parent.mkdir(parents=True, exist_ok=True)
    for text in ("pcm.!default {\n type plug\n", "pcm.a { type { }\n"):
        path.write_text(text)
        with pytest.raises(AudioError, match=f"ALSA cannot read its configuration: .*{file}"):
            opened()
        with pytest.raises(AudioError, match=f"ALSA cannot read its configuration: .*{file}"):
            devices()
    path.unlink()
    fake_cards.add("card")
    assert device_of(CardOpener(None, None, 0.05)) == "card"


def test_nothing_of_alsa_reaches_standard_error(
    fake_cards: FakeCards, capfd: pytest.CaptureFixture[str]
) -> None:
    fake_cards.write('pcm.strange { type nosuch }\npcm.loop "loop"\n')
    for name in ("strange", "loop", "hw:9"):
        with pytest.raises(AudioError):
            Pcm(name)
    assert capfd.readouterr().err == ""


def test_the_library_is_named_where_it_is_absent(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(_: str) -> None:
        raise OSError

    monkeypatch.setattr(alsa.ctypes, "CDLL", absent)
    with pytest.raises(AudioError, match="the ALSA library is not installed: sudo apt install alsa-utils"):
        alsa.library.__wrapped__()


def test_shapes(fake_cards: FakeCards) -> None:
    """Cards of every format, rate and channel count together are opened, if not heard."""
    for number, (sample_format, rate, channels) in enumerate(
        itertools.product(("U8", "S24_LE", "FLOAT_LE"), (8_000, 44_100, 192_000), (1, 6, 32))
    ):
        fake_cards.add(f"card{number}", format=sample_format, rate=rate, channels=channels)
        read_configuration()
        with open_pcm(f"card{number}", 0.1) as pcm:
            assert (pcm.rate, pcm.channels) == (rate, channels)
