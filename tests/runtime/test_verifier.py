"""The second stage: what it scores, when, and what follows."""

import dataclasses
import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kwsd.pcm import SAMPLE_RATE
from kwsd.runtime.audio_history import AudioHistory
from kwsd.runtime.debouncer import CandidateDebouncer, Debouncer
from kwsd.runtime.detector import Detector
from kwsd.runtime.engine import Engine
from kwsd.runtime.frontend import HOP
from kwsd.runtime.model import Array, Model
from kwsd.runtime.second_stage import SecondStage, logit
from kwsd.runtime.spotter import Step
from kwsd.runtime.verifier import N_MELS, SPAN_SAMPLES, Verifier, levelled, shapes

HEADS = 2


def weights(bias: float = 0.0, scale: float = 1.0) -> dict[str, Array]:
    """Random ones, in sizes that let sound through; the heads' log-odds are moved by `bias`."""
    random = np.random.default_rng(0)
    made = {}
    for name, shape in shapes(HEADS).items():
        inputs = shape[0] * shape[1] if name.startswith("conv") and len(shape) == 3 else shape[-2:][0]
        made[name] = (random.normal(0, scale * inputs**-0.5, shape)).astype(np.float32)
    made["mel"] = np.abs(made["mel"])
    made["output.bias"] = np.full((HEADS, 1, 1), bias, np.float32)
    return made


@pytest.fixture
def verified(loudness: Model) -> Model:
    """Hears loudness, with a verifier that answers by chance."""
    return dataclasses.replace(loudness, verifier=weights())


def noise(seconds: float, seed: int = 0) -> np.ndarray:
    sound = np.random.default_rng(seed).normal(0, 0.2, round(seconds * SAMPLE_RATE))
    return sound.clip(-1, 1).astype(np.float32)


def quiet(seconds: float) -> np.ndarray:
    return np.zeros(round(seconds * SAMPLE_RATE), np.float32)


SAID = np.concatenate((quiet(1), noise(0.5), quiet(1.5), noise(0.5, 1), quiet(1)))


def verified_at(steps: list[Step]) -> list[float]:
    return [step.time for step in steps if step.verified is not None]


def test_what_it_is_sure_of_triggers_with_its_posterior(verified: Model) -> None:
    sure = dataclasses.replace(verified, verifier=weights(bias=40, scale=0.1))
    triggers = Detector(sure).feed(SAID)
    settings = sure.settings.override(threshold=sure.settings.candidate_threshold)
    alone = Detector(dataclasses.replace(sure, verifier=None), settings).feed(SAID)
    assert [t.stream_time for t in triggers] == [t.stream_time for t in alone]
    assert len(triggers) == 2
    assert all(0.999 < t.posterior < 1 for t in triggers)


def test_what_it_refuses_never_triggers_and_is_verified_no_more(verified: Model) -> None:
    unsure = dataclasses.replace(verified, verifier=weights(bias=-40, scale=0.1))
    steps = list(Detector(unsure).steps(SAID))
    assert not any(step.trigger for step in steps)
    assert all(step.warm for step in steps[3:])  # nothing reset the engine
    times = verified_at(steps)
    assert len(times) == 6  # three times a candidate
    assert times[2] - times[0] == pytest.approx(times[5] - times[3]) == pytest.approx(0.4)


def test_a_candidate_is_at_its_threshold_or_far_above_and_released_at_half(verified: Model) -> None:
    candidates = CandidateDebouncer(verified.settings.override(candidate_threshold=0.2))
    levels = [debouncer._settings for debouncer in candidates._debouncers]
    assert [(one.threshold, one.release) for one in levels] == [(0.2, 0.1), (0.6, 0.3)]
    assert isinstance(Detector(verified).spotters[0]._candidates, CandidateDebouncer)
    alone = dataclasses.replace(verified, verifier=None)
    only = Detector(alone, alone.settings.override(candidate_threshold=0.2)).spotters[0]._rule._debouncer
    assert isinstance(only, Debouncer)
    assert (only._settings.threshold, only._settings.release) == (0.9, 0.3)


@pytest.mark.parametrize("level", [0.001, 0.0015, 0.002, 1.0])
def test_any_candidate_threshold_can_be_set(verified: Model, level: float) -> None:
    Detector(verified, verified.settings.override(candidate_threshold=level)).feed(quiet(1))


