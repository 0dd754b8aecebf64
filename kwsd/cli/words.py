"""The words of ``kwsd listen``: from its command line, from the file's tables, or the default."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from kwsd.errors import ModelError

if TYPE_CHECKING:
    from kwsd.daemon.app import Word

DEFAULT_WORD = "jarvis"
TABLES = "kwsd.words"  # key of `click.Context.meta`, for the [word.NAME] tables of the file by NAME


@dataclass(frozen=True)
class ChosenWord:
    """A word to listen for, and where it comes from."""

    name: str
    """A shipped model, a file or a table, as it was given."""

    origin: str
    """Where the name was given."""

    table: Mapping[str, Any]
    """Its table in the file. The keys are names of parameters. It is empty if there is no table."""

    word: "Word"


def table_name(name: str) -> str:
    """The table of this name, as the file writes it."""
    return f"[word.{name}]" if re.fullmatch(r"[\w-]+", name, re.ASCII) else f'[word."{name}"]'


def chosen_words(context: click.Context) -> list[ChosenWord]:
    """The words that a command line of ``kwsd listen`` was parsed into.

    Words on the command line replace those of the file. Raises ModelError for a table that does not set
    `model` and is not named after a model.
    """
    tables: Mapping[str, Mapping[str, Any]] = context.meta.get(TABLES, {})
    origins: dict[str, ParameterSource | None] = {
        name: context.get_parameter_source(name) for name in ("words", "model")
    }
    typed = [
        name
        for parameter, origin in origins.items()
        if origin is ParameterSource.COMMANDLINE
        for name in context.params[parameter]
    ]
    if typed:
        return [_chosen(name, "command line", tables, context) for name in typed]
    from_file = list(dict.fromkeys((*context.params["model"], *tables)))
    origin = "the file" if from_file else "default"
    return [_chosen(name, origin, tables, context) for name in from_file or [DEFAULT_WORD]]


def _chosen(
    name: str, origin: str, tables: Mapping[str, Mapping[str, Any]], context: click.Context
) -> ChosenWord:
    from kwsd.daemon.app import Word
    from kwsd.runtime.model import Settings

    table = tables.get(name, {})
    settings = {}
    for key in Settings.__dataclass_fields__:
        typed = context.get_parameter_source(key) is ParameterSource.COMMANDLINE
        settings[key] = context.params[key] if typed or key not in table else table[key]
    has_model = "model" in table  # then the name is not that of a model but what its triggers are called
    word = Word(
        model=table["model"] if has_model else name,
        settings=settings,
        on_trigger=table.get("on_trigger", ()),
        on_command=table.get("on_command", ()),
        keyword=name if has_model else None,
    )
    if name in tables and not has_model:
        _check_model(name, context)
    return ChosenWord(name, origin, table, word)


def _check_model(name: str, context: click.Context) -> None:
    """Raise ModelError if no model has this name, that of a table that does not set `model`."""
    from kwsd.runtime.modelfile import find_model

    try:
        find_model(name)
    except ModelError as error:
        where = f"{context.params['config']}: {table_name(name)}"
        raise ModelError(
            f"{where}: set model to a file or a shipped model: {error}", error.transient
        ) from None
