"""What the training commands say where their libraries are absent or do not fit together."""

import re
import sys
from pathlib import Path

import pytest

from kwsd.cli import main
from kwsd.cli.extras import needs_export, needs_torch
from kwsd.errors import UsageError

pytest.importorskip("torch")

OTHER_CUDA = "Detected that PyTorch and TorchAudio were compiled with different CUDA versions."
BROKEN = {
    "a library it lacks": "raise OSError('libcudart.so.13: cannot open\\nand a second line')",
    "another CUDA": f"raise RuntimeError({OTHER_CUDA!r})",
    "a symbol it lacks": "raise ImportError('undefined symbol: _ZN3c105ErrorC2E')",
    "a module it lacks": "import torchcodec_of_another_release",
    "no message": "raise RuntimeError",
}
MODEL = ("--model", "student")
COMMANDS = {
    "train": ("--data", "{folder}", "--out", "{out}"),
    "experiment": ("--data", "{folder}", "--out", "{folder}/experiment"),
    "new": ("hey computer", "--out", "{out}"),
    "distill": ("--teacher", "student", "--data", "{folder}", "--out", "{out}"),
    "quantize": (*MODEL, "--data", "{folder}", "--out", "{out}"),
    "prune": (
        *MODEL,
        "--teacher",
        "student",
        "--data",
        "{folder}",
        "--channels",
        "3",
        "--hidden",
        "14",
        "--out",
        "{out}",
    ),
    "evaluate": (*MODEL, "--data", "{folder}"),
}


def test_what_export_lacks_is_one_line_and_its_page_says_how_to_install_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(UsageError) as caught:
        needs_export()
    [page] = re.findall(r"it needs the extra export: .*, see (.*)", str(caught.value))
    assert ".[export]" in Path(page).read_text()


def install(torchaudio: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make this the source of torchaudio."""
    package = folder / "site" / "torchaudio"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(torchaudio)
    monkeypatch.syspath_prepend(str(package.parent))
    monkeypatch.delitem(sys.modules, "torchaudio", raising=False)


@pytest.mark.parametrize("source", BROKEN.values(), ids=BROKEN)
def test_a_torchaudio_that_does_not_load_is_one_line_that_says_what_fits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str
) -> None:
    install(source, tmp_path, monkeypatch)
    with pytest.raises(
        UsageError, match=r"^cannot load torchaudio: .*torchaudio 2\.11 from the same index"
    ) as raised:
        needs_torch()
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_that_needs_torch_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    install(BROKEN["another CUDA"], tmp_path, monkeypatch)
    (tmp_path / "folder").mkdir()
    options = [word.format(folder=tmp_path / "folder", out=tmp_path / "out.pt") for word in COMMANDS[command]]
    with pytest.raises(SystemExit) as ended:
        main([command, *options])
    assert ended.value.code == 2
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 1
    assert OTHER_CUDA in said[0]


@pytest.mark.parametrize(("command", "extra"), [("train", "train"), ("new", "new")])
def test_an_absent_torchaudio_is_named_by_its_extra(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    command: str,
    extra: str,
) -> None:
    install("", tmp_path, monkeypatch)
    monkeypatch.setitem(sys.modules, "torchaudio", None)  # as if no such module were installed
    (tmp_path / "folder").mkdir()
    options = [word.format(folder=tmp_path / "folder", out=tmp_path / "out.pt") for word in COMMANDS[command]]
    with pytest.raises(SystemExit):
        main([command, *options])
    assert f"pip install '.[{extra}]' in the folder" in capsys.readouterr().err
