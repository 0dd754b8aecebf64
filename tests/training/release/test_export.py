"""Models in the formats of other programs, run by those programs' engines."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from verifiers import weights

from kwsd.errors import KwsdError, UsageError
from kwsd.pcm import Int16
from kwsd.runtime.engine import Engine
from kwsd.runtime.frontend import HOP, N_MELS, POWER_FLOOR, FrontEnd
from kwsd.runtime.model import Architecture, Array, Model, Settings
from kwsd.runtime.modelfile import find_model, read_model
from kwsd.runtime.shipped_embedding import shipped_embedding
from kwsd.runtime.verifier import shapes
from kwsd.training.data.speech_commands import read_audio

pytest.importorskip("onnx", reason="needs the extra export")
onnxruntime = pytest.importorskip("onnxruntime", reason="runs the exported models")

from kwsd.training.release.export import export  # noqa: E402 - needs onnx
from kwsd.training.release.export_first_stage import first_stage_files  # noqa: E402
from kwsd.training.release.export_openwakeword import openwakeword_files  # noqa: E402

DOCS = Path(__file__).parents[3] / "docs"
SAMPLE, PAGE = DOCS / "sample.flac", DOCS / "export.md"
TINY = Architecture(channels=2, kernel=(20, 3), stride=(10, 1), hidden=4)


def word(keyword: str = "word", threshold: float = 0.9) -> Model:
    """A model with two heads of random weights on the shipped embedding."""
    drawn = np.random.default_rng(0)
    crnn = {name: drawn.normal(0, 0.3, shape).astype(np.float32) for name, shape in TINY.shapes().items()}
    return Model(
        keyword, TINY, crnn, Settings(threshold=threshold), verifier=weights() | dict(shipped_embedding())
    )


def embeddings(count: int) -> Array:
    return np.random.default_rng(1).normal(0, 3, (count, 96)).astype(np.float32)


def expected(model: Model, seen: Array, threshold: float) -> list[float]:
    """The heads in plain numbers, at each embedding with fifteen before it."""
    assert model.verifier
    w, found = model.verifier, []
    for end in range(16, len(seen) + 1):
        odds = []
        for head in range(2):
            each = (seen[end - 10 : end] @ w["each.weight"][head] + w["each.bias"][head]).clip(min=0)
            joined = each.ravel() @ w["together.weight"][head] + w["together.bias"][head, 0]
            odds.append((joined.clip(min=0) @ w["output.weight"][head] + w["output.bias"][head, 0]).item())
        above = sum(odds) / 2 - np.log(threshold / (1 - threshold))
        found.append(1 / (1 + np.exp(-above)))
    return found


def by_onnxruntime(network: bytes, seen: Array) -> list[float]:
    session = onnxruntime.InferenceSession(network)
    (given,) = session.get_inputs()
    windows = [seen[None, end - 16 : end] for end in range(16, len(seen) + 1)]
    return [session.run(None, {given.name: window})[0].item() for window in windows]


def by_pyopen_wakeword(network: bytes, seen: Array, folder: Path) -> list[float]:
    engine = pytest.importorskip("pyopen_wakeword", reason="runs the exported .tflite")
    path = folder / "word.tflite"
    path.write_bytes(network)
    runner = engine.OpenWakeWord.from_model(path)
    assert runner.input_windows == 16
    return [found for one in seen for found in runner.process_streaming(one[None, None, None])]


@pytest.mark.parametrize("threshold", [None, 0.5, 0.99])
def test_both_files_of_a_word_are_the_heads_with_the_threshold_at_one_half(
    tmp_path: Path, threshold: float | None
) -> None:
    model, seen = word(), embeddings(40)
    files = openwakeword_files(model, threshold)
    wanted = expected(model, seen, threshold or 0.9)
    assert np.ptp(wanted) > 0.01
    np.testing.assert_allclose(by_onnxruntime(files["word.onnx"], seen), wanted, atol=1e-5)
    np.testing.assert_allclose(by_pyopen_wakeword(files["word.tflite"], seen, tmp_path), wanted, atol=1e-5)


@pytest.mark.parametrize("threshold", [0.001, 0.5, 0.97, 1.0])
def test_heads_that_are_as_sure_as_the_threshold_give_one_half(tmp_path: Path, threshold: float) -> None:
    model = word()
    heads = {name: np.zeros(shape, np.float32) for name, shape in shapes(1).items() if "conv" not in name}
    sure = min(threshold, 1 - 1e-6)
    heads["output.bias"][:] = np.log(sure / (1 - sure))
    files = openwakeword_files(replace(model, verifier=heads | dict(shipped_embedding())), threshold)
    seen = embeddings(16)
    assert by_onnxruntime(files["word.onnx"], seen) == [pytest.approx(0.5)]
    assert by_pyopen_wakeword(files["word.tflite"], seen, tmp_path) == [pytest.approx(0.5)]


def test_the_files_are_those_that_linux_voice_assistant_looks_for() -> None:
    files = openwakeword_files(word("Hey, Zoë!"))
    assert list(files) == ["hey_zoë.tflite", "hey_zoë.onnx", "hey_zoë.json"]
    assert json.loads(files["hey_zoë.json"]) == {
        "type": "openWakeWord",
        "wake_word": "Hey, Zoë!",
        "model": "hey_zoë.tflite",
        "openWakeWord": {"probability_cutoff": 0.5},
    }


@pytest.mark.parametrize(
    ("model", "reason"), [("teacher", "no second stage"), ("happy", "embedding of its own")]
)
def test_a_model_that_openwakeword_cannot_run_is_refused(tmp_path: Path, model: str, reason: str) -> None:
    with pytest.raises(UsageError, match=f"^{model}.pt has .*{reason}.* `kwsd new` made$"):
        export(read_model(find_model(model)), "openwakeword", tmp_path / "new")
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_written_if_one_file_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "word.json").mkdir()
    with pytest.raises(UsageError, match="is a folder; give a file"):
        export(word(), "openwakeword", tmp_path)
    assert len(list(tmp_path.iterdir())) == 1
    (tmp_path / "file").touch()
    with pytest.raises(KwsdError, match=r"cannot create the folder .*: Not a directory"):
        export(word(), "onnx", tmp_path / "file" / "folder")


def steps_of(network: bytes, sound: Array) -> Iterator[dict[str, Any]]:
    """What the network gives at each step of a stream that begins with these samples."""
    session = onnxruntime.InferenceSession(network)
    shape = {given.name: given.shape for given in session.get_inputs()}
    names = [given.name for given in session.get_outputs()]
    (chunk,), state = shape["samples"], np.zeros(shape["state"], np.float32)
    for start in range(0, len(sound) - chunk + 1, chunk):
        given = {"samples": sound[start : start + chunk], "state": state}
        found = dict(zip(names, session.run(None, given), strict=True))
        state = found["next_state"]
        yield found


def posteriors_of(model: Model, sound: Array) -> Array:
    """Those of the engine, after silence, at the same steps."""
    kernel, step = model.architecture.kernel[1], model.settings.step
    silence = np.full((kernel, N_MELS), np.log(np.float32(POWER_FLOOR)))
    frames = FrontEnd().push(np.concatenate((np.zeros(240, np.float32), sound)))
    engine = Engine(model, model.settings.window, step)
    return engine.advance(np.concatenate((silence, frames)).astype(np.float32)[step:])


@pytest.mark.parametrize("name", ["teacher", "jarvis"])
def test_a_step_of_the_first_stage_gives_the_posteriors_of_the_engine(name: str) -> None:
    model = read_model(find_model(name))
    sound = np.float32(read_audio(SAMPLE)) / 32_768
    (network,) = first_stage_files(model).values()
    found = list(steps_of(network, sound))
    wanted = posteriors_of(model, sound)
    assert len(found) == len(wanted) > 100
    assert np.ptp(wanted) > (0.9 if name == "jarvis" else 0)  # the recording says its word
    np.testing.assert_allclose([one["posterior"].item() for one in found], wanted, atol=1e-5)
    assert [one["warm"].item() for one in found[:21]] == [0] * 19 + [1, 1]


@pytest.mark.parametrize(("window", "step"), [(1, 1), (3, 2), (5, 3), (4, 7)])
def test_the_step_may_be_shorter_or_longer_than_the_kernel(window: int, step: int) -> None:
    model = replace(word(), settings=Settings(window=window, step=step))
    sound = np.random.default_rng(2).normal(0, 0.1, 200 * HOP).astype(np.float32)
    (network,) = first_stage_files(model).values()
    found = [one["posterior"].item() for one in steps_of(network, sound)]
    np.testing.assert_allclose(found, posteriors_of(model, sound)[: len(found)], atol=1e-5)
    assert len(found) == 200 // step


def test_the_file_tells_what_a_program_needs_to_know() -> None:
    def facts(name: str) -> dict[str, str]:
        ((file, network),) = first_stage_files(read_model(find_model(name))).items()
        assert file == f"{name}-first-stage.onnx"
        session = onnxruntime.InferenceSession(network)
        return dict(session.get_modelmeta().custom_metadata_map)

    teacher = facts("teacher")
    assert teacher["keyword"] == "happy"
    assert (teacher["sample_rate"], teacher["window"], teacher["step"]) == ("16000", "20", "8")
    assert "threshold" in teacher
    assert facts("alexa")["candidate_threshold"] == "0.02"


def test_the_example_of_the_page_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    [example] = re.findall("^```python\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    sound = np.float32(read_audio(SAMPLE)) / 32_768

    def chunks_of(size: int) -> Iterator[Array]:
        yield from sound[: len(sound) // size * size].reshape(-1, size)

    monkeypatch.chdir(tmp_path)
    for name, heard in (("student", False), ("teacher", False), ("jarvis", True)):
        ((file, network),) = first_stage_files(read_model(find_model(name))).items()
        Path(file).write_bytes(network)
        exec(example.replace("student", name), {"chunks_of": chunks_of})
        assert ("heard" in capsys.readouterr().out) >= heard  # the recording says "jarvis"


def test_an_exported_word_hears_people_in_an_engine_of_its_own(tmp_path: Path, recordings: Path) -> None:
    engine = pytest.importorskip("pyopen_wakeword", reason="runs the exported .tflite")
    (path, *_) = export(read_model(find_model("alexa")), "openwakeword", tmp_path)
    heads, features = engine.OpenWakeWord.from_model(path), engine.OpenWakeWordFeatures.from_builtin()

    def highest(sound: Int16) -> float:
        """The highest probability in three seconds, which continue the stream."""
        padded = np.pad(sound, (0, 48_000))[:48_000]
        found = [p for e in features.process_streaming(padded.tobytes()) for p in heads.process_streaming(e)]
        return max(found)

    clips = [read_audio(path) for path in sorted((recordings / "wake_words" / "alexa").glob("*.flac"))[:3]]
    others = [read_audio(path) for path in sorted((recordings / "continuous_speech").glob("*.flac"))[:2]]
    assert [highest(other) > 0.5 for other in others] == [False] * 2
    assert sum(highest(clip) > 0.5 for clip in clips) >= 2
