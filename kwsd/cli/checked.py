"""Option types for files and folders, which are checked before the command starts its work."""

import importlib.util
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

from kwsd.errors import UsageError
from kwsd.files import check_folder, check_replaceable
from kwsd.resources import installing, shared

PICTURES = (".eps", ".jpg", ".jpeg", ".pdf", ".png", ".ps", ".svg", ".svgz", ".tif", ".tiff", ".webp")


def complete_file(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:  # noqa: ARG001
    """Shell completion: complete the name of a file."""
    return [CompletionItem(incomplete, type="file")]


class Text(click.types.StringParamType):
    """Text that must not be empty, such as a keyword."""

    name = "text"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the text, or fail with a usage error if it is empty."""
        if not str(value).strip():
            self.fail("it must not be empty.", param, ctx)
        return str(value)


class ModelName(Text):
    """A model file, or the name of a shipped model."""

    def shell_complete(
        self,
        ctx: click.Context,
        param: click.Parameter,
        incomplete: str,
    ) -> list[CompletionItem]:
        """Complete the names of files and shipped models. docs/install.md explains how to enable this."""
        names = sorted(path.stem for path in shared("models").glob("*.pt"))
        fitting = [CompletionItem(name) for name in names if name.startswith(incomplete)]
        return [*complete_file(ctx, param, incomplete), *fitting]


class CheckedPath(click.Path):
    """A path that must not be empty. Subclasses check the file that it names."""

    def __init__(self) -> None:
        super().__init__(path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the path, or fail with a usage error if it is empty."""
        if not os.fspath(value):
            self.fail("it must not be empty.", param, ctx)
        return super().convert(value, param, ctx)

    def check(self, path: Path) -> None:
        """Raise UsageError if the path does not name what the option requires."""

    def written(self, path: Path) -> Iterator[Path]:  # noqa: ARG002
        """The files that the command will write for this path."""
        yield from ()


class Folder(CheckedPath):
    """A folder to read."""

    def check(self, path: Path) -> None:
        """Raise UsageError if it does not exist or cannot be read."""
        check_folder(path)


class NewFolder(CheckedPath):
    """A folder to write into. It is created if it does not exist."""

    def check(self, path: Path) -> None:
        """Raise UsageError if it is a file, or cannot be written to."""
        existing = next(parent for parent in (path, *path.absolute().parents) if parent.exists())
        if not existing.is_dir():
            raise UsageError(f"{existing} is a file; give a folder")
        check_writable(existing)


class Output(CheckedPath):
    """A file to write. An existing file is replaced."""

    def check(self, path: Path) -> None:
        """Raise UsageError if one of the files cannot be written."""
        for file in self.written(path):
            check_replaceable(file)
            check_writable(file.parent)

    def written(self, path: Path) -> Iterator[Path]:
        """The file itself."""
        yield path


class ModelOutput(Output):
    """A model file to write, with its card."""

    def check(self, path: Path) -> None:
        """As `Output.check`. The path must not have the suffix of the other files written with the model."""
        if path.suffix in (".md", ".ckpt"):
            raise UsageError(f"{path} would be a model card or a checkpoint; use a name that ends in .pt")
        super().check(path)

    def written(self, path: Path) -> Iterator[Path]:
        """The model and its card."""
        yield path
        yield path.with_suffix(".md")


class TrainedOutput(ModelOutput):
    """A model file to train and write, with its card, and with a checkpoint during training."""

    def written(self, path: Path) -> Iterator[Path]:
        """The model, its card and its checkpoint."""
        yield from super().written(path)
        yield path.with_suffix(".ckpt")


class Picture(Output):
    """A picture to draw."""

    def check(self, path: Path) -> None:
        """As `Output.check`. Also raise UsageError if matplotlib is missing or cannot write this format."""
        if importlib.util.find_spec("matplotlib") is None:
            raise UsageError(f"--plot needs matplotlib: {installing('plot')}")
        if path.suffix.lower() not in PICTURES:
            raise UsageError(f"cannot draw {path}: use a name that ends in .png, .svg or .pdf")
        super().check(path)


class AppendedFile(CheckedPath):
    """A file to append lines to. It is created if it does not exist."""

    def check(self, path: Path) -> None:
        """Raise UsageError if it cannot be appended to."""
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
    """Raise UsageError if no file can be created in the folder. Creates one, as permissions do not tell."""
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise UsageError(f"cannot write to the folder {folder}: {error.strerror}") from error


class CheckedCommand(click.Command):
    """A command that checks all its paths before it starts."""

    def invoke(self, ctx: click.Context) -> Any:
        """Check all paths, then run. Raises UsageError, also if two options would write the same file."""
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
