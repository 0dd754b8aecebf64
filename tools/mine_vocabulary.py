"""Prints which words and phrases a model takes for its word, the surest first.

    pip install '.[synth]' wordfreq
    python -c "import wordfreq; print(*wordfreq.top_n_list('en', 26_000), sep='\\n')" > words.txt
    python tools/mine_vocabulary.py jarvis --words words.txt

The words are said by the engines that need the least time, once by each: hibari (natural) and espeak-ng
(robotic). So are phrases of common words that sound like the word across their boundaries.

With --threshold 0.1 --out FOLDER it also writes recordings of them, as speech to train new heads with: not of
those that are so near that people may say the word itself like that (Keyword.nearest).
"""

import argparse
from pathlib import Path

import soundfile

from kwsd.pcm import SAMPLE_RATE
from kwsd.runtime.modelfile import find_model, read_model
from kwsd.training.evaluate.vocabulary import FalseAlarm, false_alarms
from kwsd.training.synthesis.engines.espeak import espeak
from kwsd.training.synthesis.keyword import Keyword
from kwsd.training.synthesis.languages.en import ENGLISH
from kwsd.training.synthesis.near_phrases import near_phrases
from kwsd.training.synthesis.vocabulary import FAST_ENGINES, spoken
from kwsd.training.synthesis.voices import find_voices

COMMON = 6_000  # words of which phrases are made


def main() -> None:
    """Parse the options and print a line for each kind of text and engine."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("model")
    parser.add_argument("--words", type=Path, required=True, help="a word a line, the commonest first")
    parser.add_argument("--count", type=int, default=20_000, help="words to try")
    parser.add_argument("--phrases", type=int, default=600)
    parser.add_argument("--engines", nargs="+", choices=FAST_ENGINES, default=FAST_ENGINES)
    parser.add_argument("--show", type=int, default=20, help="false alarms to print")
    parser.add_argument("--threshold", type=float, help="instead of the model's own")
    parser.add_argument("--out", type=Path, help="folder for recordings of the false alarms")
    given = parser.parse_args()
    model = read_model(find_model(given.model))
    keyword, voices = Keyword(model.keyword), find_voices(None)[0]
    listed = given.words.read_text("utf-8").splitlines()
    words = [w for w in listed if w.isascii() and w.isalpha() and (len(w) > 1 or w in "ai")][: given.count]
    words = [w for w in words if not keyword.said_in(espeak().phonemes(w, ENGLISH.accents[0]))]
    pronounced = {w: ENGLISH.sounds(espeak().phonemes(w, ENGLISH.accents[0])) for w in words[:COMMON]}
    phrases = near_phrases(keyword, {w: sounds for w, sounds in pronounced.items() if sounds}, given.phrases)
    for kind, texts in (("words", words), ("phrases", phrases)):
        for engine in given.engines:
            said = spoken(texts, ENGLISH, voices[engine], seed=1)
            found = sorted(false_alarms(model, said, given.threshold), key=lambda alarm: -alarm.posterior)
            print(f"{len(found)} of {len(texts)} {kind}, {engine}:", flush=True)
            print("  " + ", ".join(f"{alarm.text} {alarm.posterior:.3f}" for alarm in found[: given.show]))
            if given.out:
                write(found, keyword, given.out / engine)


def write(alarms: list[FalseAlarm], keyword: Keyword, folder: Path) -> None:
    """Write a recording of each false alarm that does not sound too much like the keyword."""
    folder.mkdir(parents=True, exist_ok=True)
    for alarm in alarms:
        if keyword.distance_in(espeak().phonemes(alarm.text, ENGLISH.accents[0])) >= keyword.nearest:
            soundfile.write(folder / f"{alarm.text.replace(' ', '_')}.flac", alarm.audio, SAMPLE_RATE)


if __name__ == "__main__":
    main()
