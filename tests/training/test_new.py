"""`kwsd new`: from a keyword's text to a model that listens."""

import re
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner
from evaluation import points_of

from kwsd.cli.commands import cli
from kwsd.cli.new import default_output
from kwsd.errors import KwsdError, UsageError
from kwsd.runtime.detector import FINAL_SILENCE_SAMPLES, Detector
from kwsd.runtime.model import STUDENT
from kwsd.runtime.modelfile import find_model, read_model
from kwsd.training.augment.augmentation import Augmentation
from kwsd.training.augment.training_set import Recordings
from kwsd.training.data.kit.kit import Kit
from kwsd.training.data.kit.manifest import Part
from kwsd.training.data.speech_commands import read_audio
from kwsd.training.evaluate.streams import run_streams
from kwsd.training.fit.recipe import Recipe, Teaching
from kwsd.training.fit.trainer import Epoch
from kwsd.training.release.release import Output
from kwsd.training.synthesis.languages.de import GERMAN
from kwsd.training.synthesis.languages.en import ENGLISH
from kwsd.training.workflows import machine, new
from kwsd.training.workflows.embedding_teacher import settings_chooser
from kwsd.training.workflows.material import Material, with_kit
from kwsd.training.workflows.new import make_word, new_word, quieter, recipe_from_text
from kwsd.training.workflows.progress import Silent
from kwsd.training.workflows.run import Sources
from kwsd.training.workflows.synthesize import Speech

pytest.importorskip("espeakng_loader")

KEYWORD = "hey computer"


def small_recipe(**values: Any) -> Recipe:
    """A student, and few examples; labels, from which it learns soonest, weigh more."""
    augmentation = replace(Augmentation.for_synthetic_voices(), first_chunks=1, kept_chunks=2, chunk=256)
    teaching = Teaching(
        tune_embedding=False,
        first_chunks=8,
        heads=1,
        head_batches=400,
        new_examples=False,
        posterior_weight=0.3,
        embedding_weight=0.1,
        label_weight=1.0,
    )
    return Recipe(STUDENT, augmentation=augmentation, teaching=teaching, **values)


class Told(Silent):
    """Keeps what a person would read. stop: the epoch after which Ctrl-C comes."""

    def __init__(self, stop: int | None = None) -> None:
        self.stop = stop
        self.stages: list[str] = []
        self.epochs: list[int] = []
        self.lines: list[str] = []

    @contextmanager
    def stage(self, name: str, total: int | None = None, done: int = 0) -> Iterator[None]:  # noqa: ARG002
        self.stages.append(name)
        yield

    def epoch(self, epoch: Epoch) -> None:
        self.epochs.append(epoch.number)
        if epoch.number == self.stop:
            raise KeyboardInterrupt

    def note(self, line: str) -> None:
        self.lines.append(line)

    warning = note


@dataclass
class Made:
    """out: the model. work: the folder of what was spoken. told: by the calls that made it."""

    out: Path
    work: Path
    told: list[Told]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """A word, made by the same call twice; the first one is interrupted after three epochs."""
    folder = tmp_path_factory.mktemp("new")
    out, work, test = folder / "hey.pt", folder / "speech", folder / "test"
    test.mkdir()
    noise = np.random.default_rng(0).normal(0, 0.05, 16_000 * 36)
    soundfile.write(test / "noise.wav", noise, 16_000, subtype="PCM_16")
    speech = Speech(work, keyword=100, near_misses=250, sentences=20)
    every = [Told(3), Told()]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("kwsd.training.synthesis.engines.flite.shutil.which", lambda _: None)  # no flite
        for told in every:
            with nullcontext() if told.stop is None else pytest.raises(KeyboardInterrupt):
                make_word(
                    KEYWORD,
                    speech,
                    small_recipe(epochs=16),
                    Output(out, resume=True),
                    material=Material(test=(test,)),
                    fa_per_hour=1000,
                    progress=told,
                )
    return Made(out, work, every)


def test_an_interrupted_run_continues_with_the_same_call(made: Made) -> None:
    first, last = made.told
    assert first.epochs == [1, 2, 3]
    assert last.epochs == list(range(4, 17))
    assert "training the teacher" in first.stages
    assert "training the teacher" not in last.stages  # its heads are in the checkpoint
    assert "has 3 of 16 epochs; the same command continues from there" in first.lines[-1]
    assert any("0 clips made, 370 already there" in line for line in last.lines)
    assert [path.name for path in made.work.iterdir() if path.suffix] == ["manifest.jsonl"]


