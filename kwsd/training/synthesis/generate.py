"""Speaks a keyword, near misses of it and sentences without it, and writes 16 kHz FLAC files and a manifest.

Files are written atomically, and existing clips are kept, so that an interrupted run can continue.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import soundfile

from kwsd.errors import AudioError, KwsdError, UsageError
from kwsd.files import replace_file
from kwsd.pcm import SAMPLE_RATE
from kwsd.resources import installing
from kwsd.training.parallel import parallel
from kwsd.training.synthesis.keyword import Keyword
from kwsd.training.synthesis.language import Language
from kwsd.training.synthesis.languages import LANGUAGES
from kwsd.training.synthesis.languages.en import ENGLISH
from kwsd.training.synthesis.lexicon import lexicon
from kwsd.training.synthesis.plan import Plan, Utterance
from kwsd.training.synthesis.speech import Voice, finish
from kwsd.training.synthesis.voices import find_voices

MANIFEST = "manifest.jsonl"

Records = dict[str, dict[str, Any]]  # `Utterance.record` of each clip by file name


@dataclass(frozen=True)
class Outcome:
    """made, kept: numbers of clips. failures: one line for each clip that could not be made."""

    made: int
    kept: int
    failures: list[str]


def synthesize(
    keyword: str,
    out: Path,
    counts: dict[str, int],
    kokoro: Path | None = None,
    jobs: int | None = None,
    seed: int = 0,
    language: Language = ENGLISH,
    on_missing: Callable[[str], None] = lambda _: None,
    on_clip: Callable[[int, int], None] = lambda *_: None,
) -> Outcome:
    """Speak `keyword` with every engine that is installed, into OUT/keyword, OUT/near_misses, OUT/sentences.

    counts: number of clips of each of kwsd.training.synthesis.plan.KINDS. kokoro: see `find_voices`. jobs: as
    in `parallel`. on_missing: called with lines that say which voices and words are missing. on_clip: see
    `generate`. Raises UsageError if the keyword cannot be pronounced, and the errors of `generate`.
    """
    pronounced = Keyword(keyword, language)
    voices, missing = find_voices(kokoro, language)
    if not lexicon(language):
        missing.append(f"near misses are invented words alone; for real ones: {installing('synth')}")
    for line in missing:
        on_missing(line)
    utterances = Plan(pronounced, voices, seed).draw_all(counts)
    return generate(utterances, out, kokoro, jobs, on_clip)


def generate(
    utterances: Sequence[Utterance],
    out: Path,
    kokoro: Path | None,
    jobs: int | None,
    on_clip: Callable[[int, int], None],
) -> Outcome:
    """Write the clips that are missing in `out`, and the manifest with the record of every clip.

    on_clip: called with (clips done, clips in all) after each. Raises UsageError if `out` holds clips of
    another keyword or language, KwsdError if not a single clip could be made.
    """
    planned = {utterance.file: utterance for utterance in utterances}
    records = _read_manifest(out / MANIFEST) | {file: utterance.record for file, utterance in planned.items()}
    if len(words := sorted({record["keyword"] for record in records.values()})) > 1:
        raise UsageError(
            f"{out} holds clips of another keyword ({', '.join(words)}); give each keyword its own folder"
        )
    # clips that were made before there were languages are English
    if len(codes := sorted({record.get("language", ENGLISH.code) for record in records.values()})) > 1:
        raise UsageError(
            f"{out} holds clips in another language ({', '.join(codes)}); give each language its own folder"
        )
    for file in planned:
        (out / file).parent.mkdir(parents=True, exist_ok=True)
    _write_manifest(out / MANIFEST, records)
    absent = [utterance for file, utterance in planned.items() if not (out / file).exists()]
    kept, failures = len(planned) - len(absent), []
    for done, (file, clip) in enumerate(parallel(partial(_make_clip, kokoro), absent, jobs), kept + 1):
        if isinstance(clip, str):
            failures.append(clip)
        else:
            _write_clip(clip, out / file)
        on_clip(done, len(planned))
    if failures and len(failures) == len(planned):
        raise KwsdError(f"{out}: no clip could be made; the first failure: {failures[0]}")
    _write_manifest(
        out / MANIFEST, {file: record for file, record in records.items() if (out / file).exists()}
    )
    return Outcome(len(absent) - len(failures), kept, failures)


@cache
def _voices(kokoro: Path | None, language: str) -> dict[str, Voice]:
    """Every voice by its name. Engines load when they first speak, once in each worker."""
    by_engine, _ = find_voices(kokoro, LANGUAGES[language])
    return {voice.name: voice for voices in by_engine.values() for voice in voices}


def _make_clip(kokoro: Path | None, utterance: Utterance) -> tuple[str, npt.NDArray[np.int16] | str]:
    """The clip's file name, and the clip, (n,), or a line that says why it could not be made."""
    line = utterance.line
    try:
        voice = _voices(kokoro, utterance.language)[utterance.voice]
        spoken = voice.say(line, utterance.speed, utterance.take)
        return utterance.file, finish(spoken, len(LANGUAGES[utterance.language].sounds(line.phonemes)))
    except AudioError as error:
        return utterance.file, f"{utterance.voice} said '{line.text}' ({line.phonemes}): {error}"


def _write_clip(clip: npt.NDArray[np.int16], file: Path) -> None:
    """Write a whole file or none."""
    part = file.with_suffix(".part")
    try:
        soundfile.write(part, clip, SAMPLE_RATE, format="FLAC", subtype="PCM_16")
        part.replace(file)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def _read_manifest(file: Path) -> Records:
    if not file.exists():
        return {}
    try:
        records = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
        return {record["file"]: record for record in records}
    except (ValueError, KeyError) as error:
        raise UsageError(f"{file}: not a manifest of kwsd synthesize; give another folder") from error


def _write_manifest(file: Path, records: Records) -> None:
    replace_file(file, "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records.values()))
