"""Running speech as embeddings: what is made of it, and what is kept on the disk."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from kwsd.runtime.embedding import EMBEDDING
from kwsd.training.augment.augmentation import Augmentation
from kwsd.training.augment.scenes import SceneMaker
from kwsd.training.fit.embedded_speech import embedded_speech
from kwsd.training.nn.embedding import SpeechEmbedding

SILENCE = np.zeros(16_000, np.int16)


def maker(seed: int = 0) -> SceneMaker:
    """White noise as loud as the speech disguises it."""
    noise = (np.random.default_rng(seed).normal(size=320_000) * 3000).astype(np.int16)
    augmentation = Augmentation(noisy=1.0, noise_snr=(0.0, 0.0))
    return SceneMaker([SILENCE], [], [noise], SILENCE, [], augmentation)


def test_speech_is_embedded_once_as_recorded_and_once_disguised(tmp_path: Path) -> None:
    recorded = (10_000 * np.sin(np.arange(25 * 16_000) / 5)).astype(np.int16)  # a tone of 509 Hz
    embedding, done = SpeechEmbedding(), list[int]()

    def embedded(scenes: SceneMaker) -> Tensor:
        found = embedded_speech([[recorded], [SILENCE]], scenes, embedding, tmp_path, done.append)
        assert found is not None
        return found

    speech = embedded(maker())
    assert len(speech) == 2  # of 20 s
    whole = embedding(torch.from_numpy(recorded[None, : 20 * 16_000].astype(np.float32) / 32768))
    np.testing.assert_allclose(speech[0], whole[0], rtol=0.01, atol=0.1)
    assert not torch.allclose(speech[0], speech[1], atol=10)

    assert torch.equal(embedded(maker()), speech)
    [kept] = tmp_path.iterdir()
    np.save(kept, np.zeros_like(speech))
    assert not embedded(maker()).any()  # it was read, not made again
    embedded(maker(seed=1))  # other noise
    assert len(list(tmp_path.iterdir())) == 2
    assert done == [1, 1, 1, 1]  # pieces, made or read


def test_without_speech_there_is_nothing(tmp_path: Path) -> None:
    assert embedded_speech([[], [SILENCE]], maker(), SpeechEmbedding(), tmp_path) is None
    assert not list(tmp_path.iterdir())


class Raw:
    """In place of the embedding: 96 samples of the audio are an embedding."""

    def __init__(self, weight: float = 0.0) -> None:
        self.weight = weight

    def __call__(self, audio: Tensor) -> Tensor:
        return audio[:, : 250 * EMBEDDING].reshape(len(audio), 250, EMBEDDING)

    def arrays(self) -> dict[str, np.ndarray]:
        return {"weight": np.array([self.weight])}


def raw(
    sources: list[list[np.ndarray]], cache: Path | None, scenes: SceneMaker, weight: float = 0.0
) -> Tensor | None:
    return embedded_speech(sources, scenes, Raw(weight), cache)  # type: ignore[arg-type]


def constant(seconds: int, value: int) -> np.ndarray:
    return np.full(seconds * 16_000, value, np.int16)


def test_each_source_is_cut_and_kept_alone(tmp_path: Path) -> None:
    sources = [[constant(15, 4096), constant(10, 4096)], [constant(15, 1)], [constant(45, 8192)]]
    speech = raw(sources, tmp_path, maker())
    assert speech is not None
    assert len(list(tmp_path.iterdir())) == 2  # the second has less than 20 s
    assert speech[::2, 0, 0].tolist() == [0.125, 0.25, 0.25]  # three pieces, each as recorded and disguised


def test_what_is_kept_depends_on_all_that_it_is_made_from_and_on_nothing_else(tmp_path: Path) -> None:
    source = [[constant(20, 4096)]]
    quieter = maker()
    quieter.augmentation = Augmentation(noisy=1.0, noise_snr=(20.0, 20.0))
    raw(source, tmp_path / "all", maker())
    raw([[constant(20, 8192)]], tmp_path / "all", maker())
    raw(source, tmp_path / "all", maker(seed=1))
    raw(source, tmp_path / "all", quieter)
    raw(source, tmp_path / "all", maker(), weight=1.0)
    assert len(list((tmp_path / "all").iterdir())) == 5
    one, two = (raw(source, tmp_path / name, maker()) for name in ("one", "two"))
    assert one is not None
    assert two is not None
    assert torch.equal(one, two)


def test_embeddings_are_kept_in_the_cache_of_the_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kwsd.training.fit.embedded_speech.user_folder", lambda kind: tmp_path / kind)
    raw([[constant(20, 4096)]], None, maker())
    assert len(list((tmp_path / "cache" / "embeddings").iterdir())) == 1