def test_it_ends_with_what_unheard_voices_and_speech_say(made: Made) -> None:
    line = made.told[-1].lines[-1]
    found = re.fullmatch(
        r".*hey\.pt, in quiet: missed (\d+) of (\d+) held-out synthetic voices \((.*) %\), "
        r"\d+\.\d false alarms per hour in 0\.0 h of unseen speech",
        line.replace("%)", " %)"),
    )
    assert found, line
    unheard, _ = Recordings.spoken(made.work, KEYWORD, None, (), ()).words("dev-test")
    assert int(found[2]) == len(unheard)
    assert int(found[1]) < len(unheard)  # some are heard; how many differs between processors


def test_a_higher_threshold_is_named_where_unseen_speech_has_more_false_alarms_than_are_acceptable() -> None:
    # threshold, missed of ten, false alarms in two hours, median latency
    quiet = points_of((0.9, 0, 3, 0.1), (0.95, 0, 1, 0.1), (0.97, 1, 0, 0.1), (0.98, 10, 0, 0.1))
    noise = points_of((0.9, 0, 5, 0.1), (0.95, 1, 2, 0.1), (0.97, 2, 1, 0.1), (0.98, 10, 0, 0.1))
    assert quieter({"quiet": quiet, "noise": noise}, 0.9, 0.5) == 0.97
    assert quieter({"quiet": quiet}, 0.9, 0.5) == 0.95
    assert quieter({"quiet": quiet}, 0.95, 0.5) is None  # it has so few itself
    assert quieter({"noise": noise}, 0.9, 0.4) is None  # where there are so few, nothing is heard


