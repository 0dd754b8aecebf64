"""Recording the word from a microphone that is made up."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from kwsd.audio.source import Chunk, Recorded
from kwsd.errors import AudioError
from kwsd.pcm import SAMPLE_RATE, Int16, Samples, to_float32
from kwsd.training.teaching.record import MOST_FAILURES, PAUSE_SECONDS, TAKE_SECONDS, problem, record_takes

LENGTH = round(TAKE_SECONDS * SAMPLE_RATE)


def take(word: float = 3_000, noise: float = 20, at: float = 1.0) -> Int16:
    """Half a second of a word at this amplitude, in noise."""
    random = np.random.default_rng(0)
    audio = noise * random.standard_normal(LENGTH)
    start = round(at * SAMPLE_RATE)
    stop = min(LENGTH, start + SAMPLE_RATE // 2)
    audio[start:stop] += word * random.standard_normal(stop - start)
    return np.rint(audio).clip(-32_768, 32_767).astype(np.int16)


class Microphone(Recorded):
    """Delivers these takes, each after the pause that follows a prompt; None is a gap in a take."""

    live = True
    name = "made up"

    def __init__(self, *takes: Int16 | None) -> None:
        self._takes = takes

    def __iter__(self) -> Iterator[Chunk]:
        pause = np.zeros(round(PAUSE_SECONDS * SAMPLE_RATE), np.float32)
        for one in self._takes:
            yield Chunk(pause)
            if one is None:
                yield Chunk(pause)
                yield Chunk(pause, gap=1.0)
            else:
                samples: Samples = to_float32(one)
                for start in range(0, len(samples), 4_000):
                    yield Chunk(samples[start : start + 4_000])

    def stop(self) -> None: ...


@pytest.mark.parametrize(
    ("audio", "said"),
    [
        (take(), ""),
        (take(word=60_000), "clipped"),
        (take(word=0), "nothing was heard"),
        (np.zeros(LENGTH, np.int16), "nothing was heard"),
        (take(word=60, noise=2), "too quiet"),
        (take(at=2.2), "cut off"),
    ],
)
def test_what_is_wrong_with_a_recording_is_said(audio: Int16, said: str) -> None:
    assert said in problem(audio)
    assert bool(problem(audio)) == bool(said)


def test_it_asks_again_until_a_recording_is_good(tmp_path: Path) -> None:
    asked = []
    microphone = Microphone(take(word=0), take(), None, take(word=60_000), take(word=2_000))
    paths = record_takes(microphone, tmp_path / "new", 2, lambda *prompt: asked.append(prompt))
    assert [number for number, _ in asked] == [1, 1, 2, 2, 2]
    assert ["nothing was heard" in wrong for _, wrong in asked] == [False, True, False, False, False]
    assert [wrong for _, wrong in asked[2:4]] == ["", "some audio was lost"]
    assert "clipped" in asked[4][1]
    assert sorted((tmp_path / "new").iterdir()) == paths
    for path, audio in zip(paths, (take(), take(word=2_000)), strict=True):
        np.testing.assert_array_equal(soundfile.read(path, dtype="int16")[0], audio)


def test_a_microphone_that_hears_nothing_is_given_up_and_what_was_recorded_stays(tmp_path: Path) -> None:
    microphone = Microphone(take(), *[take(word=0)] * MOST_FAILURES)
    with pytest.raises(AudioError, match="5 recordings in a row were no good"):
        record_takes(microphone, tmp_path, 2, lambda *_: None)
    assert len(list(tmp_path.iterdir())) == 1


def test_a_microphone_that_ends_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(AudioError, match="ended"):
        record_takes(Microphone(), tmp_path, 2, lambda *_: None)
