"""What a model takes for its word is told by the text that fired, and no other."""

from pathlib import Path

import numpy as np

from kwsd.runtime.modelfile import read_model
from kwsd.training.evaluate.vocabulary import false_alarms
from kwsd.training.synthesis.vocabulary import SpokenText

LOUD = Path(__file__).parents[2] / "loud.pt"


def text(name: str, level: float) -> SpokenText:
    """0.6 s of noise, of so much of full scale."""
    noise = level * np.random.default_rng(0).normal(0, 32_767, 9_600)
    return SpokenText(name, "noise", noise.astype(np.int16))


def test_each_false_alarm_has_its_text() -> None:
    texts = [text("soft", 1e-3), text("loud", 0.2), text("softer", 5e-4), text("louder", 0.25)]
    found = list(false_alarms(read_model(LOUD), texts))
    assert [(alarm.text, alarm.voice) for alarm in found] == [("loud", "noise"), ("louder", "noise")]
    assert all(alarm.posterior >= read_model(LOUD).settings.threshold for alarm in found)


def test_a_threshold_in_place_of_the_models_own_and_what_was_heard() -> None:
    model, loud = read_model(LOUD), text("loud", 0.2)
    assert not list(false_alarms(model, [loud], threshold=0.99999))  # the posterior is at most 0.99994
    [alarm] = false_alarms(model, [loud])
    assert len(alarm.audio) == 9_600 + round(0.8 * 16_000)  # the text and the pause after it
    assert np.abs(alarm.audio[:9_600] - loud.audio / np.float32(32_768)).max() < 5 * 3e-4
    assert 2e-4 < alarm.audio[9_600:].std() < 4e-4
