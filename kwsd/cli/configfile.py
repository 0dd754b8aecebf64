"""Reads options of ``kwsd listen`` from a TOML file. Its keys are the option names without leading dashes."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from kwsd.cli.renamed import current_name
from kwsd.cli.words import TABLES, table_name
from kwsd.errors import UsageError, is_transient, shown
from kwsd.files import read_file, user_folder

MAX_BYTES = 1_000_000  # of the file
MAX_DOTS = 2_000  # in the file, outside of comment lines
PATHS = ("save-clips", "save-near-misses", "save-commands", "control")  # options that are always paths
PATHS_OR_NAMES = ("model", "ding")  # a shipped model or sound has a name


def configured(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the option --config to a click command. Options on the command line override those in the file."""
    return click.option(
        "--config",
        type=click.Path(path_type=Path),
        is_eager=True,  # parsed first, because the file sets the defaults of the others
        callback=_load_defaults,
        metavar="FILE",
        help="TOML file with options.  [default: kwsd/config.toml in $XDG_CONFIG_HOME or ~/.config]",
    )(command)


def _load_defaults(context: click.Context, _: click.Parameter, given: Path | None) -> Path | None:
    """Make the values in the file the defaults of the other options. Returns the path of the file, if any."""
    path = given or user_folder("config") / "config.toml"
    if given is None and not os.path.exists(path):  # noqa: PTH110 - Path.exists raises PermissionError
        return None
    context.default_map, context.meta[TABLES] = read(path, context.command)
    return path


def is_from_file(context: click.Context, name: str) -> bool:
    """Whether the value of this parameter comes from the file."""
    return context.get_parameter_source(name) is ParameterSource.DEFAULT_MAP


def read(path: Path, command: click.Command) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """The values in a file, by the names of the command's parameters, and those of each [word.NAME] table.

    Relative paths of models and clips are resolved against the folder of the file. Raises UsageError, naming
    file and key, for an unknown option or a value of the wrong type.
    """
    import tomllib

    try:
        text = read_file(path, MAX_BYTES).decode()
        _check_dots(text)
        table = tomllib.loads(text)
    except OSError as error:
        reason = f"cannot read the configuration {path}: {error.strerror}"
        raise UsageError(reason, is_transient(error)) from error
    except UsageError as error:
        raise UsageError(f"cannot read the configuration {path}: {error}") from error
    except RecursionError:
        raise UsageError(f"cannot read the configuration {path}: it is nested too deep") from None
    except ValueError as error:  # invalid TOML or invalid UTF-8
        raise UsageError(f"{path} is not TOML: {error}") from error
    options = {
        option.opts[0].removeprefix("--"): option
        for option in command.params
        if isinstance(option, click.Option) and option.name != "config"
    }
    words = table.pop("word", {})
    values = _values(path, str(path), table, options)
    if "model" in values:
        values["model"] = (values["model"],)
    return values, _words(path, words, options)


def _words(path: Path, words: object, options: dict[str, click.Option]) -> dict[str, dict[str, Any]]:
    """The values of each table in the table `word`. Raises UsageError as `read` does."""
    from kwsd.runtime.model import Settings, check_keyword

    allowed = {*Settings.__dataclass_fields__, "model", "on_trigger", "on_command"}
    options = {key: option for key, option in options.items() if option.name in allowed}
    if not isinstance(words, dict):
        raise UsageError(f"{path}: word must be tables, as [word.NAME], not {shown(words)}")
    found = {}
    for name, table in words.items():
        if not isinstance(table, dict):
            raise UsageError(f"{path}: [word] must hold tables, as [word.NAME]; {shown(name)} is none")
        try:
            check_keyword(name)
        except UsageError as error:
            raise UsageError(f"{path}: [word.{shown(name)}]: {error}") from error
        where = f"{path}: {table_name(name)}"
        found[name] = _values(path, where, table, options)
    return found


def _values(
    path: Path, where: str, table: dict[str, Any], options: dict[str, click.Option]
) -> dict[str, Any]:
    """The values of a table, by the names of parameters. where: the table, for messages."""
    values: dict[str, Any] = {}
    for given, value in table.items():
        key = current_name(given)
        if key not in options:
            names = ", ".join(options)
            raise UsageError(f"{where}: there is no option {shown(key)}; the options are: {names}")
        option = options[key]
        _check(value, option, f"{where}: {key}")
        if key in (*PATHS, *PATHS_OR_NAMES):
            absolute = _absolute(path, value, f"{where}: {key}")
            value = absolute if key in PATHS or os.path.exists(absolute) else value  # noqa: PTH110
        try:
            if key != "model":  # which may be repeated on the command line, but not here
                value = option.type_cast_value(click.Context(click.Command(None)), value)
            elif not value.strip():
                raise UsageError(f"{where}: model: it is empty.")
        except click.BadParameter as error:
            raise UsageError(f"{where}: {key}: {error.message}") from error
        if str(option.name) in values:
            raise UsageError(f"{where}: {key} is set twice, once by its old name; remove one of them")
        values[str(option.name)] = value
    return values


def _check_dots(text: str) -> None:
    """Raise UsageError for keys with very many parts (a.b.c): no option has such a name.

    The time and memory that tomllib needs grow with the square of their number.
    """
    lines = (line for line in text.splitlines() if not line.lstrip().startswith("#"))
    if sum(line.count(".") for line in lines) > MAX_DOTS:
        raise UsageError("too many dots: no option has a dot in its name")


def _absolute(config: Path, value: str, where: str) -> str:
    """The absolute path of a file that a configuration names. Raises UsageError if ~USER is unknown."""
    try:
        return str(Path(os.path.abspath(config)).parent / Path(value).expanduser())  # noqa: PTH100
    except RuntimeError as error:
        raise UsageError(f"{where}: {shown(value)}: there is no such user") from error
    except OSError as error:  # the working directory was removed
        raise UsageError(
            f"{where}: cannot find the working directory: {error.strerror}", transient=True
        ) from error


def _check(value: object, option: click.Option, where: str) -> None:
    """Raise UsageError for a value of the wrong type, which click would convert silently."""
    kinds: tuple[type, ...]
    if isinstance(option.type, click.IntRange):
        what, kinds = "a whole number", (int,)
    elif isinstance(option.type, click.FloatRange):
        what, kinds = "a number", (int, float)
    elif option.is_flag:
        what, kinds = "true or false", (bool,)
    else:
        what, kinds = "a quoted string", (str,)
    if not option.multiple or option.name == "model":  # the file has a table for each further word
        fits = type(value) in kinds and not (isinstance(value, int) and value.bit_length() > 64)
    else:
        what = f"a list of items, each {what}"
        fits = isinstance(value, list) and all(type(item) in kinds for item in value)
    if not fits:
        raise UsageError(f"{where} must be {what}, not {shown(value)}")
    for text in value if isinstance(value, list) else (value,):
        if isinstance(text, str) and "\0" in text:
            raise UsageError(f"{where} must not contain a NUL character, as {shown(text)} does")
