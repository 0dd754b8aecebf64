"""How long after a word's end `kwsd listen` prints its trigger, with a microphone and by the clock.

python benchmarks/delay.py data/speech_commands_v0.01 [--model happy] [--count 40] [LISTEN OPTIONS...]

The words are of dev-test speakers, on whom no model was trained. A second program records the microphone
10 ms at a time, which tells when the end of each word reached it. Needs pulseaudio and pulseaudio-utils.
"""

import argparse
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import numpy.typing as npt

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from harness import Daemon, FakeMicrophone, speak  # noqa: E402

from kwsd.pcm import SAMPLE_RATE, to_float32  # noqa: E402
from kwsd.runtime.modelfile import find_model, read_model  # noqa: E402
from kwsd.training.augment.words import word_end  # noqa: E402
from kwsd.training.data.speech_commands import read_audio, read_tree  # noqa: E402

BLOCK_BYTES = 320  # 10 ms
RECORD = ["parec", "--device=mic", "--rate=16000", "--channels=1", "--format=s16le", "--latency-msec=10"]
SEARCHED_SAMPLES = 10 * SAMPLE_RATE  # from one clip on, for the next one
EARLIEST, LATEST = -0.5, 1.2  # seconds from a word's end to its trigger


class TimedDaemon(Daemon):
    """A running `kwsd listen` that notes when each line arrives on its standard output."""

    def _read(self) -> None:
        self.lines: list[float] = []  # on the monotonic clock
        assert self.process.stdout
        for _ in self.process.stdout:
            self.lines.append(time.monotonic())


class Recorder:
    """Records the microphone until `stop`, and notes when each sample arrives."""

    def __init__(self, environment: dict[str, str]) -> None:
        self._process = subprocess.Popen(RECORD, env=environment, stdout=subprocess.PIPE, bufsize=0)
        self._recorded = b""
        self._arrivals: list[tuple[int, float]] = []  # bytes so far, and when: on the monotonic clock
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def _read(self) -> None:
        assert self._process.stdout
        blocks, total = [], 0
        while block := self._process.stdout.read(BLOCK_BYTES):
            blocks.append(block)
            total += len(block)
            self._arrivals.append((total, time.monotonic()))
        self._recorded = b"".join(blocks)

    def stop(self) -> npt.NDArray[np.int16]:
        """What was recorded."""
        self._process.terminate()
        self._process.wait()
        self._thread.join()
        return np.frombuffer(self._recorded[: len(self._recorded) // 2 * 2], np.int16)

    def arrival(self, sample: int) -> float:
        """When a sample arrived."""
        return next(when for total, when in self._arrivals if total >= 2 * (sample + 1))


def start_of(played: npt.NDArray[np.int16], recorded: npt.NDArray[np.int16]) -> int:
    """The sample of the recording at which what was played begins: where both correlate most."""
    length = len(recorded) + len(played)
    spectrum = np.fft.rfft(recorded, length) * np.fft.rfft(played, length).conj()
    return int(np.fft.irfft(spectrum, length).argmax())


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("--model", default="happy")
    parser.add_argument("--count", type=int, default=40)
    arguments, options = parser.parse_known_args()
    keyword = read_model(find_model(arguments.model)).keyword
    words = (clip for clip in read_tree(arguments.data, keyword) if clip.word == keyword)
    clips = [read_audio(word.path) for word in words if word.split == "dev-test"][: arguments.count]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        microphone = FakeMicrophone(folder)
        daemon = TimedDaemon(folder, microphone.environment, "--model", arguments.model, *options)
        try:
            daemon.wait_for_notification("READY=1")
            recorder = Recorder(microphone.environment)
            for clip in clips:
                microphone.play(speak(keyword, arguments.model, [to_float32(clip)], folder).path)
            recorded = recorder.stop()
            daemon.stop()
        finally:
            daemon.close()
            microphone.close()
    delays, place = [], 0
    for clip in clips:
        place += start_of(clip, recorded[place : place + SEARCHED_SAMPLES])
        end = recorder.arrival(place + round(SAMPLE_RATE * word_end(clip)))
        delays += [line - end for line in daemon.lines if EARLIEST < line - end < LATEST][:1]
    low, median, high = np.quantile(delays, (0.05, 0.5, 0.95))
    print(f"detected              {len(delays)} of {len(clips)} words")
    print(f"from the end of the word to the line: median {median:.2f} s, 5 to 95 % {low:.2f} to {high:.2f} s")


if __name__ == "__main__":
    main()
