"""espeak-ng as a library in this process (PyPI espeakng-loader): text to IPA, and robotic voices."""

import ctypes
import re
from functools import cache
from typing import Any

from kwsd.errors import UsageError
from kwsd.interrupts import interrupts_postponed
from kwsd.resources import installing
from kwsd.training.synthesis.alphabets import to_espeak
from kwsd.training.synthesis.language import Language
from kwsd.training.synthesis.speech import Floats, Line, from_int16, to_16k

RATE_HZ = 22_050
# Variants that could be people. The package has as many others, which whisper, croak or ring
VARIANTS = (
    "m1", "m2", "m3", "m4", "m6", "m7", "m8", "f1", "f2", "f3", "f4", "klatt", "klatt3", "adam", "Alex",
    "Alicia", "Andrea", "Annie", "belinda", "benjamin", "david", "ed", "Gene", "grandma", "grandpa", "ian",
    "john", "linda", "max", "Michael", "paul", "quincy", "rob", "steph", "travis", "victor", "zac",
)  # fmt: skip
_SWITCH = re.compile(r"\([a-z]+(-[a-z]+)*\)")  # "(en)": a word of another language begins or ends
_CLAUSE = re.compile(r"([,.;:!?…]+)\s*")
# From espeak-ng's speak_lib.h
_SYNCHRONOUS = 2  # AUDIO_OUTPUT_SYNCHRONOUS
_UTF8, _PHONEMES, _IPA = 1, 0x100, 2  # espeakCHARS_UTF8, espeakPHONEMES, bit 1 of the phoneme mode
_SPEED, _PITCH = 1, 3  # espeakRATE in words per minute, espeakPITCH from 0 to 100
_WORDS_PER_MINUTE = 165  # at speed 1
_Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)


class Espeak:
    """The library; a process can have one. Raises UsageError if it is not installed or does not start."""

    def __init__(self) -> None:
        try:
            import espeakng_loader
        except ImportError as error:
            raise UsageError(f"espeak-ng is needed to pronounce text: {installing('synth')}") from error
        self._library: Any = ctypes.CDLL(espeakng_loader.get_library_path())
        data = espeakng_loader.get_data_path().encode()
        if self._library.espeak_Initialize(_SYNCHRONOUS, 0, data, 0) != RATE_HZ:
            raise UsageError(
                f"espeak-ng did not start with the data in {data.decode()}; reinstall espeakng-loader"
            )
        self._library.espeak_TextToPhonemes.restype = ctypes.c_char_p
        self._pieces: list[bytes] = []
        self._callback = _Callback(self._on_samples)  # kept alive: the library has a pointer to it
        self._library.espeak_SetSynthCallback(self._callback)

    def _on_samples(self, samples: Any, count: int, _events: Any) -> int:
        """The library's callback: keep a piece of speech. Returns 0 to continue."""
        if samples and count:
            self._pieces.append(ctypes.string_at(samples, 2 * count))
        return 0

    def _set_voice(self, name: str) -> None:
        if self._library.espeak_SetVoiceByName(name.encode()) != 0:
            raise UsageError(f"espeak-ng has no voice '{name}'; reinstall espeakng-loader")

    def phonemes(self, text: str, accent: str) -> str:
        """IPA of a text in an accent (a voice of espeak-ng), with its punctuation."""
        self._set_voice(accent)
        pieces = _CLAUSE.split(text)  # the library drops punctuation, so it gets one clause at a time
        for place in range(0, len(pieces), 2):
            rest, spoken = ctypes.c_char_p(pieces[place].encode()), []
            while rest.value:
                ipa = self._library.espeak_TextToPhonemes(ctypes.byref(rest), _UTF8, _IPA).decode()
                spoken.append(_SWITCH.sub("", ipa).strip())
            pieces[place] = " ".join(spoken)
        return re.sub(r"([,.;:!?…])(?=[^,.;:!?…\s])", r"\1 ", "".join(pieces))

    def say(self, text: str, voice: str, speed: float, pitch: int) -> Floats:
        """Speech at RATE_HZ, (n,). text may contain ``[[mnemonics]]``. pitch: 0 to 100, normally 50."""
        self._set_voice(voice)
        self._library.espeak_SetParameter(_SPEED, round(_WORDS_PER_MINUTE * speed), 0)
        self._library.espeak_SetParameter(_PITCH, pitch, 0)
        self._pieces.clear()
        spoken = text.encode() + b"\0"
        with interrupts_postponed():
            self._library.espeak_Synth(spoken, len(spoken), 0, 1, 0, _UTF8 | _PHONEMES, None, None)
        return from_int16(b"".join(self._pieces))


@cache
def espeak() -> Espeak:
    """The library of this process."""
    return Espeak()


class EspeakVoice:
    """One variant in one accent. Its samples differ from call to call, because oscillators are not reset."""

    engine = "espeak"
    needs_text = False

    def __init__(self, language: Language, accent: str, variant: str) -> None:
        self.name = f"espeak-{accent}-{variant}"
        self.accent, self._language = accent, language
        self._voice = f"{accent}+{variant}"

    def say(self, line: Line, speed: float, take: int) -> Floats:
        """As Voice.say; the take is the pitch."""
        ending = line.phonemes[-1] if line.phonemes[-1] in ",.!?" else ""
        parts = (to_espeak(part, self._language) for part in line.phonemes.split(", "))
        spoken = line.text or ", ".join(f"[[{part}]]" for part in parts) + ending
        return to_16k(espeak().say(spoken, self._voice, speed, pitch=35 + take % 31), RATE_HZ)


def espeak_voices(language: Language) -> list[EspeakVoice]:
    """Every variant in every accent."""
    return [EspeakVoice(language, accent, variant) for accent in language.accents for variant in VARIANTS]
