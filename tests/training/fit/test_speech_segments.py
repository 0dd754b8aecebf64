"""Running speech as segments of embeddings: what they hold, what they teach, what is kept on the disk."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from kwsd.runtime.embedding import EMBEDDING
from kwsd.runtime.model import STUDENT
from kwsd.training.augment.augmentation import Augmentation
from kwsd.training.augment.pool import Scenes
from kwsd.training.augment.scenes import SceneMaker
from kwsd.training.fit.recipe import Recipe, Teaching
from kwsd.training.fit.speech_segments import SpeechSegments, default_cache, embedded_speech, segment_odds
from kwsd.training.fit.teacher import train_heads
from kwsd.training.nn.embedding import SpeechEmbedding

SILENCE = np.zeros(16_000, np.int16)


class Last(nn.Module):
    """A head whose log-odds are the first number of the last embedding that it sees."""

    def forward(self, embeddings: Tensor) -> Tensor:
        odds = embeddings[..., 0]
        return torch.stack([torch.zeros_like(odds), odds], dim=2)


def numbered(pieces: int, count: int) -> SpeechSegments:
    """Pieces whose embeddings are 0, 1, 2, ... throughout."""
    numbers = torch.arange(pieces * count, dtype=torch.float16).reshape(pieces, count, 1)
    return SpeechSegments(numbers.expand(-1, -1, EMBEDDING))


def test_every_window_of_a_piece_is_in_one_segment() -> None:
    speech = numbered(2, 39)  # windows of ten end at the embeddings 9 to 38 and 48 to 77
    assert len(speech) == 6
    odds = segment_odds(Last(), speech.at(torch.arange(6)))
    assert odds.flatten().tolist() == [*range(9, 39), *range(48, 78)]


def test_all_segments_are_drawn() -> None:
    speech = numbered(2, 39)
    drawn = speech.draw(100, np.random.default_rng(0))
    assert drawn.shape == (100, 19, EMBEDDING)
    assert set(drawn[:, 0, 0].tolist()) == {0, 10, 20, 39, 49, 59}


def test_heads_learn_to_refuse_running_speech() -> None:
    """A head that was trained with speech that sounds like the keyword is less sure of it than another."""
    keyword = torch.ones(1, 20, EMBEDDING, dtype=torch.float16)
    examples = Scenes(
        torch.zeros(64, 1, 1),
        torch.arange(64) < 32,
        torch.full((64,), 0.9),
        torch.full((64,), 1.6),
        {"embedding": torch.cat([keyword.repeat(32, 1, 1), -keyword.repeat(32, 1, 1)])},
    )

    class Pool:
        def move(self, epoch: int) -> None: ...

        def pick(self, count: int, random: np.random.Generator) -> Scenes:  # noqa: ARG002
            return examples

    def odds(speech: SpeechSegments | None) -> float:
        teaching = Teaching(heads=1, head_batches=60)
        [head] = train_heads(Pool(), speech, Recipe(STUDENT), teaching)  # type: ignore[arg-type]
        with torch.no_grad():
            return segment_odds(head, keyword[:, :19].float()).mean().item()

    assert odds(SpeechSegments(keyword.repeat(8, 2, 1))) < odds(None) - 2


def maker(seed: int = 0) -> SceneMaker:
    """White noise as loud as the speech disguises it."""
    noise = (np.random.default_rng(seed).normal(size=320_000) * 3000).astype(np.int16)
    augmentation = Augmentation(noisy=1.0, noise_snr=(0.0, 0.0))
    return SceneMaker([SILENCE], [], [noise], [], [], augmentation)


def test_speech_is_embedded_once_as_recorded_and_once_disguised(tmp_path: Path) -> None:
    recorded = (10_000 * np.sin(np.arange(25 * 16_000) / 5)).astype(np.int16)  # a tone of 509 Hz
    embedding, done = SpeechEmbedding(), list[int]()

    def embedded(scenes: SceneMaker) -> SpeechSegments:
        found = embedded_speech([[recorded], [SILENCE]], scenes, embedding, tmp_path, done.append)
        assert found
        return found

    speech = embedded(maker())
    assert len(speech) == 2 * 23  # of 20 s
    whole = embedding(torch.from_numpy(recorded[None, : 20 * 16_000].astype(np.float32) / 32768))
    np.testing.assert_allclose(speech.at(torch.tensor([0]))[0], whole[0, :19], rtol=0.01, atol=0.1)
    assert not torch.allclose(speech.at(torch.tensor([0])), speech.at(torch.tensor([23])), atol=10)

    again = embedded(maker())
    assert done == [1]  # the second time they were read
    assert torch.equal(again.at(torch.arange(46)), speech.at(torch.arange(46)))
    embedded(maker(seed=1))  # other noise
    assert done == [1, 1]
    assert len(list(tmp_path.iterdir())) == 2


def test_without_speech_there_are_no_segments(tmp_path: Path) -> None:
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
    sources: list[list[np.ndarray]], cache: Path, scenes: SceneMaker, weight: float = 0.0
) -> SpeechSegments | None:
    return embedded_speech(sources, scenes, Raw(weight), cache)  # type: ignore[arg-type]


def constant(seconds: int, value: int) -> np.ndarray:
    return np.full(seconds * 16_000, value, np.int16)


def test_each_source_is_cut_and_kept_alone(tmp_path: Path) -> None:
    sources = [[constant(15, 4096), constant(10, 4096)], [constant(15, 1)], [constant(45, 8192)]]
    speech = raw(sources, tmp_path, maker())
    assert speech is not None
    assert len(list(tmp_path.iterdir())) == 2  # the second has less than 20 s
    each = len(speech) // 6  # three pieces, each as recorded and disguised
    recorded = [speech.at(torch.tensor([2 * piece * each]))[0, 0, 0].item() for piece in range(3)]
    assert recorded == [0.125, 0.25, 0.25]


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
    every = torch.arange(len(one))
    assert torch.equal(one.at(every), two.at(every))


@pytest.mark.skipif("sys.platform == 'win32'")
def test_embeddings_are_kept_in_the_cache_of_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/there")
    assert default_cache() == Path("/there/kwsd/embeddings")
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", "/home/me")
    assert default_cache() == Path("/home/me/.cache/kwsd/embeddings")
