"""Makes the planned clips: in several processes, each whole or not at all, and none twice."""

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
from kwsd.training.synthesis.phonemes import sounds
from kwsd.training.synthesis.plan import Utterance
from kwsd.training.synthesis.speech import Voice, finish
from kwsd.training.synthesis.voices import find_voices

MANIFEST = "manifest.jsonl"

Records = dict[str, dict[str, Any]]  # what each file says, by its name

_voices: dict[str, Voice] = {}  # of a worker process


@dataclass(frozen=True)
class Outcome:
    """made, kept: clips. failures: one line for each clip that could not be made."""

    made: int
    kept: int
    failures: list[str]


def generate(
    utterances: Sequence[Utterance],
    out: Path,
    kokoro: Path | None,
    jobs: int,
    progress: Callable[[int, int], None],
) -> Outcome:
    """Write the clips, 16 kHz mono FLAC, and the manifest of what each says.

    progress: called with (clips there, clips in all) after each. Raises UsageError where `out` holds another
    keyword's clips, KwsdError where no clip at all could be made.
    """
    planned = {utterance.file: utterance for utterance in utterances}
    records = _read_manifest(out / MANIFEST) | {file: utterance.record for file, utterance in planned.items()}
    if len(words := sorted({record["keyword"] for record in records.values()})) > 1:
        raise UsageError(
            f"{out}: holds another keyword's clips ({', '.join(words)}); give each its own folder"
        )
    for file in planned:
        (out / file).parent.mkdir(parents=True, exist_ok=True)
    _write_manifest(out / MANIFEST, records)
    missing = [(utterance, out / file) for file, utterance in planned.items() if not (out / file).exists()]
    kept, failures = len(planned) - len(missing), []
    pool = ProcessPoolExecutor(jobs, get_context("spawn"), _start, (kokoro,))
    try:
        for done, failure in enumerate(pool.map(_make, missing), kept + 1):
            failures += [failure] if failure else []
            progress(done, len(planned))
    finally:
        pool.shutdown(cancel_futures=True)
    if failures and len(failures) == len(planned):
        raise KwsdError(f"{out}: no clip could be made; the first: {failures[0]}")
    _write_manifest(
        out / MANIFEST, {file: record for file, record in records.items() if (out / file).exists()}
    )
    return Outcome(len(missing) - len(failures), kept, failures)


def _start(kokoro: Path | None) -> None:
    """A worker: its engines load when they first speak. Ctrl-C is the parent's to handle."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    cast, _ = find_voices(kokoro)
    _voices.update({voice.name: voice for voices in cast.values() for voice in voices})


def _make(task: tuple[Utterance, Path]) -> str | None:
    """Make one clip; what went wrong with it, if anything."""
    utterance, file = task
    line = utterance.line
    try:
        spoken = _voices[utterance.voice].say(line, utterance.speed, utterance.take)
        clip = finish(spoken, len(sounds(line.phonemes)))
    except AudioError as error:
        return f"{utterance.voice} said '{line.text}' ({line.phonemes}): {error}"
    half = file.with_suffix(".part")
    try:
        soundfile.write(half, clip, SAMPLE_RATE, format="FLAC", subtype="PCM_16")
        half.replace(file)
    except BaseException:
        half.unlink(missing_ok=True)
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