def test_validation_speech_may_cause_half_of_the_acceptable_false_alarms(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # threshold, missed of ten, false alarms in two hours, median latency
    points = points_of((0.8, 0, 2, 0.1), (0.9, 1, 1, 0.1), (0.95, 2, 0, 0.1))
    monkeypatch.setattr("kwsd.training.evaluate.tuning.curve", lambda *_: points)
    monkeypatch.setattr("kwsd.training.workflows.embedding_teacher.run_streams", lambda *_: [])
    nothing = Recordings("hey", [], None, (), ())
    model = read_model(find_model("jarvis"))
    for acceptable, threshold in ((2.0, 0.8), (1.0, 0.9), (0.2, 0.95)):
        choose = settings_chooser(nothing, (), 10, Silent(), acceptable)
        assert choose(model).threshold == threshold


def test_the_model_hears_voices_it_was_not_trained_on(made: Made) -> None:
    out, work = made.out, made.work
    model = read_model(out)
    assert model.keyword == KEYWORD
    unheard, _ = Recordings.spoken(work, KEYWORD, None, (), ()).words("dev-test")
    detector = Detector(model)
    heard = 0
    for clip in unheard:
        detector.warm_up()
        heard += bool(detector.feed(np.pad(read_audio(clip.path), (0, FINAL_SILENCE_SAMPLES))))
    assert heard > 0


def test_voices_do_not_cross_splits(made: Made) -> None:
    recordings = Recordings.spoken(made.work, KEYWORD, None, (), ())
    splits: dict[str, set[str]] = {}
    for clip in recordings.tree:
        splits.setdefault(clip.speaker, set()).add(clip.split)
    assert all(len(sides) == 1 for sides in splits.values())
    assert set.union(*splits.values()) == {"training", "validation", "dev-test"}
    trained = {clip.path for clip in recordings.tree if clip.split == "training"}
    assert set(recordings.hard) <= trained


def test_streams_hold_every_word_once_in_quiet(made: Made) -> None:
    recordings = Recordings.spoken(made.work, KEYWORD, None, (), ())
    [(conditions, positives, _)] = run_streams(recordings, "validation", snr=10)
    assert conditions.snr is None
    assert len(positives) == len(recordings.words("validation")[0])


def test_without_praat_it_trains_on_fewer_voices_and_says_so(
    made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "parselmouth", None)  # as if it were not installed
    augmentation = Augmentation.for_synthetic_voices()
    scenes = Recordings.spoken(made.work, KEYWORD, None, (), ()).scenes(augmentation)
    assert scenes.draw(8, np.random.default_rng(0)).audio.any()

    def nobody(*_: object) -> None:
        raise UsageError("nobody speaks")

    monkeypatch.setattr("kwsd.training.workflows.from_text.speak", nobody)
    result = CliRunner().invoke(cli, ["new", KEYWORD, "--no-kit", "--out", str(tmp_path / "a.pt")])
    assert result.output.splitlines() == [
        "praat-parselmouth is not installed, so the model is trained on fewer voices"
    ]
    assert "nobody speaks" in str(result.exception)


@pytest.fixture
def kit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A kit with a part of each role, which is there."""
    roles = ("voices", "noise", "music", "speech", "unseen", "test", "words")
    parts = tuple(
        Part(f"the {role}", role, f"an hour of {role}s", "free", "it costs", "tar", 1, ()) for role in roles
    )
    for part in parts:
        (tmp_path / "kit" / part.name).mkdir(parents=True)
        (tmp_path / "kit" / part.name / ".kit").write_text(part.fingerprint)
    monkeypatch.setattr("kwsd.training.data.kit.kit.shipped_parts", lambda: parts)
    return tmp_path / "kit"


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[SimpleNamespace]:
    """What `kwsd new` gives to its workflow, which does not run, in a folder of its own."""
    made: list[SimpleNamespace] = []

    def make(keyword: str, speech: Speech, recipe: Recipe, output: Output, **others: Any) -> None:
        made.append(SimpleNamespace(keyword=keyword, speech=speech, recipe=recipe, output=output, **others))

    monkeypatch.setattr("kwsd.training.workflows.new.make_word", make)
    monkeypatch.setattr(machine, "available_memory", lambda: None)  # where it is too little, a line says so
    monkeypatch.chdir(tmp_path)
    return made


def test_no_option_is_needed(kit: Path, calls: list[SimpleNamespace]) -> None:
    result = CliRunner().invoke(cli, ["new", "Hey Marvin!", "--kit", str(kit)], catch_exceptions=False)
    assert result.output.splitlines() == [
        "False alarms are counted in: an hour of tests",
        "hey-marvin.pt is ready: kwsd listen hey-marvin",
    ]
    [call] = calls
    assert (call.keyword, call.output.model) == ("Hey Marvin!", Path("hey-marvin.pt"))
    assert call.output.resume
    assert call.speech.folder == Path("hey-marvin.speech")
    assert call.material == with_kit(Material(), Kit(kit), "en")
    assert call.speech.language is ENGLISH


def test_the_parts_of_the_kit_have_their_roles(kit: Path) -> None:
    assert with_kit(Material(), Kit(kit), "en") == Material(
        kokoro=kit / "the voices",
        data=kit / "the words",
        sources=Sources(
            (kit / "the noise", kit / "the music"), (kit / "the speech",), (), (kit / "the unseen",)
        ),
        test=(kit / "the test",),
    )


def test_another_language(kit: Path, calls: list[SimpleNamespace]) -> None:
    command = ["new", "Hallo Zoë", "--language", "de", "--kit", str(kit)]
    output = CliRunner().invoke(cli, command, catch_exceptions=False).output
    assert output.splitlines() == [
        "False alarms are counted in: an hour of tests",
        "hallo-zoë.pt is ready: kwsd listen hallo-zoë",
    ]
    assert [call.speech.language for call in calls] == [GERMAN]


def test_folders_are_added_to_those_of_the_kit(
    kit: Path, calls: list[SimpleNamespace], tmp_path: Path
) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    options = [
        word for name in ("noise", "speech", "unseen", "kokoro", "data") for word in (f"--{name}", "mine")
    ]
    where = ["--kit", str(kit)]
    CliRunner().invoke(cli, ["new", "hey", *options, *where], catch_exceptions=False)
    CliRunner().invoke(cli, ["new", "hey", *options, "--no-kit"], catch_exceptions=False)
    added, alone = calls
    here = Path("mine")
    assert added.material.sources.speech == (here, kit / "the speech")
    assert added.material.sources.noise == (here, kit / "the noise", kit / "the music")
    assert (added.material.kokoro, added.material.data) == (here, here)
    assert alone.material == Material(here, here, Sources((here,), (here,), (), (here,)))


@pytest.mark.parametrize("answer", ["y", "n"])
def test_a_missing_part_is_asked_for(
    kit: Path, calls: list[SimpleNamespace], monkeypatch: pytest.MonkeyPatch, answer: str
) -> None:
    (kit / "the speech" / ".kit").unlink()
    command = ["new", "hey", "--kit", str(kit)]
    with pytest.raises(UsageError, match="there is no terminal to ask on: give --yes"):
        CliRunner().invoke(cli, command, catch_exceptions=False)
    assert calls == []
    monkeypatch.setattr("kwsd.cli.kit_fetching.someone_can_answer", lambda: True)
    fetched: list[Part] = []
    monkeypatch.setattr(Kit, "fetch", lambda _, parts, progress: fetched.extend(parts) or {})  # noqa: ARG005
    output = CliRunner().invoke(cli, command, input=answer, catch_exceptions=False).output
    assert [part.name for part in fetched] == (["the speech"] if answer == "y" else [])
    assert ("Without the speech: it costs" in output) == (answer == "n")
    assert len(calls) == 1


def test_python_callers_get_the_kit_and_what_its_missing_parts_cost(
    kit: Path, calls: list[SimpleNamespace], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (kit / "the speech" / ".kit").unlink()
    fetched: list[Part] = []
    monkeypatch.setattr(Kit, "fetch", lambda _, parts, progress: fetched.extend(parts) or {})  # noqa: ARG005
    word = ("hey", Speech(tmp_path), recipe_from_text(epochs=3), Output(tmp_path / "hey.pt"))
    told = Told()
    assert new_word(*word, kit=Kit(kit), may_fetch=lambda *_: False, progress=told) == tmp_path / "hey.pt"
    assert told.lines == ["Without the speech: it costs", "False alarms are counted in: an hour of tests"]
    assert fetched == []
    assert new_word(*word, kit=Kit(kit)) == tmp_path / "hey.pt"
    assert [part.name for part in fetched] == ["the speech"]
    assert [call.material for call in calls] == [with_kit(Material(), Kit(kit), "en")] * 2
    assert calls[0].recipe.epochs == 3


def test_too_little_disk_or_memory_is_told_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = Told()
    monkeypatch.setattr(machine, "available_memory", lambda: 10**9)
    machine.check_machine(tmp_path / "not" / "there", told)
    assert told.lines == ["1.0 GB of memory are available; training takes 1.8 GB"]
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10**9, 0, 10**6))
    with pytest.raises(KwsdError, match=rf"{tmp_path} has 1\.0 MB of disk left, and 300\.0 MB"):
        machine.check_machine(tmp_path / "not" / "there", told)
    with pytest.raises(KwsdError, match=rf"{tmp_path} has 1\.0 MB of disk left, and 300\.0 MB"):
        machine.check_disks(tmp_path / "not" / "there", Material())


def test_nothing_is_fetched_where_the_disk_has_no_room(
    kit: Path, calls: list[SimpleNamespace], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (kit / "the speech" / ".kit").unlink()
    monkeypatch.setattr(Kit, "fetch", lambda *_: pytest.fail("it was fetched"))
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10**9, 0, 10**6))
    with pytest.raises(KwsdError, match="of disk left"):
        new_word("hey", Speech(tmp_path), recipe_from_text(), Output(tmp_path / "hey.pt"), kit=Kit(kit))
    assert calls == []


@pytest.mark.parametrize(
    ("jobs", "memory", "allowed"),
    [(8, 4_500_000_000, 3), (2, 4_500_000_000, 2), (8, 10**9, 1), (8, None, 8), (None, 10**9, None)],
)
def test_there_are_only_as_many_workers_as_there_is_memory_for(
    jobs: int | None, memory: int | None, allowed: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "available_memory", lambda: memory)
    assert machine.affordable_jobs(jobs) == allowed


def test_a_word_is_made_by_no_more_workers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []

    def stop(*_: object, jobs: int, **__: object) -> None:
        seen.append(jobs)
        raise KwsdError("stop")

    monkeypatch.setattr(machine, "available_memory", lambda: 10**9)
    monkeypatch.setattr(new, "train_from_text", stop)
    word = ("hey", Speech(tmp_path), recipe_from_text(), Output(tmp_path / "hey.pt"))
    with pytest.raises(KwsdError, match="stop"):
        make_word(*word, material=Material(), jobs=8)
    assert seen == [1]


def test_a_keyword_without_letters_has_no_default_file() -> None:
    assert default_output("  Hey, Zoë 2 ") == Path("hey-zoë-2.pt")
    with pytest.raises(UsageError, match="has no letters"):
        default_output("?!")


def test_the_model_is_taught_the_voices_in_a_folder_as_the_last_step(
    kit: Path, calls: list[SimpleNamespace], tmp_path: Path
) -> None:
    (tmp_path / "mine").mkdir()
    shutil.copy(find_model("happy"), tmp_path / "hey.pt")  # as the workflow would have left it
    command = ["new", "hey", "--kit", str(kit), "--recordings", "mine"]
    with pytest.raises(UsageError, match="0 recordings of 'hey' are too few"):
        CliRunner().invoke(cli, command, catch_exceptions=False)
    assert calls == []
    for number in range(3):
        burst = np.random.default_rng(number).normal(0, 0.1, 16_000)
        soundfile.write(tmp_path / "mine" / f"{number}.wav", burst, 16_000)
    output = CliRunner().invoke(cli, command, catch_exceptions=False).output
    assert len(calls) == 1
    assert "of 3 recordings, each left out in turn: " in output
    assert output.splitlines()[-1] == "hey-taught.pt is ready: kwsd listen hey-taught"
    assert "taught" not in read_model(tmp_path / "hey.pt").facts
    assert read_model(tmp_path / "hey-taught.pt").facts["taught"]["recordings"] == 3
