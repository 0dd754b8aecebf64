"""One trigger an utterance at most, whatever the settings: real people, the shipped models."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from kwsd.pcm import SAMPLE_RATE, Samples
from kwsd.runtime.detector import Detector
from kwsd.runtime.model import Model
from kwsd.runtime.modelfile import find_model, read_model

SAID = 12  # utterances heard
PAUSE = 4  # seconds from one's beginning to the next's
MODELS = ("student", "teacher", "happy")


class Heard:
    """What hypothesis prints of these is short."""

    def __init__(self, people: list[Samples], models: dict[str, Model]) -> None:
        self.people = people
        self.models = models


@pytest.fixture(scope="module")
def heard(recordings: Path) -> Heard:
    """The models, and people who each say "happy" in a second or less."""
    tree = recordings / "speech_commands_v0.01"
    listed = (tree / "validation_list.txt").read_text().split()
    stems = [tree / name.removesuffix(".wav") for name in listed if name.startswith("happy/")][::11][:SAID]
    files = [next(stem.parent.glob(stem.name + ".*")) for stem in stems]
    people = [soundfile.read(file, dtype="float32")[0] for file in files]
    return Heard(people, {name: read_model(find_model(name)) for name in MODELS})


@settings(max_examples=40)
@given(
    name=st.sampled_from(MODELS),
    window=st.integers(1, 60),
    step=st.integers(1, 30),
    patience=st.integers(1, 6),
    threshold=st.floats(0.3, 0.95),
    start=st.integers(0, SAMPLE_RATE),
)
def test_an_utterance_is_one_trigger_at_most(
    heard: Heard, name: str, window: int, step: int, patience: int, threshold: float, start: int
) -> None:
    samples = np.zeros((SAID, PAUSE * SAMPLE_RATE), np.float32)
    for row, said in zip(samples, heard.people, strict=True):
        row[start : start + len(said)] = said
    model = heard.models[name]
    chosen = model.settings.override(window=window, step=step, threshold=threshold, patience=patience)
    detector = Detector(model, chosen)
    times = [trigger.stream_time for trigger in detector.feed(samples.ravel())]
    utterances = [int((time - start / SAMPLE_RATE) // PAUSE) for time in times]
    assert len(set(utterances)) == len(utterances), times
