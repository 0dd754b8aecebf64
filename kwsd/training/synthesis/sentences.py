"""Random everyday sentences: from a kitchen, to a voice assistant and on the radio.

The grammar of a language is in languages/CODE.txt.
"""

import re
from collections.abc import Sequence
from functools import cache
from importlib.resources import files

import numpy as np

from kwsd.training.synthesis.language import Language

NEAR_SHARE = 0.35  # share of the sentences that contain a word that sounds like the keyword
_NEAR_ENDINGS = (".", ".", "?", "!")
_SLOT = re.compile(r"{(\w+)}")


@cache
def grammar(code: str) -> dict[str, tuple[str, ...]]:
    """The options of every slot, by the name of the slot, in the language with this code."""
    text = files(__package__).joinpath("languages", f"{code}.txt").read_text("utf-8")
    lines = re.sub(r"\n +", " ", text).splitlines()  # an indented line continues the one before
    slots = (line.split(": ", 1) for line in lines if line and not line.startswith("#"))
    return {slot: tuple(options.split(" | ")) for slot, options in slots}


def sentence(language: Language, near: Sequence[str], random: np.random.Generator) -> str:
    """One sentence. If `near` has words, NEAR_SHARE of the sentences contain some of them."""
    choices = {**grammar(language.code), "near": tuple(near)}

    def pick(options: Sequence[str]) -> str:
        return options[int(random.integers(len(options)))]

    if near and random.random() < NEAR_SHARE:
        text = pick(choices["sentence_near"]) + pick(_NEAR_ENDINGS)
    else:
        text = pick(choices["sentence"])
    while _SLOT.search(text):
        text = _SLOT.sub(lambda slot: pick(choices[slot[1]]), text)
    for written, contracted in language.contractions:
        text = re.sub(written, contracted, text)
    return text[0].upper() + text[1:]
