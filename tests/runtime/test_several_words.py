"""Several words in one detector: each as alone, and one trigger for one utterance."""

import dataclasses
import pickle
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from verifiers import weights

from kwsd.errors import UsageError
from kwsd.pcm import SAMPLE_RATE, Samples
from kwsd.runtime.arbitration import UTTERANCE_SECONDS, Arbiter
from kwsd.runtime.audio_history import AudioHistory
from kwsd.runtime.detector import Detector
from kwsd.runtime.embedding import STRIDE_SAMPLES, EmbeddingStream
from kwsd.runtime.model import Array, Model
from kwsd.runtime.modelfile import read_models
from kwsd.runtime.spotter import Step, Trigger
from kwsd.runtime.verifier import Heads

SOUND = np.random.default_rng(0).normal(0, 0.2, 6 * SAMPLE_RATE).clip(-1, 1).astype(np.float32)
SOUND *= np.repeat(np.random.default_rng(1).integers(0, 2, 20), 4_800).astype(np.float32)  # bursts of 0.3 s


@st.composite
def words(draw: st.DrawFn, loudness: Model) -> list[Model]:
    """Two to four models that hear loudness, with and without a second stage, each in its own way."""
    made = []
    for number in range(draw(st.integers(2, 4))):
        verifier = draw(st.sampled_from([None, -2.0, 0.0, 2.0, 40.0]))
        changed = loudness.settings.override(
            step=draw(st.sampled_from([5, 6, 9])),
            window=draw(st.integers(1, 5)),
            threshold=draw(st.sampled_from([0.3, 0.6, 0.9])),
            patience=draw(st.integers(1, 4)),
            refractory=draw(st.sampled_from([0.0, 0.3, 1.0])),
        )
        scale = draw(st.sampled_from([0.1, 9.0]))
        arrays = None if verifier is None else {"output.bias": np.float32([verifier, scale])}
        made.append(
            dataclasses.replace(loudness, keyword=f"word {number}", settings=changed, verifier=arrays)
        )
    return made


class Embeddings(EmbeddingStream):
    """In place of the network, which is slow: an embedding is the sum of its samples."""

    def __init__(self, _: dict[str, Array], history: AudioHistory) -> None:
        self._history = history

    def reset(self) -> None:
        """It keeps nothing."""

    def equals(self, _: dict[str, Array]) -> bool:
        return True

    def read(self, first: int, stop: int) -> Array:
        start = self._history.start + first * STRIDE_SAMPLES
        samples = self._history.read(start, start + (stop - first) * STRIDE_SAMPLES)
        return samples.reshape(stop - first, -1).sum(axis=1, keepdims=True)


class ByChance(Heads):
    """In place of the heads: as if by chance, but the same for the same audio."""

    def __init__(self, weights: dict[str, Array], embeddings: EmbeddingStream) -> None:
        self._weights, self._embeddings = weights, embeddings
        self.reset()

    def log_odds(self, embeddings: Array) -> Array:
        bias, scale = self._weights["output.bias"]
        seen = np.lib.stride_tricks.sliding_window_view(embeddings[:, 0], 10)
        return bias + scale * np.sin(1_000 * seen.sum(axis=1))


def passing(segments: list[list[list[Step]]]) -> list[Trigger]:
    """The triggers that pass, from the steps of each word alone. segments: between gaps, for each word."""
    passed: list[Trigger] = []
    for segment in segments:
        held: list[Trigger] = []
        for now in sorted({step.time for steps in segment for step in steps}):
            held += [
                step.trigger
                for steps in segment
                for step in steps
                if step.time == now
                and step.trigger
                and not (
                    passed
                    and passed[-1].keyword != step.keyword
                    and now - passed[-1].stream_time < UTTERANCE_SECONDS
                )
            ]
            if held:
                surest = max(held, key=lambda trigger: trigger.posterior)
                latest = [[step for step in steps if step.time <= now][-1:] for steps in segment]
                rivals = [step for (step,) in filter(None, latest) if step.keyword != surest.keyword]
                if now >= held[0].stream_time + UTTERANCE_SECONDS or not any(s.pending for s in rivals):
                    passed.append(surest)
                    held = []
        if held:
            passed.append(max(held, key=lambda trigger: trigger.posterior))
    return passed


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_every_word_is_heard_as_alone_up_to_the_rule(
    loudness: Model, monkeypatch: pytest.MonkeyPatch, data: st.DataObject
) -> None:
    """However the audio is cut, and with gaps in it."""
    models = data.draw(words(loudness))
    sizes = data.draw(st.lists(st.integers(400, 20_000), min_size=1, max_size=5))
    gaps = data.draw(st.sets(st.integers(1, 20), max_size=2))
    monkeypatch.setattr("kwsd.runtime.detector.EmbeddingStream", Embeddings)
    monkeypatch.setattr("kwsd.runtime.second_stage.Heads", ByChance)
    together, alone = Detector(models), [Detector(model) for model in models]
    segments: list[list[list[Step]]] = [[[] for _ in models]]
    steps: list[Step] = []
    triggers: list[Trigger] = []
    start = number = 0
    while start < len(SOUND):
        if number in gaps:
            triggers += together.gap(0.7)
            for detector in alone:
                assert detector.gap(0.7) == []
            segments.append([[] for _ in models])
        chunk = SOUND[start : start + sizes[number % len(sizes)]]
        new = list(together.steps(chunk))
        steps += new
        triggers += [step.trigger for step in new if step.trigger]
        for detector, found in zip(alone, segments[-1], strict=True):
            found += detector.steps(chunk)
        start, number = start + len(chunk), number + 1
    for index, model in enumerate(models):
        mine = [step._replace(trigger=None) for step in steps if step.keyword == model.keyword]
        assert mine == [step._replace(trigger=None) for segment in segments for step in segment[index]]
    triggers += together.gap(0)
    assert triggers == passing(segments)
    assert [step.time for step in steps] == sorted(step.time for step in steps)


