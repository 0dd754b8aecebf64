"""The training commands from end to end, on a toy tree."""

import json
import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from harness import KWSD
from small_recipes import make_recipes_small

from kwsd.cli.commands import cli
from kwsd.errors import UsageError
from kwsd.runtime.detector import Detector
from kwsd.runtime.modelfile import read_model
from kwsd.training.augment.training_set import Recordings
from kwsd.training.data.speech_commands import read_audio, read_tree
from kwsd.training.fit.clip_scores import split_scores
from kwsd.training.nn.convert import to_torch
from kwsd.training.nn.embedding import SpeechEmbedding
from kwsd.training.release.runs import read_runs
from kwsd.training.workflows import run
from kwsd.training.workflows.progress import SILENT

FEW = {"first_chunks": 1, "kept_chunks": 2, "chunk": 256}
SHAPE = ("--channels", 4, "--kernel", 10, 16, "--stride", 10, 10, "--hidden", 12)
SAMPLE = Path(__file__).parents[2] / "docs" / "sample.flac"
SMALL = (*map(str, SHAPE), "--window", "16")


@pytest.fixture(scope="module", autouse=True)
def _few_scenes() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        make_recipes_small(patch, FEW)
        yield


def kwsd(*arguments: str | Path) -> str:
    """What a command prints. Raises what it raises."""
    result = CliRunner().invoke(cli, [str(a) for a in arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("models")


@pytest.fixture(scope="module")
def teacher(tree: Path, folder: Path) -> Path:
    """A student-sized network, trained on the labels."""
    out, runs = folder / "teacher.pt", folder / "runs.jsonl"
    kwsd(
        "train",
        "--student",
        "--data",
        tree,
        "--keyword",
        "rise",
        "--epochs",
        4,
        "--out",
        out,
        "--record",
        runs,
    )
    return out


def one_minus_auroc(model: Path, tree: Path) -> float:
    printed = kwsd("evaluate", "--model", model, "--data", tree, "--split", "validation", "--json")
    return float(json.loads(printed)["one_minus_auroc"])


def test_train_learns_and_writes_a_model_with_a_card(
    tree: Path, teacher: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert one_minus_auroc(teacher, tree) < 0.1
    model = read_model(teacher)
    assert model.keyword == "rise"
    opened = torch.load(teacher, weights_only=True)
    for name, weight in model.weights.items():
        np.testing.assert_array_equal(opened["weights"][name].numpy(), weight)
    card = teacher.with_suffix(".md").read_text()
    assert "6,729 parameters" in card
    assert "| dev-test |" in card
    commands = re.findall(r"`kwsd ([^`]+)`", card)
    assert [command.split()[0] for command in commands] == ["info", "listen", "evaluate", "evaluate"]
    monkeypatch.chdir(teacher.parent)
    for command in commands:
        if command.startswith("listen"):
            subprocess.run([KWSD, *shlex.split(command), "--input", SAMPLE], check=True, capture_output=True)
        else:
            streams = command.replace("--negatives DIR", f"--negatives {tree / 'fall'}")
            streams = streams.replace("--positives DIR", f"--positives {tree / 'rise'}")
            kwsd(*shlex.split(streams.replace("DIR", str(tree))))
    assert not teacher.with_suffix(".ckpt").exists()
    [run] = read_runs(teacher.with_name("runs.jsonl"))
    assert (run["kind"], run["name"], run["config"]["seed"]) == ("train", "teacher", 0)
    assert len(run["history"]) == 4


def test_train_learns_from_the_embedding_and_others_inherit_it(
    tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    teaching = {"tuning_batches": 60, "tuning_chunks": 1, "first_chunks": 1, "heads": 1, "head_batches": 1}
    no_labels = {"posterior_weight": 1.0, "embedding_weight": 0.1, "label_weight": 0.0}  # the heads know
    make_recipes_small(monkeypatch, FEW, teaching | no_labels)
    out = tmp_path / "verified.pt"
    data = ("--data", tree, "--keyword", "rise", "--speech", tree / "fall")
    kwsd("train", "--student", "--embedding", *data, "--epochs", 5, "--out", out)
    assert one_minus_auroc(out, tree) < 0.2
    verified = read_model(out)
    assert verified.verifier is not None
    for stage in (verified.weights, verified.verifier):
        assert all(np.array_equal(array, array.astype(np.float16)) for array in stage.values())
    detector = Detector(verified)
    heard = {"rise": 0, "fall": 0}
    for clip in read_tree(tree, "rise"):
        if clip.split == "dev-test" and clip.word in heard:
            detector.warm_up()
            heard[clip.word] += bool(detector.feed(np.pad(read_audio(clip.path), (0, 8_000))))
    assert heard["rise"] > 5 * heard["fall"]
    assert "tuning batches 60" in out.with_suffix(".md").read_text()
    shipped = SpeechEmbedding().arrays()
    learned = {
        name.partition(".")[0]
        for name, array in shipped.items()
        if not np.array_equal(array.astype(np.float16), verified.verifier[name].astype(np.float16))
    }
    assert learned == {f"conv{number}" for number in range(11, 20)}  # its last two groups, and the last layer

    bare = tmp_path / "bare.pt"
    kwsd("train", "--student", "--embedding", "--no-verifier", *data[:4], "--epochs", 1, "--out", bare)
    assert read_model(bare).verifier is None
    assert "head batches" in bare.with_suffix(".md").read_text()

    small, packed = tmp_path / "small.pt", tmp_path / "packed.pt"
    kwsd("distill", "--teacher", out, "--data", tree, "--epochs", 1, *SMALL, "--out", small)
    kwsd("quantize", "--model", out, "--data", tree, "--out", packed)
    for file in (small, packed):
        smaller = read_model(file)
        assert "threshold was inherited" in file.with_suffix(".md").read_text()
        assert smaller.verifier is not None
        assert all(np.array_equal(smaller.verifier[name], array) for name, array in verified.verifier.items())
        assert (smaller.settings.threshold, smaller.settings.candidate_threshold) == (
            verified.settings.threshold,
            verified.settings.candidate_threshold,
        )


def test_the_clips_that_cost_the_most_are_named(
    tree: Path, teacher: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    judged = ("evaluate", "--model", teacher, "--data", tree, "--split", "validation")
    found = json.loads(kwsd(*judged, "--worst", 3, "--json"))
    keyword = [clip for clip in read_tree(tree, "rise") if (clip.word, clip.split) == ("rise", "validation")]
    assert set(found["worst"]) < {str(clip.path.relative_to(tree)) for clip in keyword}
    shares = list(found["worst"].values())
    assert shares == sorted(shares, reverse=True)
    rest = found["one_minus_auroc"] * len(keyword) - sum(shares)
    assert found["one_minus_auroc_without"] == pytest.approx(rest / (len(keyword) - 3))
    assert "of the others score higher" in kwsd(*judged, "--worst", 3)
    with pytest.raises(UsageError, match="--snr"):
        kwsd(*judged, "--snr", 10)
    monkeypatch.setattr(
        "kwsd.training.workflows.clips.split_scores", None
    )  # too many are refused before the work
    with pytest.raises(UsageError, match=f"has {len(keyword)} clips of the keyword; list fewer"):
        kwsd(*judged, "--worst", len(keyword))


def test_clips_score_as_the_runtime_hears_them(tree: Path, teacher: Path) -> None:
    model = read_model(teacher)
    window, step = model.settings.window, model.settings.step
    recordings = Recordings.read(tree, "rise", (), ())
    keyword, others = split_scores(to_torch(model), recordings, "validation", window, step)
    clips = [clip for clip in read_tree(tree, "rise") if clip.split == "validation"]
    clips = [c for c in clips if c.word == "rise"] + [c for c in clips if c.word != "rise"]
    for clip, score in zip(clips, [*keyword, *others], strict=True):
        detector = Detector(model, model.settings.override(threshold=1.0))
        detector.warm_up()
        heard = np.concatenate((read_audio(clip.path), np.zeros(8_000, np.int16)))
        best = max(found.posterior for found in detector.steps(heard) if found.warm)
        assert best == pytest.approx(1 / (1 + np.exp(-score)), abs=3e-5)  # scores are rounded


def test_distill_writes_a_student_that_learned(tree: Path, teacher: Path) -> None:
    out = teacher.with_name("student.pt")
    data = ("--teacher", teacher, "--data", tree, "--epochs", 4, "--temperature", 2, "--alpha", 0.5)
    kwsd("distill", *data, *SMALL, "--out", out)
    assert read_model(out).architecture.hidden == 12
    assert one_minus_auroc(out, tree) < 0.3


def test_grid_resumes_and_draws(tree: Path, teacher: Path) -> None:
    folder = teacher.parent
    storage, plot = folder / "study.journal", folder / "grid.png"
    options = ("--grid", "--teacher", teacher, "--data", tree, "--epochs", 1, "--storage", storage)
    assert kwsd("distill", *options, "--trials", 1).count("temperature") == 1
    record = folder / "grid.jsonl"
    again = kwsd("distill", *options, "--trials", 2, "--plot", plot, "--record", record)
    assert again.count("temperature") == 1
    assert plot.read_bytes().startswith(b"\x89PNG")
    [trial] = read_runs(record)
    assert trial["kind"] == "grid"
    assert trial["params"].keys() == {"temperature", "alpha"}


@pytest.mark.parametrize("bits", [16, 8, 4])
def test_quantize_keeps_the_quality_and_saves_the_bytes(bits: int, tree: Path, teacher: Path) -> None:
    out = teacher.with_name(f"quantized-{bits}.pt")
    kwsd("quantize", "--model", teacher, "--data", tree, "--bits", bits, "--out", out)
    assert out.stat().st_size < teacher.stat().st_size * (bits + 4) / 32
    assert one_minus_auroc(out, tree) < one_minus_auroc(teacher, tree) + 0.05


def test_quantization_aware_training_learns_from_a_teacher(tree: Path, teacher: Path) -> None:
    out = teacher.with_name("qat.pt")
    options = ("--model", teacher, "--data", tree, "--bits", 4, "--qat", "--teacher", teacher, "--epochs", 1)
    kwsd("quantize", *options, "--out", out)
    assert one_minus_auroc(out, tree) < 0.1


@pytest.mark.filterwarnings("ignore:.*quantized tensor creation.*:UserWarning")
def test_compare_names_every_way(tree: Path, teacher: Path) -> None:
    printed = kwsd("quantize", "--model", teacher, "--data", tree, "--compare")
    for way in ("float32", "torch dynamic int8", "float16", "int8", "int4"):
        assert way in printed


def test_prune_makes_a_smaller_model(tree: Path, teacher: Path) -> None:
    out = teacher.with_name("pruned.pt")
    sizes = ("--channels", 2, "--hidden", 10, "--rounds", 2, "--epochs", 1, "--last-epochs", 1)
    kwsd("prune", "--model", teacher, "--teacher", teacher, "--data", tree, *sizes, "--out", out)
    architecture = read_model(out).architecture
    assert (architecture.channels, architecture.hidden) == (2, 10)
    assert one_minus_auroc(out, tree) < 0.2


def test_info_gives_ratios(teacher: Path) -> None:
    facts = json.loads(kwsd("info", teacher, "--against", teacher, "--json"))
    assert facts["cost"]["parameters"] == 6_729
    assert facts["cost"]["macs_per_second"] == pytest.approx(118_733, abs=1)
    assert set(facts["ratios"].values()) == {1.0}


def test_a_tree_is_downloaded_if_it_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fetched: list[Path] = []

    def download(root: Path, _: object) -> None:
        fetched.append(root)
        root.mkdir()

    monkeypatch.setattr(run, "download", download)
    data = tmp_path / "tree"
    with pytest.raises(UsageError, match=r"tree: no such folder; .* --download to fetch it"):
        run.get_tree(data, may_download=False, progress=SILENT)
    for _ in range(2):
        run.get_tree(data, may_download=True, progress=SILENT)
    assert fetched == [data]


def test_what_cannot_be_is_said(tree: Path, teacher: Path) -> None:
    data = ("--data", tree, "--teacher", teacher)
    with pytest.raises(UsageError, match="--out"):
        kwsd("distill", *data)
    with pytest.raises(UsageError, match="--grid"):
        kwsd("distill", *data, "--search", "--out", teacher)
    with pytest.raises(UsageError, match="at most as many"):
        kwsd("prune", "--model", teacher, *data, "--channels", 9, "--hidden", 9, "--out", teacher)
    mine = ("mine", "--model", teacher, "--negatives", tree, "--out", teacher.with_name("mined"))
    with pytest.raises(UsageError, match="noise needs snr"):
        kwsd(*mine, "--noise", tree)
    with pytest.raises(UsageError, match="snr needs noise"):
        kwsd(*mine, "--snr", 10)
    with pytest.raises(UsageError, match="no clips of 'happy'"):
        kwsd("train", "--data", tree, "--out", teacher.with_name("x.pt"))


def test_a_teacher_of_another_word_is_refused(teacher: Path, tree: Path, tmp_path: Path) -> None:
    line = ("--teacher", "happy", "--model", teacher, "--data", tree, "--out", tmp_path / "x.pt")
    for command in (("prune", "--channels", 2, "--hidden", 10), ("quantize", "--qat")):
        with pytest.raises(UsageError, match="the teacher is for 'happy' and the model for 'rise'"):
            kwsd(*command, *line)


def test_report_tells_what_was_recorded(tree: Path, teacher: Path, tmp_path: Path) -> None:
    runs = tmp_path / "runs.jsonl"
    runs.write_text(teacher.with_name("runs.jsonl").read_text())
    kwsd("quantize", "--model", teacher, "--data", tree, "--out", tmp_path / "int8.pt", "--record", runs)
    with runs.open("a") as record:
        for quality, macs in ((0.05, 9e4), (0.04, 1.2e5)):
            record.write(json.dumps({"kind": "search", "epochs": 10, "values": [quality, macs]}) + "\n")
    page = tmp_path / "docs" / "report.md"
    page.parent.mkdir()
    kwsd("report", "--runs", runs, "--out", page)
    text = page.read_text()
    assert "| teacher | train | 32 | 6,729 | 118,733 | 1.0 |" in text
    assert "| int8 | quantize | 8 | 6,729 | 118,733 | 1.0 |" in text
    drawn = {figure.name for figure in (tmp_path / "docs" / "report").iterdir()}
    assert drawn == {"quality.png", "macs.png", "curves.png", "search.png"}
    assert "2 architectures" in text
    assert all(f"report/{name}" in text for name in drawn)
