"""``kwsd config``: shows the options that ``kwsd listen`` would use, and where each comes from."""

import json
from collections.abc import Iterable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

if TYPE_CHECKING:
    from kwsd.cli.words import ChosenWord
    from kwsd.runtime.spotter import Spotter

Found = dict[str, Any]  # an option's value and where it comes from: {"value": ..., "from": ...}
HOOKS = ("on-trigger", "on-command")  # of a word, besides those for every word


@click.command(name="config", context_settings={"ignore_unknown_options": True})
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.argument("options", nargs=-1, type=click.UNPROCESSED, metavar="[WORDS AND LISTEN OPTIONS]...")
def command(as_json: bool, options: tuple[str, ...]) -> None:
    """Accepts the words and options of kwsd listen, and shows them instead of listening.

    Several words have a column each.
    """
    from kwsd.cli import listen
    from kwsd.cli.words import chosen_words
    from kwsd.daemon.app import load_detector

    context = listen.command.make_context("kwsd listen", list(options))
    chosen = chosen_words(context)
    detector = load_detector([one.word for one in chosen])
    pairs = zip(chosen, detector.spotters, strict=True)
    words = {spotter.keyword: _of_word(one, spotter, context) for one, spotter in pairs}
    shared = {
        option.opts[0].removeprefix("--"): _of_parameter(str(option.name), context)
        for option in listen.command.params
        if isinstance(option, click.Option)
    }
    first, *others = words.values()
    if not others:
        for name in HOOKS:
            own = first.pop(name)
            if own["value"]:
                # where the commands for every word come from is not shown then
                shared[name] = own | {"value": (*shared[name]["value"], *own["value"])}
        shared |= first
    else:
        shared = {name: found for name, found in shared.items() if name in HOOKS or name not in first}
    if as_json:
        click.echo(json.dumps(shared | {"words": words} if others else shared, default=str))
        return
    _print(["Option", "Value", "From"], ((name, one["value"], one["from"]) for name, one in shared.items()))
    if others:
        print()
        found = words.values()
        _print(["Of a word", *words], ((name, *(_with_origin(one[name]) for one in found)) for name in first))


def _of_word(chosen: "ChosenWord", spotter: "Spotter", context: click.Context) -> dict[str, Found]:
    """The options of a word, by their long names."""
    from kwsd.cli.words import table_name

    table = table_name(chosen.name)
    origin = table if "model" in chosen.table else chosen.origin
    values: dict[str, Found] = {"model": {"value": chosen.word.model, "from": origin}}
    for name, value in asdict(spotter.settings).items():
        origin = _of_parameter(name, context)["from"]
        if origin != "command line" and name in chosen.table:
            origin = table
        elif origin == "default":  # a release may have been lowered to the threshold by `Settings.override`
            origin = "the model" if value == getattr(spotter.model.settings, name) else "the threshold"
        values[name.replace("_", "-")] = {"value": value, "from": origin}
    for name, commands in zip(HOOKS, (chosen.word.on_trigger, chosen.word.on_command), strict=True):
        values[name] = {"value": commands, "from": table if commands else "default"}
    return values


def _of_parameter(name: str, context: click.Context) -> Found:
    """The value of a parameter of ``kwsd listen``, and where it comes from."""
    origins = {ParameterSource.COMMANDLINE: "command line", ParameterSource.DEFAULT_MAP: "the file"}
    source = context.get_parameter_source(name) or ParameterSource.DEFAULT
    return {"value": context.params[name], "from": origins.get(source, "default")}


def _with_origin(found: Found) -> object:
    """The value with its origin in brackets, for a table; nothing if there is no value."""
    value = found["value"]
    return "" if value == () else f"{_text(value)} ({found['from']})"


def _text(value: object) -> str:
    return "\n".join(map(str, value)) if isinstance(value, tuple) else "" if value is None else str(value)


def _print(columns: list[str], rows: Iterable[tuple[object, ...]]) -> None:
    """Print a table. Values that are too long for the terminal are folded."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Column, Table
    from rich.text import Text

    made = [
        Column(name, no_wrap=True) if name in ("Option", "From") else Column(Text(name), overflow="fold")
        for name in columns
    ]
    table = Table(*made, box=SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for row in rows:
        table.add_row(*(Text(_text(cell)) for cell in row))
    Console().print(table)
