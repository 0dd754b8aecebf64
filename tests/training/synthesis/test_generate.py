"""Generating: whole files, none made twice, speakers kept apart."""

import json
from pathlib import Path

import pytest
import soundfile

from kwsd.errors import UsageError
from kwsd.training.data.speech_commands import read_tree
from kwsd.training.synthesis.engines.espeak import espeak_voices
from kwsd.training.synthesis.generate import MANIFEST, Outcome, generate
from kwsd.training.synthesis.keyword import Keyword
from kwsd.training.synthesis.languages.en import ENGLISH
from kwsd.training.synthesis.plan import Plan

COUNTS = {"keyword": 4, "near_misses": 4, "sentences": 2}


def run(out: Path, text: str = "kettle") -> tuple[Outcome, list[tuple[int, int]]]:
    seen: list[tuple[int, int]] = []
    plan = Plan(Keyword(text), {"espeak": espeak_voices(ENGLISH)}, seed=0)
    outcome = generate(plan.draw_all(COUNTS), out, None, 1, lambda done, total: seen.append((done, total)))
    return outcome, seen


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("kettle")
    outcome, seen = run(out)
    assert (outcome.made, outcome.kept, outcome.failures) == (10, 0, [])
    assert seen == [(done, 10) for done in range(1, 11)]
    return out


def test_files_are_16k_mono_and_in_the_manifest(made: Path) -> None:
    listed = [json.loads(line) for line in (made / MANIFEST).read_text().splitlines()]
    files = {str(file.relative_to(made)) for file in made.rglob("*.flac")}
    assert {record["file"] for record in listed} == files
    assert {kind: len(list((made / kind).iterdir())) for kind in COUNTS} == COUNTS
    for file in files:
        info = soundfile.info(made / file)
        assert (info.samplerate, info.channels, info.subtype) == (16_000, 1, "PCM_16")
        assert 0.15 < info.duration < 15


def test_speakers_are_voices(made: Path) -> None:
    records = map(json.loads, (made / MANIFEST).read_text().splitlines())
    voices = {record["file"]: record["voice"] for record in records}
    for clip in read_tree(made, "keyword"):
        assert clip.speaker == voices[str(clip.path.relative_to(made))]


def test_resumes(made: Path) -> None:
    files = sorted(made.rglob("*.flac"))
    lost, frames = files[3], soundfile.info(files[3]).frames
    lost.unlink()
    lost.with_suffix(".part").write_bytes(b"half")
    before = {file: file.stat().st_mtime_ns for file in files if file != lost}
    outcome, seen = run(made)
    assert (outcome.made, outcome.kept) == (1, 9)
    assert seen == [(10, 10)]
    assert soundfile.info(lost).frames == pytest.approx(frames, rel=0.02)
    assert not list(made.rglob("*.part"))
    assert {file: file.stat().st_mtime_ns for file in before} == before


def test_another_keyword_needs_another_folder(made: Path) -> None:
    with pytest.raises(UsageError, match=r"clips of another keyword \(kettle, radio\)"):
        run(made, text="radio")


def test_a_foreign_manifest_is_refused(tmp_path: Path) -> None:
    (tmp_path / MANIFEST).write_text("hello\n")
    with pytest.raises(UsageError, match="not a manifest"):
        run(tmp_path)