@settings(max_examples=5)
@given(
    sizes=st.lists(st.integers(200, 16_000), min_size=1, max_size=4),
    steps=st.tuples(*[st.integers(3, 12)] * 3),
)
def test_words_that_share_an_embedding_score_as_alone(
    loudness: Model, sizes: list[int], steps: tuple[int, int, int]
) -> None:
    """With the real network; they wake up at different times. The third has an embedding of its own."""
    models = []
    for number, step in enumerate(steps):
        heads = {k: v for k, v in weights(seed=number).items() if number == 2 or k[:4] not in ("conv", "mel")}
        changed = loudness.settings.override(
            threshold=1, step=step, candidate_threshold=(0.1, 0.9, 0.99)[number]
        )
        models.append(
            dataclasses.replace(
                loudness, keyword=f"word {number}", settings=changed, verifier=weights() | heads
            )
        )
    together, found, start = Detector(models), [], 0
    assert len(together._embeddings) == 2
    while start < len(SOUND):
        for size in sizes:
            found += together.steps(SOUND[start : start + size])
            start += size
    for model in models:
        alone = [step for step in Detector(model).steps(SOUND) if step.verified is not None]
        mine = [step for step in found if step.keyword == model.keyword and step.verified is not None]
        assert [step.time for step in mine] == [step.time for step in alone]
        np.testing.assert_allclose(
            [step.verified for step in mine], [step.verified for step in alone], atol=1e-4
        )
        assert alone


def test_shipped_words_share_the_embedding() -> None:
    """But for `happy`, whose embedding was fine-tuned."""
    assert len(Detector.load(["computer", "jarvis", "alexa"])._embeddings) == 1
    assert len(Detector.load(["computer", "happy"])._embeddings) == 2


def test_a_word_alone_is_a_detector_of_one(loudness: Model) -> None:
    one, listed = Detector(loudness), Detector([loudness], [loudness.settings])
    assert list(one.steps(SOUND)) == list(listed.steps(SOUND))
    assert (listed.keyword, listed.keywords) == ("loud", ["loud"])
    with pytest.raises(ValueError, match="unpack"):
        _ = Detector([loudness, dataclasses.replace(loudness, keyword="other")]).keyword


def moments(*entries: tuple[float, str, float, bool]) -> list[Step]:
    """Steps at (time, keyword, posterior of a trigger or 0, pending)."""
    return [
        Step(time, 0.5, True, Trigger(word, sure, time) if sure else None, None, word, pending)
        for time, word, sure, pending in entries
    ]


def decided(*words: list[Step]) -> list[tuple[float, str, float]]:
    """When each trigger passed, its keyword and its own time."""
    steps = Arbiter().steps([iter(one) for one in words])
    return [(step.time, step.trigger.keyword, step.trigger.stream_time) for step in steps if step.trigger]


def test_a_word_alone_is_never_delayed() -> None:
    quiet = moments(*((t / 10, "b", 0, False) for t in range(20)))
    assert decided(moments((1.0, "a", 0.6, False)), quiet) == [(1.0, "a", 1.0)]


@pytest.mark.parametrize(("first", "second", "wins"), [(0.9, 0.8, "a"), (0.8, 0.9, "b"), (0.9, 0.9, "a")])
def test_the_surer_of_two_wins(first: float, second: float, wins: str) -> None:
    """At the same time, and where one waits for the other."""
    at_once = decided(moments((1.0, "a", first, False)), moments((1.0, "b", second, False)))
    assert at_once == [(1.0, wins, 1.0)]
    a = moments((1.0, "a", first, False), (1.1, "a", 0, False), (1.2, "a", 0, False))
    b = moments((1.0, "b", 0, True), (1.1, "b", 0, True), (1.2, "b", second, False))
    assert decided(a, b) == [(1.2, wins, 1.0 if wins == "a" else 1.2)]


