"""Every language: its data is complete, its near misses are near, its voices speak it."""

import gzip
import json
import re
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import numpy as np
import pytest

from kwsd.training.synthesis.alphabets import to_espeak, to_misaki
from kwsd.training.synthesis.engines.espeak import RATE_HZ, espeak, espeak_voices
from kwsd.training.synthesis.engines.kokoro import alphabet, kokoro_voices
from kwsd.training.synthesis.keyword import Keyword
from kwsd.training.synthesis.language import Language
from kwsd.training.synthesis.languages import LANGUAGES
from kwsd.training.synthesis.languages.es import SPANISH
from kwsd.training.synthesis.lexicon import lexicon, near_words
from kwsd.training.synthesis.near_misses import near_miss
from kwsd.training.synthesis.phonemes import ALL_SOUNDS, contains
from kwsd.training.synthesis.plan import Plan
from kwsd.training.synthesis.sentences import grammar, sentence
from kwsd.training.synthesis.speech import finish, to_16k

every_language = pytest.mark.parametrize("language", LANGUAGES.values(), ids=LANGUAGES)
WORDS = {
    "de": ("hallo computer", "zwiebelsuppe", "schlüssel"),
    "en": ("hey computer", "thirsty", "vision"),
    "es": ("hola ordenador", "guitarra", "cigüeña"),
    "fr": ("bonjour ordinateur", "champignon", "montagne"),
    "it": ("ciao computer", "gnocchi", "zucchero"),
    "nl": ("hallo computer", "goedemorgen", "schijnwerper"),
    "pt": ("oi computador", "cachorrinho", "coração"),
}


@every_language
def test_sounds_are_known(language: Language) -> None:
    assert set(language.inventory) <= set(ALL_SOUNDS)
    for phoneme, stands_for in language.fold.items():
        assert phoneme not in language.inventory
        assert language.sounds(phoneme + language.vowels[0]) != (language.vowels[0],)
        assert stands_for in language.inventory or set(stands_for) <= set(language.inventory)
    for syllable in (*language.onsets, *language.syllable_vowels, *language.codas):
        assert "".join(language.split(syllable)) == syllable


@every_language
def test_every_sound_has_a_name_in_every_engine(language: Language) -> None:
    pytest.importorskip("hibari", reason="needs hibari's copy of Kokoro's alphabet")
    invented = (*language.inventory, *language.onsets, *language.syllable_vowels, *language.codas)
    words = [espeak().phonemes(word, language.accents[0]) for word in WORDS[language.code]]
    for ipa in (*invented, *words):
        assert to_espeak(ipa, language).isascii()
        assert set(to_misaki(ipa, language, language.accents[0])) <= {*alphabet()}


@every_language
def test_words_have_only_known_sounds(language: Language) -> None:
    """Nothing that espeak-ng writes is lost: no phoneme folds to nothing."""
    for word in WORDS[language.code]:
        for accent in language.accents:
            for phoneme in language.split(espeak().phonemes(word, accent).replace(" ", "")):
                assert language.sounds(phoneme + language.vowels[0])[:-1], (word, phoneme)


@every_language
def test_espeak_speaks_its_phonemes_as_its_text(language: Language) -> None:
    for word in WORDS[language.code]:
        accent = language.accents[0]
        spoken = f"[[{to_espeak(espeak().phonemes(word, accent), language)}]]"
        by_sounds, by_letters = (
            len(finish(to_16k(espeak().say(text, accent, 1.0, 50), RATE_HZ), 4)) for text in (spoken, word)
        )
        assert by_sounds == pytest.approx(by_letters, rel=0.2), word


@every_language
def test_sentences_are_filled(language: Language) -> None:
    slots = grammar(language.code)
    used = re.findall(r"{(\w+)}", json.dumps(slots))
    assert {*used, "sentence", "sentence_near"} == {*slots, "near"}
    random = np.random.default_rng(0)
    for _ in range(200):
        assert not set("{}_|\n") & set(sentence(language, ["tata"], random))


@every_language
def test_near_misses_are_never_the_keyword(language: Language) -> None:
    keyword, random = Keyword(WORDS[language.code][0], language), np.random.default_rng(0)
    made = [language.sounds(near_miss(keyword, language.accents[-1], random)) for _ in range(100)]
    assert len(set(made)) > 40
    assert not any(contains(sounds, spoken) for sounds in made for spoken in keyword.spoken)


def test_the_plan_speaks_the_language(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kwsd.training.synthesis.lexicon.lexicon", lambda _: {})  # takes seconds
    plan = Plan(Keyword("guitarra", SPANISH), {"espeak": espeak_voices(SPANISH)}, seed=0)
    drawn = plan.draw_all({"keyword": 10, "near_misses": 10, "sentences": 10})
    assert {utterance.record["language"] for utterance in drawn} == {"es"}
    accents = {utterance.voice.rsplit("-", 1)[0] for utterance in drawn}
    assert accents == {"espeak-es", "espeak-es-419"}
    for utterance in drawn:
        if utterance.kind == "keyword":
            assert utterance.distance <= plan.keyword.furthest
        else:
            assert not plan.keyword.said_in(utterance.line.phonemes)


def test_a_word_of_another_language_is_pronounced_without_marks() -> None:
    assert "(" not in espeak().phonemes("der Browser und das Meeting", "de")


def test_real_words_like_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    counts = {"halle": 70, "hallo": 90, "l'hallo": 60, "tisch": 80}
    (tmp_path / "spellchecker" / "resources").mkdir(parents=True)
    (tmp_path / "spellchecker" / "__init__.py").touch()
    packed = gzip.compress(json.dumps(counts).encode())
    (tmp_path / "spellchecker" / "resources" / "de.json.gz").write_bytes(packed)
    package = str(tmp_path / "spellchecker")
    spec = spec_from_file_location(
        "spellchecker", f"{package}/__init__.py", submodule_search_locations=[package]
    )
    assert spec
    monkeypatch.setitem(sys.modules, "spellchecker", module_from_spec(spec))
    lexicon.cache_clear()
    try:
        assert near_words(Keyword("hallo", LANGUAGES["de"]), 10) == ["tisch"]  # "halle" is too near
    finally:
        lexicon.cache_clear()


def test_kokoro_speaks_spanish_with_all_its_voices(tmp_path: Path) -> None:
    pytest.importorskip("hibari", reason="kokoro needs hibari's alphabet")
    (tmp_path / "voices").mkdir()
    for name in ("af_bella", "bm_lewis", "ef_dora", "em_alex", "zf_xiaoni"):
        (tmp_path / "voices" / f"{name}.bin").touch()
    (tmp_path / "kokoro.onnx").touch()
    accents = {voice.name: voice.accent for voice in kokoro_voices(tmp_path, SPANISH)}
    assert len(accents) == 5 + 1 + 6  # styles; a mix of two Spanish ones; of a Spanish one and another
    assert accents["kokoro-ef_dora"] == accents["kokoro-ef_dora+em_alex"] == "es"
    assert accents["kokoro-af_bella"] == accents["kokoro-af_bella+em_alex"] == "es-419"
    assert "kokoro-af_bella+bm_lewis" not in accents
