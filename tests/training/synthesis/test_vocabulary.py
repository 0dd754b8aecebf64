"""A vocabulary is spoken by a voice that is drawn for each text, the same for the same seed."""

import numpy as np

from kwsd.training.synthesis.languages.en import ENGLISH
from kwsd.training.synthesis.speech import Floats, Line
from kwsd.training.synthesis.vocabulary import spoken


class Hum:
    """A voice that hums, at a pitch of its own, as long as the line is; it cannot say "nothing"."""

    engine, accent, needs_text = "hum", "en-us", False

    def __init__(self, hertz: int) -> None:
        self.name, self.hertz = f"hum-{hertz}", hertz

    def say(self, line: Line, speed: float, take: int) -> Floats:  # noqa: ARG002
        seconds = np.arange(0, 0.1 * len(line.phonemes) / speed, 1 / 16_000)
        loud = 0.0 if line.text.startswith("nothing") else 0.1
        return (loud * np.sin(2 * np.pi * self.hertz * seconds)).astype(np.float32)


VOICES = [Hum(hertz) for hertz in (200, 300)]


def test_a_text_each_by_voices_that_differ() -> None:
    texts = [f"number {word}" for word in ("one", "two", "three", "four", "five", "six", "seven", "eight")]
    said = list(spoken(texts, ENGLISH, VOICES, seed=0))
    assert [each.text for each in said] == texts
    assert {each.voice for each in said} == {"hum-200", "hum-300"}
    assert all(each.audio.dtype == np.int16 and len(each.audio) > 4_000 for each in said)
    again = list(spoken(texts, ENGLISH, VOICES, seed=0))
    assert [each.voice for each in again] == [each.voice for each in said]
    assert [len(each.audio) for each in again] == [len(each.audio) for each in said]


def test_what_comes_out_silent_is_left_out() -> None:
    said = spoken(["one", "nothing", "two"], ENGLISH, VOICES, seed=0)
    assert [each.text for each in said] == ["one", "two"]