def test_it_waits_only_while_the_other_may_still_fire() -> None:
    a = moments((1.0, "a", 0.6, False), (1.1, "a", 0, False), (1.2, "a", 0, False))
    b = moments((1.0, "b", 0, True), (1.1, "b", 0, False), (1.2, "b", 0, False))
    assert decided(a, b) == [(1.1, "a", 1.0)]


def test_it_does_not_wait_for_itself() -> None:
    a = moments((1.0, "a", 0.6, True), (1.1, "a", 0, True))
    assert decided(a, moments((1.0, "b", 0, False))) == [(1.0, "a", 1.0)]


def test_it_waits_no_longer_than_an_utterance() -> None:
    a = moments((1.0, "a", 0.6, False), *((1 + t / 8, "a", 0, False) for t in range(1, 8)))
    b = moments(*((1 + t / 8, "b", 0, True) for t in range(8)))
    assert decided(a, b) == [(1.5, "a", 1.0)]
    a = moments((0.0, "a", 0.6, False), *((t / 10, "a", 0, False) for t in range(1, 8)))
    b = moments(*((t / 10, "b", 0, True) for t in range(8)))
    assert decided(a, b) == [(0.4, "a", 0.0)]


def test_what_fires_late_in_the_same_utterance_is_dropped_and_the_next_word_is_not() -> None:
    a = moments((1.0, "a", 0.6, False))
    assert decided(a, moments((1.3, "b", 0.9, False))) == [(1.0, "a", 1.0)]
    assert decided(a, moments((1.5, "b", 0.9, False))) == [(1.0, "a", 1.0), (1.5, "b", 1.5)]
    start = moments((0.0, "a", 0.6, False))
    assert decided(start, moments((0.4, "b", 0.9, False))) == [(0.0, "a", 0.0), (0.4, "b", 0.4)]
    again = moments((1.0, "a", 0.6, False), (1.2, "a", 0.6, False))  # the word's own refractory time decides
    assert len(decided(again, [])) == 2


def test_the_same_word_twice_is_refused(loudness: Model) -> None:
    with pytest.raises(UsageError, match=r"the word 'loud' is given twice, by loud: leave one out"):
        Detector([loudness, loudness])
    with pytest.raises(UsageError, match=r"the word 'happy' is given twice, by happy\.pt and student\.pt"):
        Detector.load(["happy", "student"])
    with pytest.raises(UsageError, match="no word is given"):
        Detector([])


def test_loading_takes_one_or_several() -> None:
    assert Detector.load("happy").keywords == Detector.load(["happy"]).keywords == ["happy"]
    both = Detector.load(("computer", Path("models/jarvis.pt").name.removesuffix(".pt")), threshold=0.7)
    assert both.keywords == ["computer", "jarvis"]
    assert [spotter.settings.threshold for spotter in both.spotters] == [0.7, 0.7]
    copied = pickle.loads(pickle.dumps(both))
    assert copied.keywords == both.keywords
    assert [one.settings for one in copied.spotters] == [one.settings for one in both.spotters]


def test_equal_arrays_are_held_once() -> None:
    first, second = (model.verifier for model in read_models(["computer", "jarvis"]))
    assert first is not None
    assert second is not None
    equal = [name for name, array in first.items() if np.array_equal(array, second[name])]
    assert "mel" in equal
    assert all(first[name] is second[name] for name in equal)
    assert "output.weight" not in equal


@pytest.mark.parametrize("gap", [0, 3_200])
def test_real_words_one_after_the_other(recordings: Path, gap: int) -> None:
    """Each is heard as a detector of its own hears it, even without a pause between them."""
    soundfile = pytest.importorskip("soundfile")

    def clip(path: Path) -> Samples:
        samples: Samples = soundfile.read(path, dtype="float32")[0]
        loud = np.flatnonzero(np.abs(samples) > 0.05 * np.abs(samples).max())
        return samples[max(0, loud[0] - 800) : loud[-1] + 800]

    folder = recordings / "wake_words"
    if not folder.is_dir():
        pytest.skip(f"no {folder}")
    pause, between = np.zeros(SAMPLE_RATE, np.float32), np.zeros(gap, np.float32)
    pairs = zip(*(sorted((folder / word).glob("*.flac"))[:8] for word in ("computer", "jarvis")), strict=True)
    audio = np.concatenate([np.concatenate((pause, clip(a), between, clip(b))) for a, b in pairs] + [pause])
    alone = [Detector.load(word).feed(audio) for word in ("computer", "jarvis")]
    assert min(map(len, alone)) >= 6
    together = Detector.load(["computer", "jarvis"]).feed(audio)
    expected = sorted((*alone[0], *alone[1]), key=lambda trigger: trigger.stream_time)
    assert [(t.keyword, t.stream_time) for t in together] == [(t.keyword, t.stream_time) for t in expected]
    np.testing.assert_allclose([t.posterior for t in together], [t.posterior for t in expected], atol=1e-4)
