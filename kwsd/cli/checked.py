"""Options that name files and folders, checked before the command that has them begins any work."""

import importlib.util
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

from kwsd.errors import UsageError
from kwsd.files import check_replaceable
from kwsd.resources import shared

PICTURES = (".eps", ".jpg", ".jpeg", ".pdf", ".png", ".ps", ".svg", ".svgz", ".tif", ".tiff", ".webp")


def complete_file(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:  # noqa: ARG001
    """Have the shell complete the name of a file."""
    return [CompletionItem(incomplete, type="file")]


class Text(click.types.StringParamType):
    """A text that is not empty: the name of a model, a keyword."""

    name = "text"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The text. Fails with a usage error."""
        if not str(value).strip():
            self.fail("it is empty.", param, ctx)
        return str(value)


class ModelName(Text):
    """A model file, or the name of a shipped model."""

    def shell_complete(
        self,
        ctx: click.Context,
        param: click.Parameter,
        incomplete: str,
    ) -> list[CompletionItem]:
        """Files and names (docs/install.md says how to switch completion on)."""
        names = sorted(path.stem for path in shared("models").glob("*.pt"))
        fitting = [CompletionItem(name) for name in names if name.startswith(incomplete)]
        return [*complete_file(ctx, param, incomplete), *fitting]


class CheckedPath(click.Path):
    """A path; an empty one is refused. `check` looks at what it names."""

    def __init__(self) -> None:
        super().__init__(path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The path. Fails with a usage error."""
        if not os.fspath(value):
            self.fail("it is empty.", param, ctx)
        return super().convert(value, param, ctx)

    def check(self, path: Path) -> None:
        """Raise UsageError where the path does not name what the option is for."""

    def written(self, path: Path) -> Iterator[Path]:  # noqa: ARG002
        """The files that the command will write for this path."""
        yield from ()


class Folder(CheckedPath):
    """A folder to read."""

    def check(self, path: Path) -> None:
        """Raise UsageError where there is none, or it may not be read."""
        try:
            with os.scandir(path) as entries:
                next(entries, None)
        except FileNotFoundError as error:
            raise UsageError(f"{path}: no such folder") from error
        except OSError as error:
            raise UsageError(f"{path}: {error.strerror}; give a folder of recordings") from error


class NewFolder(CheckedPath):
    """A folder to write into, made where it is not there yet."""

    def check(self, path: Path) -> None:
        """Raise UsageError where it is a file, or nothing can be written to it."""
        there = next(parent for parent in (path, *path.absolute().parents) if parent.exists())
        if not there.is_dir():
            raise UsageError(f"{there} is a file: name a folder")
        check_writable(there)


class Output(CheckedPath):
    """A file to write; what is there is replaced."""

    def check(self, path: Path) -> None:
        """Raise UsageError where one of the files cannot be written."""
        for file in self.written(path):
            check_replaceable(file)
            check_writable(file.parent)

    def written(self, path: Path) -> Iterator[Path]:
        """The file itself."""
        yield path


class ModelOutput(Output):
    """A model file to write, with its card."""

    def check(self, path: Path) -> None:
        """As `Output.check`; its name must leave the names beside it free."""
        if path.suffix in (".md", ".ckpt"):
            raise UsageError(f"{path}: a model's card and checkpoint have such names; give it one in .pt")
        super().check(path)

    def written(self, path: Path) -> Iterator[Path]:
        """The model and its card."""
        yield path
        yield path.with_suffix(".md")


class TrainedOutput(ModelOutput):
    """A model file to train and write, with its card, and a checkpoint while it is trained."""

    def written(self, path: Path) -> Iterator[Path]:
        """The model, its card and its checkpoint."""
        yield from super().written(path)
        yield path.with_suffix(".ckpt")


class Picture(Output):
    """A picture to draw."""

    def check(self, path: Path) -> None:
        """As `Output.check`; the format must be one that matplotlib draws."""
        if importlib.util.find_spec("matplotlib") is None:
            raise UsageError("--plot needs matplotlib: pip install 'kwsd[plot]'")
        if path.suffix.lower() not in PICTURES:
            raise UsageError(f"cannot draw {path}: name it .png, .svg or .pdf")
        super().check(path)


class Lines(CheckedPath):
    """A file to add lines to, made where it is not there yet."""

    def check(self, path: Path) -> None:
        """Raise UsageError where nothing can be added to it."""
        if not path.exists():
            check_replaceable(path)
            check_writable(path.parent)
            return
        try:
            path.open("ab").close()
        except OSError as error:
            raise UsageError(f"cannot write {path}: {error.strerror}") from error

    def written(self, path: Path) -> Iterator[Path]:
        """The file itself."""
        yield path


def check_writable(folder: Path) -> None:
    """Raise UsageError where no file can be made in the folder: permissions do not tell for sure."""
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise UsageError(f"cannot write to the folder {folder}: {error.strerror}") from error


class CheckedCommand(click.Command):
    """A command whose paths are checked before it begins, all of them."""

    def invoke(self, ctx: click.Context) -> Any:
        """Raise UsageError for a path that is not what its option is for; else run the command."""
        taken: dict[Path, str] = {}
        for parameter in self.params:
            value = ctx.params.get(str(parameter.name))
            if not isinstance(parameter.type, CheckedPath) or value is None:
                continue
            for path in value if isinstance(value, tuple) else (value,):
                parameter.type.check(path)
                for file in parameter.type.written(path):
                    other = taken.setdefault(file.absolute(), parameter.opts[0])
                    if other != parameter.opts[0]:
                        raise UsageError(f"{other} and {parameter.opts[0]} would both write {file}")
        return super().invoke(ctx)