def test_nothing_is_verified_without_a_candidate(verified: Model) -> None:
    assert verified_at(list(Detector(verified).steps(quiet(5)))) == []
    assert (
        verified_at(list(Detector(verified, verified.settings.override(candidate_threshold=1)).steps(SAID)))
        == []
    )


def test_noise_that_holds_the_posterior_at_the_candidate_threshold_is_verified_once(
    verified: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    unsure = dataclasses.replace(verified, verifier=weights(bias=-40, scale=0.1))
    detector = Detector(unsure, unsure.settings.override(candidate_threshold=0.2))
    noise, word = [0.19, 0.24, 0.15, 0.12] * 100, [0.95]
    posteriors = itertools.chain(noise, word, noise, word, itertools.repeat(0.15))
    monkeypatch.setattr(Engine, "warm", True)
    monkeypatch.setattr(detector.spotters[0]._engine, "take", lambda _: next(posteriors))
    steps = list(detector.steps(quiet(20)))
    times = [step.time for step in steps if step.posterior == word[0]]
    assert len(times) == 2
    found = np.digitize(verified_at(steps), times)
    assert np.bincount(found, minlength=3).tolist() == [
        3,
        3,
        3,
    ]  # once in the noise, and at each word above it


def test_it_hears_what_came_right_before(verified: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[np.ndarray] = []
    monkeypatch.setattr(Verifier, "log_odds", lambda _, audio: heard.append(audio) or 0.0)
    steps = list(Detector(verified).steps(SAID))
    before = np.concatenate((np.zeros(SPAN_SAMPLES, np.float32), SAID))
    for time, audio in zip(verified_at(steps), heard, strict=True):
        end = SPAN_SAMPLES + round(time * SAMPLE_RATE)
        np.testing.assert_array_equal(audio, before[end - SPAN_SAMPLES : end])


@settings(max_examples=20)
@given(sizes=st.lists(st.integers(0, 20_000), min_size=1, max_size=5).filter(any), bias=st.floats(-2, 2))
def test_any_chunking_gives_the_same_scores(loudness: Model, sizes: list[int], bias: float) -> None:
    model = dataclasses.replace(loudness, verifier=weights(bias))
    expected = list(Detector(model).steps(SAID))
    assert verified_at(expected)
    detector, steps, start = Detector(model), [], 0
    while start < len(SAID):
        for size in sizes:
            steps += detector.steps(SAID[start : start + size])
            start += size
    assert verified_at(steps) == verified_at(expected)
    np.testing.assert_allclose(
        [step.verified for step in steps if step.verified is not None],
        [step.verified for step in expected if step.verified is not None],
        atol=1e-5,
    )


def test_a_gap_ends_a_candidate(verified: Model) -> None:
    unsure = dataclasses.replace(verified, verifier=weights(bias=-40, scale=0.1))
    whole = list(Detector(unsure).steps(SAID))
    cut = round(verified_at(whole)[0] * SAMPLE_RATE) + HOP  # one verification
    detector = Detector(unsure)
    steps = list(detector.steps(SAID[:cut]))
    detector.gap(0.1)
    after = list(detector.steps(quiet(0.6)))
    assert len(verified_at(steps)) == 1
    assert verified_at(after) == []


def test_a_threshold_is_reached_by_what_is_as_high(verified: Model) -> None:
    undecided = dataclasses.replace(verified, verifier=weights(scale=0))
    steps = list(Detector(undecided, undecided.settings.override(threshold=1)).steps(SAID))
    highest = max(step.verified for step in steps if step.verified is not None)
    triggers = Detector(undecided, undecided.settings.override(threshold=highest)).feed(SAID)
    assert triggers[0].posterior == highest
    assert (
        Detector(undecided, undecided.settings.override(threshold=float(np.nextafter(highest, 1)))).feed(SAID)
        == []
    )


def test_reset_forgets_what_the_verifier_would_have_heard(verified: Model) -> None:
    detector = Detector(verified)
    first = list(detector.steps(SAID))
    assert len(verified_at(first)) >= 4
    detector.feed(noise(0.4, 7))
    detector.reset()
    assert list(detector.steps(SAID)) == first


def test_what_it_makes_of_silence_and_of_the_loudest_sound_is_finite() -> None:
    verifier = Verifier(weights())
    for audio in (
        np.zeros(SPAN_SAMPLES, np.float32),
        np.full(SPAN_SAMPLES, 1e4, np.float32),
        noise(SPAN_SAMPLES / SAMPLE_RATE),
    ):
        assert np.isfinite(verifier.log_odds(audio))


@pytest.mark.parametrize("scale", [1e6, 1e15, 1e30])
def test_weights_whose_products_overflow_never_trigger_and_warn_of_nothing(
    verified: Model, scale: float
) -> None:
    huge = {name: np.sign(weight) * np.float32(scale) for name, weight in weights().items()}
    assert Verifier(huge).log_odds(noise(SPAN_SAMPLES / SAMPLE_RATE)) == -np.inf
    steps = list(Detector(dataclasses.replace(verified, verifier=huge)).steps(SAID))
    answers = [step.verified for step in steps if step.verified is not None]
    assert answers
    assert max(answers) < 1e-6
    assert not any(step.trigger for step in steps)


@pytest.mark.parametrize("gain", [1e-3, 0.1, 30])
def test_how_loud_it_is_does_not_matter(gain: float) -> None:
    verifier, audio = Verifier(weights()), noise(SPAN_SAMPLES / SAMPLE_RATE)
    assert verifier.log_odds(audio * np.float32(gain)) == pytest.approx(verifier.log_odds(audio), abs=1e-3)


def test_its_score_is_averaged_with_the_highest_posterior_of_the_candidate(verified: Model) -> None:
    undecided = dataclasses.replace(verified, verifier=weights(scale=0))
    detector = Detector(undecided, undecided.settings.override(threshold=1))
    surest, seen = 0.0, 0
    for step in detector.steps(SAID):
        surest = (
            max(surest, step.posterior)
            if step.posterior >= detector.spotters[0].first_stage_threshold
            else 0.0
        )
        if step.verified is not None and surest:
            odds = [np.log(p / (1 - p)) for p in (step.verified, min(surest, 1 - 1e-6))]
            assert odds[0] == pytest.approx(odds[1] / 3, abs=1e-3)
            seen += 1
    assert seen >= 2


class Scores(Verifier):
    """Answers with given log-odds, one after the other."""

    def __init__(self, *odds: float) -> None:
        super().__init__({})
        self.__dict__["left"] = list(odds)

    def log_odds(self, _: np.ndarray) -> float:
        return self.__dict__["left"].pop(0)


@pytest.mark.parametrize(
    ("posterior", "second", "both"),
    [
        (0.5, 0.0, 0.5),
        (0.5, 3.0, 0.880797),  # log-odds 2/3 of 3
        (0.952574, 0.0, 0.731059),  # 1/3 of 3
        (0.952574, 3.0, 0.952574),
        (0.952574, -3.0, 0.268941),  # 1/3 of 3 - 2/3 of 3
        (1.0, -30.0, 2.06115e-7),  # a posterior of 1 counts as 1 - 1e-6: log-odds 13.8
        (0.0, 30.0, 0.9999998),
        (0.5, 100.0, 1 - 9.358e-14),
        (0.5, -np.inf, 9.358e-14),  # log-odds of 30 at most, either way: never quite 0 or 1
    ],
)
def test_both_stages_together_in_plain_numbers(posterior: float, second: float, both: float) -> None:
    second_stage = SecondStage(Scores(second), AudioHistory(1))
    second_stage.begin(1000)
    score = second_stage.score(1000, posterior)
    assert score is not None
    assert score == pytest.approx(both, rel=1e-2 if both < 1e-3 else 1e-6, abs=0)
    assert 0 < score < 1


def test_a_candidate_is_verified_at_once_and_each_160_ms_until_400_ms_after() -> None:
    second_stage = SecondStage(Scores(*[0.0] * 10), AudioHistory(1))
    verified_at_places = []
    for place in range(0, 48_000, 160):
        if place in (16_000, 32_000):
            second_stage.begin(place)
        if second_stage.score(place, 0.5) is not None:
            verified_at_places.append(place)
    assert verified_at_places == [start + later for start in (16_000, 32_000) for later in (0, 2_560, 5_120)]
    second_stage.begin(48_000)
    assert second_stage.score(48_000, 0.5) is not None
    second_stage.end()
    assert second_stage.score(48_000 + 2_560, 0.5) is None


def test_a_candidate_goes_on_where_another_begins_in_it() -> None:
    """The highest posterior is kept, and the next verification comes no sooner."""
    second_stage = SecondStage(Scores(0.0, 0.0, 0.0), AudioHistory(1))
    second_stage.begin(0)
    assert second_stage.score(0, 0.952574) == pytest.approx(0.731059, rel=1e-5)
    second_stage.begin(160)
    assert second_stage.score(160, 0.5) is None
    assert second_stage.score(2_560, 0.5) == pytest.approx(0.731059, rel=1e-5)
    second_stage.begin(160_000)  # another word: the posterior of the first counts no more
    assert second_stage.score(160_000, 0.5) == 0.5


@pytest.mark.parametrize(("later", "goes_on"), [(6_400, True), (6_401, False)])
def test_a_candidate_lasts_400_ms(later: int, goes_on: bool) -> None:
    second_stage = SecondStage(Scores(0.0, 0.0), AudioHistory(1))
    second_stage.begin(0)
    assert second_stage.score(0, 0.952574) is not None
    assert (second_stage.score(later, 0.5) is not None) == goes_on
    another = SecondStage(Scores(0.0, 0.0), AudioHistory(1))
    another.begin(0)
    assert another.score(0, 0.952574) is not None
    another.begin(later)
    assert another.score(later, 0.5) == pytest.approx(0.731059 if goes_on else 0.5, rel=1e-5)


def test_logit_in_plain_numbers() -> None:
    odds = [logit(p) for p in (0.0, 1e-9, 0.5, 0.952574, 1.0)]
    assert odds == pytest.approx([-13.815510, -13.815510, 0, 3, 13.815510], abs=1e-4)


def test_audio_is_heard_at_one_level() -> None:
    audio = np.array([[0.1, -0.4, 0.2], [0, 0, 0], [1e-7, 0, 0]], np.float32)
    expected = [[0.0125, -0.05, 0.025], [0, 0, 0], [0.005, 0, 0]]  # quieter than 1e-6 stays quieter
    np.testing.assert_allclose(levelled(audio), expected, rtol=1e-5)


def test_mels_are_tenths_of_decibels_above_a_floor_80_below_the_loudest() -> None:
    """A tone at bin 32 of 512: 400 samples of Hann sum to 200, so its power is (32768 a 100)^2."""
    mel = np.zeros((257, N_MELS), np.float32)
    mel[32, 3] = 1
    mel[32, 5] = 1e-3  # 30 dB below
    tone = np.sin(2 * np.pi * 1000 / SAMPLE_RATE * np.arange(512 + 160)).astype(np.float32)
    mels = Verifier({"mel": mel}).mels(np.float32(0.05) * tone)
    assert mels.shape == (2, N_MELS)
    loudest = 2 * np.log10(32_768 * 0.05 * 100) + 2  # 12.43
    np.testing.assert_allclose(mels[:, 3], loudest, atol=2e-3)
    np.testing.assert_allclose(mels[:, 5], loudest - 3, atol=2e-3)
    np.testing.assert_allclose(mels[:, [0, 4, 31]], loudest - 8, atol=2e-3)


def test_silence_is_at_the_floor_of_1e_10() -> None:
    mels = Verifier({"mel": np.ones((257, N_MELS), np.float32)}).mels(np.zeros(512, np.float32))
    np.testing.assert_allclose(mels, -8, atol=1e-5)  # -100 dB / 10 + 2


@pytest.mark.parametrize(
    ("sample", "weight"), [(56, 0), (156, 0.5), (256, 1), (356, 0.5), (455, 6.2e-5), (456, 0)]
)
def test_the_window_is_400_samples_of_hann_in_the_middle_of_512(sample: int, weight: float) -> None:
    mel = np.zeros((257, N_MELS), np.float32)
    mel[32] = 1
    click = np.zeros(512, np.float32)
    click[sample] = 1
    mels = Verifier({"mel": mel}).mels(click)
    np.testing.assert_allclose(mels, 2 * np.log10(32_768 * weight) + 2 if weight else -8, atol=2e-2)


def test_the_shapes_of_a_verifier_in_plain_numbers() -> None:
    made = shapes(3)
    assert sum(int(np.prod(shape)) for shape in made.values()) == 478_243
    assert made["mel"] == (257, 32)
    assert [made[f"conv{i}.weight"] for i in (0, 1, 3, 7, 11, 15, 19)] == [
        (3, 3, 24),
        (3, 24, 24),
        (3, 24, 48),
        (3, 48, 72),
        (3, 72, 96),
        (3, 96, 96),
        (3, 96, 96),
    ]
    assert [made[f"conv{i}.bias"] for i in (0, 3, 7, 11, 18)] == [(24,), (48,), (72,), (96,), (96,)]
    heads = [
        made[f"{layer}.{part}"] for layer in ("each", "together", "output") for part in ("weight", "bias")
    ]
    assert heads == [(3, 96, 64), (3, 1, 64), (3, 640, 64), (3, 1, 64), (3, 64, 1), (3, 1, 1)]


def test_the_embedding_sees_76_frames_and_makes_one_each_8() -> None:
    verifier = Verifier(weights())
    for frames, count in [(76, 1), (83, 1), (84, 2), (156, 11)]:
        assert verifier.embeddings(np.zeros((frames, N_MELS), np.float32)).shape == (count, 96)
    assert SPAN_SAMPLES == (155 * 160) + 512  # samples: 156 frames make 11 embeddings, and those 2 answers


def test_the_larger_of_two_scores_and_the_mean_of_the_heads_count() -> None:
    verifier = Verifier(weights())
    audio = noise(SPAN_SAMPLES / SAMPLE_RATE)
    odds = verifier.logits(verifier.embeddings(verifier.mels(levelled(audio))))
    assert odds.shape == (2,)
    assert verifier.log_odds(audio) == odds.max()
    each = []
    for head in range(HEADS):
        alone = {
            name: w if name[:4] in ("conv", "mel") else w[[head]] for name, w in verifier.weights.items()
        }
        each.append(Verifier(alone).logits(verifier.embeddings(verifier.mels(levelled(audio)))))
    np.testing.assert_allclose(odds, np.mean(each, axis=0), rtol=1e-4)


POOLS = [("tft", 2, 2), ("ftft", 1, 2), ("ftft", 2, 2), ("ftft", 1, 2), ("ftft", 2, 2)]


def embeddings_of(w: dict[str, Array], mels: np.ndarray) -> np.ndarray:
    """What the embedding is, tap by tap: Lin et al. 2020, with the first filters seeing 3 by 3."""
    x = np.zeros((len(mels), 32, 3))
    for neighbour in range(3):
        for band in range(32):
            if 0 <= band + neighbour - 1 < 32:
                x[:, band, neighbour] = mels[:, band + neighbour - 1]
    layer = 0
    for directions, time, bands in POOLS:
        for direction in directions:
            taps = w[f"conv{layer}.weight"].astype(np.float64)
            if direction == "f":
                x = np.pad(x, ((0, 0), (1, 1), (0, 0)))
                x = x[:, :-2] @ taps[0] + x[:, 1:-1] @ taps[1] + x[:, 2:] @ taps[2]
            else:
                x = x[:-2] @ taps[0] + x[1:-1] @ taps[1] + x[2:] @ taps[2]
            x += w[f"conv{layer}.bias"]
            x = np.where(x > 0, x, 0.2 * x).clip(min=-0.4)
            layer += 1
        rows, columns = x.shape[0] // time, x.shape[1] // bands
        cells = [
            x[i : rows * time : time, j : columns * bands : bands] for i in range(time) for j in range(bands)
        ]
        x = np.max(cells, axis=0)
    taps = w["conv19.weight"].astype(np.float64)
    return (x[:-2] @ taps[0] + x[1:-1] @ taps[1] + x[2:] @ taps[2])[:, 0]


def odds_of(w: dict[str, Array], embeddings: np.ndarray) -> list[float]:
    """What the heads score at each embedding with nine before it."""
    answers = []
    for end in range(10, len(embeddings) + 1):
        heads = []
        for head in range(len(w["each.weight"])):
            seen = embeddings[end - 10 : end] @ w["each.weight"][head] + w["each.bias"][head]
            joined = seen.clip(min=0).ravel() @ w["together.weight"][head] + w["together.bias"][head, 0]
            heads.append(
                float(joined.clip(min=0) @ w["output.weight"][head, :, 0] + w["output.bias"][head, 0, 0])
            )
        answers.append(sum(heads) / len(heads))
    return answers


def test_it_computes_the_embedding_and_its_heads() -> None:
    made = weights(bias=0.3)
    random = np.random.default_rng(1)
    for name in made:
        if name.endswith("bias"):
            made[name] = random.normal(-1, 2, made[name].shape).astype(np.float32)
    mels = random.normal(0, 3, (164, 32)).astype(np.float32)
    verifier = Verifier(made)
    expected = embeddings_of(made, mels)
    assert expected.shape == (12, 96)
    np.testing.assert_allclose(verifier.embeddings(mels), expected, rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(
        verifier.logits(expected.astype(np.float32)), odds_of(made, expected), rtol=1e-3, atol=1e-3
    )
