"""What scenes are made of: where the word ends, how loud it is, how often it is there."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from kwsd.runtime.frontend import N_MELS, SAMPLE_RATE
from kwsd.training.augment import scenes
from kwsd.training.augment.augmentation import Augmentation
from kwsd.training.augment.pool import ScenePool, StillPool
from kwsd.training.augment.scenes import SceneBatch, SceneMaker, in_noise
from kwsd.training.augment.words import word_end, word_span
from kwsd.training.data.reader import Reader

WORD = slice(3_200, 11_200)  # of a clip's samples: 0.2 to 0.7 s
SILENCE = np.zeros(SAMPLE_RATE, np.int16)
NO_SPEECH = np.empty(0, np.int16)
DRAWN = 300
ALONE, IN_WORDS = 4_096, 8_192  # samples of running speech, and of other words


def decibels(ratio: np.ndarray) -> np.ndarray:
    found: np.ndarray = 20 * np.log10(ratio)
    return found


def word(level: int = 8_192) -> np.ndarray:
    """A square wave in the middle of a silent second, a quarter of full scale."""
    clip = SILENCE.copy()
    clip[WORD] = np.where(np.arange(8_000) % 16 < 8, level, -level)
    return clip


def keyword_scenes(drawn: SceneBatch) -> list[tuple[np.ndarray, float, float]]:
    """Audio, onset and end of the scenes with the keyword."""
    kept = (drawn.audio[drawn.keyword], drawn.onset[drawn.keyword], drawn.end[drawn.keyword])
    return list(zip(*kept, strict=True))


@pytest.fixture
def plain() -> SceneMaker:
    """Makes scenes of the word or nothing, in no room and no noise."""
    return SceneMaker([word()], [SILENCE], [], NO_SPEECH, [], Augmentation(reverberant=0.0))


def test_a_words_end_is_where_it_falls_silent() -> None:
    assert word_end(word()) == pytest.approx(0.7, abs=0.025)


def test_a_words_start_is_where_it_becomes_loud() -> None:
    assert word_span(word())[0] == pytest.approx(0.2, abs=0.025)


def test_the_label_is_where_the_word_ends_at_its_tempo(plain: SceneMaker) -> None:
    drawn = plain.draw(DRAWN, np.random.default_rng(0))
    lengths = []
    for audio, onset, end in keyword_scenes(drawn):
        heard = np.flatnonzero(np.abs(audio) > 1e-3)
        assert end == pytest.approx(heard[-1] / SAMPLE_RATE, abs=0.04)
        assert onset == pytest.approx(heard[0] / SAMPLE_RATE - 0.2 * np.ptp(heard) / 8_000, abs=0.01)
        lengths.append(np.ptp(heard) / 8_000)  # times the word's own length
    assert 0.8 < min(lengths) < 0.88
    assert 1.17 < max(lengths) < 1.26
    assert 0.3 < np.mean(np.isclose(lengths, 1, atol=1e-3)) < 0.7  # half of them at their own tempo


def test_another_speakers_pace_moves_the_label_too(
    plain: SceneMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scenes, "converted", lambda clip, *_: (np.repeat(clip, 2), 2.0))
    plain.augmentation = replace(plain.augmentation, voice_converted=1.0)
    plain.length = 4 * SAMPLE_RATE
    drawn = plain.draw(50, np.random.default_rng(0))
    for audio, _, end in keyword_scenes(drawn):
        assert end == pytest.approx(np.flatnonzero(np.abs(audio) > 1e-3)[-1] / SAMPLE_RATE, abs=0.06)


@pytest.mark.parametrize("alone", [0.0, 1.0], ids=["other words", "running speech"])
def test_a_share_of_scenes_is_silent_around_a_clip(alone: float) -> None:
    hiss = np.random.default_rng(1).integers(-4_000, 4_000, 6 * SAMPLE_RATE).astype(np.int16)
    augmentation = Augmentation(cut_out=0.5, speech_alone=alone, noisy=1.0, reverberant=0.0, retimed=0.0)
    drawn = SceneMaker([word()], [word()], [hiss], hiss, [], augmentation).draw(
        DRAWN, np.random.default_rng(0)
    )
    heard = [np.flatnonzero(audio) for audio in drawn.audio]
    lengths = np.array([np.ptp(samples) + 1 for samples in heard])
    cut = lengths <= SAMPLE_RATE
    assert 0.4 < cut[drawn.keyword].mean() < 0.6
    assert 0.4 < cut[~drawn.keyword].mean() < 0.6
    assert lengths[cut].min() > 0.95 * SAMPLE_RATE  # the whole clip is there, with its noise
    assert lengths[~cut].min() > 0.95 * drawn.audio.shape[1]
    starts = np.array([samples[0] for samples in heard]) / SAMPLE_RATE
    assert starts[cut & drawn.keyword] == pytest.approx(drawn.onset[cut & drawn.keyword], abs=0.01)


def in_fluent_speech(**changes: object) -> SceneMaker:
    """Makes scenes of the word within running speech of an eighth of full scale, which are all alike else."""
    running = np.full(4 * SAMPLE_RATE, ALONE, np.int16)
    augmentation = Augmentation(
        fluent=1.0, running_speech=1.0, reverberant=0.0, retimed=0.0, level=(0.0, 0.0), speech_alone=0.0
    )
    return SceneMaker([word()], [word()], [], running, [], replace(augmentation, **changes))  # type: ignore[arg-type]


def test_a_word_within_fluent_speech_has_no_pause_around_it() -> None:
    drawn = in_fluent_speech(fluent_level=(0.0, 0.0)).draw(DRAWN, np.random.default_rng(0))
    for audio, onset, end in keyword_scenes(drawn):
        said = np.flatnonzero(audio < 0)[[0, -1]] / SAMPLE_RATE  # the speech is never below 0
        assert said == pytest.approx([onset + 0.06, end], abs=0.03)
        changed = np.flatnonzero(audio != ALONE / 32_768) / SAMPLE_RATE
        assert (changed[0], changed[-1]) == pytest.approx((onset, end + 0.06), abs=0.005)
        # as loud as the speech: half a second of a square wave, in a word of 0.62 s
        assert np.abs(audio).max() == pytest.approx(0.125 * np.sqrt(0.62 / 0.5), rel=0.03)


def test_a_word_within_fluent_speech_is_8_db_softer_to_6_db_louder_than_it() -> None:
    drawn = in_fluent_speech().draw(DRAWN, np.random.default_rng(0))
    level = decibels(-drawn.audio.min(axis=1) / (0.125 * np.sqrt(0.62 / 0.5)))
    assert -8.3 < level.min() < -7
    assert 5 < level.max() < 6.3


def test_a_share_of_the_words_is_within_fluent_speech_and_then_not_cut_out() -> None:
    maker = in_fluent_speech(fluent=0.3, background_speech=0.0, cut_out=1.0)
    drawn = maker.draw(DRAWN, np.random.default_rng(0))
    fluent = (drawn.audio == ALONE / 32_768).any(axis=1)
    assert fluent[drawn.keyword].mean() == pytest.approx(0.3, abs=0.08)
    assert fluent[~drawn.keyword].mean() == pytest.approx(0.3, abs=0.08)


def test_scenes_are_18_db_softer_to_6_db_louder(plain: SceneMaker) -> None:
    drawn = plain.draw(DRAWN, np.random.default_rng(0))
    level = decibels(np.abs(drawn.audio[drawn.keyword]).max(axis=1) / 0.25)
    assert -18.01 <= level.min() < -16.5
    assert 4.5 < level.max() <= 6.01
    assert np.median(level) == pytest.approx(-6, abs=2.5)
    loud = SceneMaker([word(32_000)], [SILENCE], [], NO_SPEECH, [], plain.augmentation)
    assert np.abs(loud.draw(50, np.random.default_rng(0)).audio).max() == 1


def test_two_scenes_of_five_have_the_keyword_and_the_others_are_silent(plain: SceneMaker) -> None:
    drawn = plain.draw(DRAWN, np.random.default_rng(0))
    assert drawn.keyword.mean() == pytest.approx(0.4, abs=0.07)
    assert not drawn.audio[~drawn.keyword].any()
    assert not drawn.end[~drawn.keyword].any()


def test_one_scene_of_five_without_the_keyword_has_what_was_mistaken_for_it(plain: SceneMaker) -> None:
    plain.hard = [word()]
    drawn = plain.draw(DRAWN, np.random.default_rng(0))
    assert drawn.audio[~drawn.keyword].any(axis=1).mean() == pytest.approx(0.2, abs=0.08)


def test_a_word_has_some_of_the_scene_around_it(plain: SceneMaker) -> None:
    plain.augmentation = replace(plain.augmentation, retimed=0.0)
    drawn = plain.draw(DRAWN, np.random.default_rng(0))
    onset = drawn.onset[drawn.keyword]
    assert onset.min() >= 0.2
    assert (onset + 1.0).max() < plain.length / SAMPLE_RATE - 0.1
    assert plain.length == int(2.5 * SAMPLE_RATE)


def noise_levels(maker: SceneMaker, scene: np.ndarray) -> np.ndarray:
    """RMS of the noise added to each of DRAWN copies of the scene that got some."""
    maker.noise = [np.tile(np.array([1_000, -1_000, 0, 0], np.int16), SAMPLE_RATE)]
    random, levels = np.random.default_rng(0), []
    for _ in range(DRAWN):
        noisy = scene.copy()
        maker._add_noise(noisy, random)
        levels.append(np.sqrt(np.square(noisy - scene).mean()))
    return np.array([level for level in levels if level])


def test_noise_is_5_db_above_to_35_db_below_the_scene_four_times_of_five(plain: SceneMaker) -> None:
    scene = np.tile(np.array([0.2, 0, 0, 0], np.float32), plain.length // 4)  # RMS 0.1
    levels = noise_levels(plain, scene)
    ratios = decibels(0.1 / levels)
    assert len(ratios) / DRAWN == pytest.approx(0.8, abs=0.06)
    assert -5.01 < ratios.min() < -3
    assert 33 < ratios.max() < 35.1


def test_noise_in_silence_is_as_loud_as_behind_a_scene_at_the_silence_level(plain: SceneMaker) -> None:
    plain.augmentation = replace(plain.augmentation, noise_snr=(20.0, 20.0), silence_level=0.05)
    levels = noise_levels(plain, np.zeros(plain.length, np.float32))
    assert len(levels) > DRAWN / 2
    assert levels == pytest.approx(0.005, rel=1e-3)


def test_validation_noise_is_0_to_15_db_below_the_loudest_tenth_of_a_second() -> None:
    clips = np.stack([word()] * DRAWN)
    noise = np.tile(np.array([1_000, -1_000], np.int16), SAMPLE_RATE)
    mixed = in_noise(clips, [noise], np.random.default_rng(0))
    ratio = decibels(8_192 / np.abs(mixed[:, 12_000:].astype(float)).max(axis=1))
    assert -0.01 < ratio.min() < 1
    assert 14 < ratio.max() < 15.01


class Still(ScenePool):
    """A pool of one chunk of frames that are all alike, and no masks."""

    def __init__(self, maker: SceneMaker, level: float) -> None:
        maker.augmentation = replace(maker.augmentation, first_chunks=1, chunk=DRAWN)
        super().__init__(maker, 0)
        self.move(0)
        self._chunks[0].frames.fill_(level)
        self._mask = torch.nn.Identity()  # type: ignore[assignment]


def test_a_batch_differs_in_level_and_tilt_by_6_db_at_most(plain: SceneMaker) -> None:
    frames = Still(plain, -2.0).batch(DRAWN, np.random.default_rng(0)).frames
    shift = (frames[:, 0] + 2).numpy() * 10 / np.log(10)  # dB of power, (scenes, bands)
    gain = shift.mean(axis=1)
    tilt = (shift[:, -1] - shift[:, 0]) / 2
    for drawn in (gain, tilt):
        assert -6.01 < drawn.min() < -5.5
        assert 5.5 < drawn.max() < 6.01
    assert abs(np.corrcoef(gain, tilt)[0, 1]) < 0.2
    assert np.allclose(np.diff(shift, axis=1), 2 * tilt[:, None] / (N_MELS - 1), atol=1e-3)
    assert (frames == frames[:, :1]).all()


def test_no_frame_is_below_the_front_ends_floor(plain: SceneMaker) -> None:
    frames = Still(plain, float(np.log(1e-6))).batch(DRAWN, np.random.default_rng(0)).frames
    assert frames.min() == pytest.approx(np.log(1e-6), abs=1e-5)


def test_a_pool_moves_on_by_one_chunk_an_epoch(plain: SceneMaker) -> None:
    plain.augmentation = replace(plain.augmentation, first_chunks=2, kept_chunks=3, chunk=4)
    pool = ScenePool(plain, 3)
    held = []
    for epoch in range(3):
        pool.move(epoch)
        held.append(sorted(pool._chunks))
    assert held == [[0, 1], [0, 1, 2], [1, 2, 3]]
    again = ScenePool(plain, 3)
    again.move(2)  # as a resumed run does
    assert torch.equal(again._chunks[3].frames, pool._chunks[3].frames)
    assert not torch.equal(again._chunks[3].frames, pool._chunks[2].frames)
    other = ScenePool(plain, 4)
    other.move(2)
    assert not torch.equal(other._chunks[3].frames, pool._chunks[3].frames)


def test_workers_make_the_same_examples(plain: SceneMaker, tmp_path: Path) -> None:
    """Also of speech that is in a spool, and with annotations."""
    soundfile.write(tmp_path / "a.wav", np.random.default_rng(0).normal(0, 0.1, 50_000), SAMPLE_RATE)
    plain.speech = Reader().samples([tmp_path / "a.wav"])
    plain.augmentation = replace(plain.augmentation, chunk=8, speech_alone=0.9)
    pools = [StillPool(plain, 0, lambda audio, _: {"audio": audio}, first=3) for _ in range(2)]
    done: list[int] = []
    pools[0].move(0)
    pools[1].move(0, lambda: done.append(len(pools[1].chunks)), jobs=2)
    assert done == [1, 2, 3]
    for own, workers in zip(pools[0].chunks, pools[1].chunks, strict=True):
        assert torch.equal(own.annotations["audio"], workers.annotations["audio"])
        assert torch.equal(own.keyword, workers.keyword)
        assert torch.allclose(own.frames.float(), workers.frames.float(), atol=1e-2)


def test_a_pool_that_stands_still_holds_its_start_in_every_epoch(plain: SceneMaker) -> None:
    plain.augmentation = replace(plain.augmentation, chunk=4)
    pool = StillPool(plain, 3, first=2)
    for epoch in (0, 5):
        pool.move(epoch)
        assert sorted(pool._chunks) == [0, 1]


def test_each_example_keeps_what_belongs_to_it(plain: SceneMaker) -> None:
    """Of 200 examples, more than go through the front end at once, in the order in which they are picked."""
    plain.augmentation = replace(plain.augmentation, chunk=200, keyword_share=0.99)

    def places(audio: torch.Tensor, frames: torch.Tensor) -> dict[str, torch.Tensor]:
        loud = audio.abs() > 1e-3
        last = audio.shape[1] - loud.flip(1).int().argmax(dim=1)
        return {"last": last / SAMPLE_RATE, "frame": frames[:, 100].sum(dim=1)}

    pool = ScenePool(plain, 0, places, first=1)
    pool.move(0)
    [chunk] = pool.chunks
    assert len(chunk.keyword) == 200
    picked = pool.pick(50, np.random.default_rng(0))
    assert len(set(zip(picked.onset.tolist(), picked.end.tolist(), strict=True))) > 47  # none twice
    word = picked.keyword
    assert torch.allclose(picked.annotations["last"][word], picked.end[word], atol=0.04)
    assert torch.allclose(picked.frames[:, 100].float().sum(dim=1), picked.annotations["frame"], atol=0.5)
    assert ((picked.end - picked.onset)[word] > 0.5).all()


def test_speech_is_behind_three_words_of_five_and_alone_in_three_of_ten_other_examples() -> None:
    running = np.full(4 * SAMPLE_RATE, ALONE, np.int16)
    spoken = np.full(SAMPLE_RATE, IN_WORDS, np.int16)
    augmentation = Augmentation(reverberant=0.0, retimed=0.0, level=(0.0, 0.0), hard_share=0.9)
    maker = SceneMaker([word()], [spoken], [], running, [], augmentation)
    random, behind, alone = np.random.default_rng(0), list[np.ndarray](), list[np.ndarray]()
    for _ in range(10):
        drawn = maker.draw(200, random)
        first = drawn.audio[:, 0] * 32_768  # before a word can be there
        all_running = (drawn.audio == ALONE / 32_768).all(axis=1)
        behind.append(first[drawn.keyword])
        alone.append(all_running[~drawn.keyword])
        assert not all_running[drawn.keyword].any()
    shares = [np.mean(np.concatenate(behind) == value) for value in (0, ALONE, IN_WORDS)]
    assert shares == pytest.approx([0.4, 0.6 * 0.6, 0.6 * 0.4], abs=0.04)
    assert np.concatenate(alone).mean() == pytest.approx(0.3 * 0.6, abs=0.03)


def test_separate_words_follow_each_other_in_half_a_second_to_one() -> None:
    spoken = np.full(SAMPLE_RATE, 1_000, np.int16)
    spoken[0] = 30_000  # where it begins
    augmentation = Augmentation(reverberant=0.0, running_speech=0.0, seconds=60)
    maker = SceneMaker([word()], [spoken], [], NO_SPEECH, [], augmentation)
    scene = np.zeros(maker.length, np.float32)
    maker._fill_with_speech(scene, np.random.default_rng(0))
    starts = np.flatnonzero(scene > 0.5) / SAMPLE_RATE
    apart = np.diff(starts)
    assert 0.549 < apart.min() < 0.6
    assert 0.95 < apart.max() < 1.001
    assert (scene > 0).all()  # no gap


def test_a_quarter_of_the_examples_is_in_a_room(plain: SceneMaker) -> None:
    clip = SILENCE.copy()
    clip[8_000:8_016] = 30_000
    plain.keyword = [clip]
    plain.augmentation = Augmentation(keyword_share=0.99, retimed=0.0, decay=(0.7, 0.7))
    drawn = plain.draw(DRAWN, np.random.default_rng(0))
    heard = [(np.abs(audio) > 0).sum() for audio, _, _ in keyword_scenes(drawn)]
    assert np.mean(np.array(heard) > 1_000) == pytest.approx(0.25, abs=0.07)


def test_what_fades_out_belongs_to_the_word_down_to_two_fifths_of_its_range() -> None:
    """From a floor of 0 dB to a peak of 60 dB: 27 dB is loud, 21 dB is not."""

    def ending_in(level: float) -> float:
        clip = np.ones(SAMPLE_RATE) * 10 ** (np.log10(1) / 2)
        clip[4_000:8_000] = 1_000  # 60 dB, to 0.5 s
        clip[8_000:12_000] = 10 ** (level / 20)  # to 0.75 s
        return word_end(clip.round().astype(np.int16))

    assert ending_in(27) == pytest.approx(0.75, abs=0.03)
    assert ending_in(21) == pytest.approx(0.5, abs=0.03)
