"""The finished clip: trimmed, at one loudness, and refused where there is nothing in it."""

import numpy as np
import pytest

from kwsd.errors import AudioError
from kwsd.training.synthesis.engines.espeak import espeak_voices
from kwsd.training.synthesis.languages.en import ENGLISH
from kwsd.training.synthesis.speech import Line, finish


def tone(seconds: float, level: float) -> np.ndarray:
    return (level * np.sin(np.arange(int(seconds * 16_000)) * 0.2)).astype(np.float32)


@pytest.mark.parametrize("level", [0.001, 0.1, 1.0])
def test_silence_goes_and_loudness_is_one(level: float) -> None:
    clip = finish(np.concatenate([tone(1.0, 0.0), tone(0.5, level), tone(2.0, 0.0)]), phonemes=4)
    assert 0.5 <= len(clip) / 16_000 <= 0.62
    assert clip.dtype == np.int16
    assert np.sqrt((clip[1600:6400].astype(float) ** 2).mean()) == pytest.approx(0.08 * 32767, rel=0.05)


def test_a_click_does_not_clip() -> None:
    speech = tone(0.5, 0.01)
    speech[4000] = 1.0
    assert np.abs(finish(speech, phonemes=2).astype(int)).max() <= 0.91 * 32767


@pytest.mark.parametrize("samples", [np.zeros(0, np.float32), np.zeros(16_000, np.float32)])
def test_silence_is_refused(samples: np.ndarray) -> None:
    with pytest.raises(AudioError, match="silent"):
        finish(samples, phonemes=3)


def test_cut_speech_is_refused() -> None:
    with pytest.raises(AudioError, match="too short for 12 phonemes"):
        finish(tone(0.2, 0.1), phonemes=12)


@pytest.mark.parametrize("text", ["", "view, glass"])
def test_a_robotic_voice_pauses_between_words_in_phonemes_as_in_text(text: str) -> None:
    voice = espeak_voices(ENGLISH)[0]
    clip = finish(voice.say(Line(text, "vjˈuː, ɡlˈæs"), 1.0, 0), phonemes=7)
    loudness = np.abs(clip[len(clip) // 160 * -160 :].reshape(-1, 160)).max(axis=1)
    quiet = "".join("." if each < 0.03 * 32767 * 0.08 else "#" for each in loudness)
    assert max(map(len, quiet.strip(".").split("#"))) >= 8, quiet  # 80 ms
