"""Speaks a keyword, near misses of it and sentences without it: FLAC files of 16 kHz, and their manifest.

Clips are made in several processes. Each file appears whole or not at all, and a clip that exists is kept,
so that an interrupted run continues where it stopped.
"""

import json
import signal
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import soundfile

from kwsd.errors import AudioError, KwsdError, UsageError
from kwsd.files import replace_file
from kwsd.pcm import SAMPLE_RATE
from kwsd.training.synthesis.keyword import Keyword
from kwsd.training.synthesis.phonemes import sounds
from kwsd.training.synthesis.plan import Plan, Utterance
from kwsd.training.synthesis.speech import Voice, finish
from kwsd.training.synthesis.voices import find_voices

MANIFEST = "manifest.jsonl"

Records = dict[str, dict[str, Any]]  # Utterance.record by file name

_voices: dict[str, Voice] = {}  # by name, in a worker process


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
    jobs: int = 1,
    seed: int = 0,
    on_missing_engine: Callable[[str], None] = lambda _: None,
    on_clip: Callable[[int, int], None] = lambda *_: None,
) -> Outcome:
    """Speak `keyword` with every engine that is installed, into OUT/keyword, OUT/near_misses, OUT/sentences.

    counts: number of clips of each of kwsd.training.synthesis.plan.KINDS. kokoro: see `find_voices`.
    jobs: number of processes. on_missing_engine: called with a line for each engine that is not installed.
    on_clip: see `generate`. Raises UsageError if the keyword cannot be pronounced, and as `generate` does.
    """
    pronounced = Keyword(keyword)
    voices, missing = find_voices(kokoro)
    for line in missing:
        on_missing_engine(line)
    utterances = Plan(pronounced, voices, seed).draw_all(counts)
    return generate(utterances, out, kokoro, jobs, on_clip)


def generate(
    utterances: Sequence[Utterance],
    out: Path,
    kokoro: Path | None,
    jobs: int,
    on_clip: Callable[[int, int], None],
) -> Outcome:
    """Write the clips that `out` lacks, and the manifest, which has the record of every clip.

    on_clip: called with (clips done, clips in all) after each. Raises UsageError if `out` holds clips of
    another keyword, KwsdError if not a single clip could be made.
    """
    planned = {utterance.file: utterance for utterance in utterances}
    records = _read_manifest(out / MANIFEST) | {file: utterance.record for file, utterance in planned.items()}
    if len(words := sorted({record["keyword"] for record in records.values()})) > 1:
        raise UsageError(
            f"{out} holds clips of another keyword ({', '.join(words)}); give each keyword its own folder"
        )
    for file in planned:
        (out / file).parent.mkdir(parents=True, exist_ok=True)
    _write_manifest(out / MANIFEST, records)
    absent = [(utterance, out / file) for file, utterance in planned.items() if not (out / file).exists()]
    kept, failures = len(planned) - len(absent), []
    pool = ProcessPoolExecutor(jobs, get_context("spawn"), _start_worker, (kokoro,))
    try:
        for done, failure in enumerate(pool.map(_make_clip, absent), kept + 1):
            failures += [failure] if failure else []
            on_clip(done, len(planned))
    finally:
        pool.shutdown(cancel_futures=True)
    if failures and len(failures) == len(planned):
        raise KwsdError(f"{out}: no clip could be made; the first failure: {failures[0]}")
    _write_manifest(
        out / MANIFEST, {file: record for file, record in records.items() if (out / file).exists()}
    )
    return Outcome(len(absent) - len(failures), kept, failures)


def _start_worker(kokoro: Path | None) -> None:
    """Prepare a worker process: engines load on first use, and Ctrl-C is left to the parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    by_engine, _ = find_voices(kokoro)
    _voices.update({voice.name: voice for voices in by_engine.values() for voice in voices})


def _make_clip(task: tuple[Utterance, Path]) -> str | None:
    """Write one clip. Returns a line that says why it could not be made, or None."""
    utterance, file = task
    line = utterance.line
    try:
        spoken = _voices[utterance.voice].say(line, utterance.speed, utterance.take)
        clip = finish(spoken, len(sounds(line.phonemes)))
    except AudioError as error:
        return f"{utterance.voice} said '{line.text}' ({line.phonemes}): {error}"
    part = file.with_suffix(".part")
    try:
        soundfile.write(part, clip, SAMPLE_RATE, format="FLAC", subtype="PCM_16")
        part.replace(file)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    return None


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
