"""The plan: the same seed asks for the same, and no sentence says the keyword."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kwsd.errors import UsageError
from kwsd.training.synthesis.engines.espeak import espeak, espeak_voices
from kwsd.training.synthesis.engines.nanotts import NanoVoice
from kwsd.training.synthesis.keyword import Keyword
from kwsd.training.synthesis.languages.en import BRITISH, ENGLISH
from kwsd.training.synthesis.plan import KINDS, Plan
from kwsd.training.synthesis.sentences import grammar, sentence

VOICES = {"espeak": espeak_voices(ENGLISH), "nanotts": [NanoVoice("en-GB", BRITISH, 1.0)]}
COUNTS = {"keyword": 5, "near_misses": 30, "sentences": 60}


def plan(text: str, seed: int = 0) -> Plan:
    return Plan(Keyword(text), VOICES, seed)


def test_same_seed_same_clips() -> None:
    drawn = [[utterance.record for utterance in plan("radio").draw_all(COUNTS)] for _ in range(2)]
    assert drawn[0] == drawn[1]


def test_more_clips_keep_the_first_ones() -> None:
    few, many = (
        {utterance.file for utterance in plan("radio").draw_all({"near_misses": count})} for count in (10, 25)
    )
    assert few < many


def test_another_seed_other_clips() -> None:
    one, other = ({u.file for u in plan("radio", seed).draw_all(COUNTS)} for seed in (0, 1))
    assert not one & other


@pytest.mark.parametrize("text", ["radio", "music", "happy", "kitchen"])
def test_only_the_keyword_says_the_keyword(text: str) -> None:
    """The words are in the sentences' grammar, but for "happy", which is spoken within "unhappy" alone."""
    drawn = plan(text).draw_all(COUNTS)
    assert {utterance.kind for utterance in drawn} == set(KINDS)
    keyword = Keyword(text)
    for utterance in drawn:
        assert utterance.line.phonemes
        if utterance.kind == "keyword":
            assert utterance.distance <= keyword.furthest
        else:
            assert not keyword.said_in(utterance.line.phonemes)
        if utterance.kind == "sentences":
            assert text not in utterance.line.text.lower()


def test_a_voice_that_reads_text_gets_text() -> None:
    said = [
        utterance.line.text for utterance in plan("radio").draw_all(COUNTS) if utterance.engine == "nanotts"
    ]
    assert all(said)


def test_other_voices_say_the_keyword_in_variants_too() -> None:
    drawn = [u for u in plan("computer").draw_all({"keyword": 200}) if u.engine == "espeak"]
    variants = [utterance for utterance in drawn if utterance.distance > 0]
    assert 0.45 < len(variants) / len(drawn) < 0.75
    assert not any(utterance.line.text for utterance in variants)
    assert all("computer" in utterance.line.text for utterance in drawn if utterance not in variants)


def test_some_clips_pause_between_the_words_of_the_keyword() -> None:
    drawn = plan("view glass").draw_all({"keyword": 400})
    pauses = [", " in utterance.line.phonemes for utterance in drawn]
    assert 0.13 < sum(pauses) / len(pauses) < 0.27
    written = [(u.line.text, pause) for u, pause in zip(drawn, pauses, strict=True) if u.line.text]
    assert {", " in text for text, pause in written if pause} == {True}
    assert {", " in text for text, pause in written if not pause} == {False}
    assert not any(", " in u.line.phonemes for u in plan("computer").draw_all({"keyword": 200}))


def test_the_keyword_is_spoken_more_slowly_than_a_voice_does_by_itself() -> None:
    speeds = [utterance.speed for utterance in plan("radio").draw_all({"keyword": 400})]
    assert 0.6 <= min(speeds) < 0.65
    assert 1.05 < max(speeds) <= 1.1


def test_keyword_within_a_longer_word_is_said() -> None:
    keyword = Keyword("happy")
    assert all(keyword.said_in(espeak().phonemes("I am unhappy today", accent)) for accent in ENGLISH.accents)
    assert not keyword.said_in(espeak().phonemes("I hippie or happen", "en-us"))


def test_keyword_nobody_can_say_is_refused() -> None:
    with pytest.raises(UsageError, match="pronunciation"):
        Keyword("...")


@given(st.integers(0, 2**32), st.lists(st.sampled_from(["hippie", "harpy"]), max_size=2))
def test_sentences_are_filled(seed: int, near: list[str]) -> None:
    made = sentence(ENGLISH, near, np.random.default_rng(seed))
    assert made[0].isupper() or made[0].isdigit()
    assert made[-1] in ".?!"
    assert not set("{}_|\n") & set(made)


def test_every_slot_can_be_filled() -> None:

    slots = {
        slot
        for options in grammar("en").values()
        for option in options
        for slot in re.findall(r"{(\w+)}", option)
    }
    assert slots <= {*grammar("en"), "near"}
