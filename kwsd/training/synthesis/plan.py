"""Draws at random which voice says what and how; the same seed gives the same clips."""

import hashlib
import json
from dataclasses import dataclass
from typing import Any

import numpy as np

from kwsd.training.synthesis.engines.espeak import espeak
from kwsd.training.synthesis.keyword import Keyword
from kwsd.training.synthesis.lexicon import near_words
from kwsd.training.synthesis.near_misses import near_miss
from kwsd.training.synthesis.sentences import sentence
from kwsd.training.synthesis.speech import Line, Voice
from kwsd.training.synthesis.variants import variant
from kwsd.training.synthesis.voices import Voices

KINDS = ("keyword", "near_misses", "sentences")
ENGINE_SHARES = {  # per kind of clip; the shares of missing engines go to the others
    "keyword": {"kokoro": 0.65, "hibari": 0.12, "espeak": 0.10, "nanotts": 0.06, "flite": 0.07},
    "near_misses": {"kokoro": 0.50, "hibari": 0.25, "espeak": 0.09, "nanotts": 0.08, "flite": 0.08},
    "sentences": {"kokoro": 0.25, "hibari": 0.40, "espeak": 0.10, "nanotts": 0.12, "flite": 0.13},
}
ENDINGS = (".", ".", "?", "!", ",", "")  # punctuation after a word, which changes its melody
MIN_SPEED, MAX_SPEED = 0.6, 1.1  # 1 is the voice's own; people say a keyword more slowly
PAUSE_SHARE = 0.2  # of the clips of a keyword of several words, with a pause between these
VARIANT_SHARE = 0.6  # of the clips of the keyword, where the engine can say any pronunciation
REAL_WORD_SHARE = 0.45  # of the near misses; the others are invented from the keyword's phonemes
NEAR_WORDS = 300  # number of real words to draw from; more similar ones are drawn more often


@dataclass(frozen=True)
class Utterance:
    """One clip. language: its code. kind: one of KINDS. speed, take: see Voice.say.

    distance: see Keyword.distance.
    """

    language: str
    keyword: str
    kind: str
    line: Line
    engine: str
    voice: str
    speed: float
    take: int
    distance: float

    @property
    def _facts(self) -> dict[str, Any]:
        return {
            "keyword": self.keyword,
            "text": self.line.text,
            "phonemes": self.line.phonemes,
            "engine": self.engine,
            "voice": self.voice,
            "speed": self.speed,
            "take": self.take,
            "distance": self.distance,
        }

    @property
    def file(self) -> str:
        """Path of its file in the folder. The voice and a hash of all facts in it identify the clip."""
        digest = hashlib.sha256(json.dumps(self._facts, sort_keys=True).encode()).hexdigest()[:12]
        return f"{self.kind}/{self.voice}_nohash_{digest}.flac"

    @property
    def record(self) -> dict[str, Any]:
        """Its entry in the manifest."""
        return {"file": self.file, "language": self.language, **self._facts}


class Plan:
    """Draws utterances. Utterance n of a kind depends only on n and the seed."""

    def __init__(self, keyword: Keyword, voices: Voices, seed: int) -> None:
        self.keyword, self.voices, self.seed = keyword, voices, seed
        self.near_words = near_words(keyword, NEAR_WORDS)

    def draw_all(self, counts: dict[str, int]) -> list[Utterance]:
        """`counts` utterances of each kind, shuffled so that slow and fast engines alternate."""
        drawn = [self.draw(kind, number) for kind, count in counts.items() for number in range(count)]
        return [drawn[place] for place in np.random.default_rng(self.seed).permutation(len(drawn))]

    def draw(self, kind: str, number: int) -> Utterance:
        """Utterance `number` of a kind."""
        random = np.random.default_rng([self.seed, KINDS.index(kind), number])
        only_invented = kind == "near_misses" and not self.near_words
        shares = {
            engine: share
            for engine, share in ENGINE_SHARES[kind].items()
            if engine in self.voices and not (only_invented and self.voices[engine][0].needs_text)
        }
        odds = np.array(list(shares.values()))
        engine = str(random.choice(list(shares), p=odds / odds.sum()))
        voice = self.voices[engine][int(random.integers(len(self.voices[engine])))]
        lines = {"keyword": self._keyword, "near_misses": self._near_miss, "sentences": self._sentence}
        line = lines[kind](voice, random)
        speed = round(float(random.uniform(MIN_SPEED, MAX_SPEED)), 2)
        distance = round(self.keyword.distance(line.phonemes), 2)
        take = int(random.integers(1000))
        code = self.keyword.language.code
        return Utterance(code, self.keyword.text, kind, line, engine, voice.name, speed, take, distance)

    def _keyword(self, voice: Voice, random: np.random.Generator) -> Line:
        ending = ENDINGS[random.integers(len(ENDINGS))]
        text, phonemes = self.keyword.text, self.keyword.pronunciations[voice.accent]
        if not voice.needs_text and random.random() < VARIANT_SHARE:
            text, phonemes = "", variant(self.keyword, voice.accent, random)
        if random.random() < PAUSE_SHARE:
            text, phonemes = text.replace(" ", ", "), phonemes.replace(" ", ", ")
        return Line(text + ending if text else "", phonemes + ending)

    def _near_miss(self, voice: Voice, random: np.random.Generator) -> Line:
        ending = ENDINGS[random.integers(len(ENDINGS))]
        if self.near_words and (voice.needs_text or random.random() < REAL_WORD_SHARE):
            near = self._near_word(random)
            return Line(near + ending, espeak().phonemes(near, voice.accent) + ending)
        return Line("", near_miss(self.keyword, voice.accent, random) + ending)

    def _near_word(self, random: np.random.Generator) -> str:
        """A real word that sounds like the keyword; the more similar, the more likely."""
        place = int(len(self.near_words) * random.random() ** 2)
        return self.near_words[place]

    def _sentence(self, voice: Voice, random: np.random.Generator) -> Line:
        language = self.keyword.language
        while True:  # until a sentence does not contain the keyword
            text = sentence(language, self.near_words, random)
            accents = (voice.accent, *language.accents[:2])
            spoken = {accent: espeak().phonemes(text, accent) for accent in accents}
            written = self.keyword.text.lower() in text.lower()
            if not written and not any(map(self.keyword.said_in, spoken.values())):
                return Line(text, spoken[voice.accent])
