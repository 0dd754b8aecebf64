"""``kwsd ctl``: controls a running ``kwsd listen`` through its control socket."""

import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

import click

from kwsd.cli.checked import CheckedPath, Text
from kwsd.cli.number import POSTERIOR, Number
from kwsd.daemon.control.address import VARIABLE
from kwsd.daemon.pause import MAX_SECONDS
from kwsd.errors import one_line

Answer = dict[str, Any]
Function = TypeVar("Function", bound=Callable[..., Any])


@click.group(name="ctl")
def command() -> None:
    """It controls the kwsd of your session or, where there is none, that of the system service, as root.

    Programs can write JSON lines to the socket themselves: docs/control.md.
    """


def common(function: Function) -> Function:
    """Add the options that all of these commands have."""
    socket = click.option(
        "--control",
        type=CheckedPath(),
        envvar=VARIABLE,
        metavar="PATH",
        help="Socket of the kwsd to control, as given to kwsd listen --control.",
    )
    as_json = click.option("--json", "as_json", is_flag=True, help="Print the answer as JSON.")
    return socket(as_json(function))


WORD = click.argument("word", type=Text())


@command.command()
@common
def status(control: Path | None, as_json: bool) -> None:
    """Show level, words, last triggers and counters."""
    _send({"command": "status"}, control, as_json, _status)


@command.command()
@click.argument("seconds", type=Number(0, MAX_SECONDS), required=False)
@common
def pause(seconds: float | None, control: Path | None, as_json: bool) -> None:
    """Detect nothing for SECONDS, or until kwsd ctl resume.

    The microphone stays open. What is heard meanwhile is not kept. It returns once the pause has begun.
    """
    request = {"command": "pause"} | ({} if seconds is None else {"seconds": seconds})
    _send(request, control, as_json)


@command.command()
@common
def resume(control: Path | None, as_json: bool) -> None:
    """End a pause."""
    _send({"command": "resume"}, control, as_json)


@command.command()
@common
def words(control: Path | None, as_json: bool) -> None:
    """Show the words and their settings."""
    _send({"command": "words"}, control, as_json, _words)


@command.command()
@WORD
@click.argument("threshold", type=POSTERIOR)
@common
def threshold(word: str, threshold: float, control: Path | None, as_json: bool) -> None:
    """Change the threshold of WORD, until the next reload or restart."""
    _send({"command": "threshold", "word": word, "threshold": threshold}, control, as_json)


@command.command()
@WORD
@common
def trigger(word: str, control: Path | None, as_json: bool) -> None:
    """Trigger as if WORD had been said, also during a pause."""
    _send({"command": "trigger", "word": word}, control, as_json)


@command.command()
@common
def reload(control: Path | None, as_json: bool) -> None:
    """Load the configuration file and the models again, as SIGHUP does.

    It returns once they are loaded. They take over when their windows are full, after about two seconds.
    """
    _send({"command": "reload"}, control, as_json)


def _send(
    request: dict[str, Any],
    control: Path | None,
    as_json: bool,
    describe: Callable[[Answer], str] | None = None,
) -> None:
    """Send a request, and print the answer: as JSON, or as `describe` puts it, or not at all."""
    from kwsd.daemon.control.client import ask

    answer = ask(request, control)
    if as_json:
        click.echo(json.dumps(answer))
    elif describe:
        click.echo(describe(answer))


def _status(answer: Answer) -> str:
    state = answer["waiting"] if answer["state"] == "waiting" else answer["state"]
    if answer["resumes_in"] is not None:
        state += f" for another {answer['resumes_in']:g} s"
    level = "no audio" if answer["level"] is None else f"{answer['level']:.0f} dB"
    rows = [
        ("state", state),
        ("source", answer["source"]),
        ("level", level),
        ("posterior", f"{answer['posterior']:.4f}"),
        ("words", ", ".join(answer["words"])),
        *(("trigger", _trigger(event)) for event in answer["triggers"]),
        *answer["counters"].items(),
    ]
    return _table([[name, str(value)] for name, value in rows])


def _trigger(event: Answer) -> str:
    time = datetime.fromisoformat(event["time"])
    return f"{time:%Y-%m-%d %H:%M:%S}  {event['keyword']}  posterior {event['posterior']:.4f}"


def _words(answer: Answer) -> str:
    columns = list(answer["words"][0])
    names = [name.replace("_", "-") for name in columns]
    return _table([names, *([str(word[column]) for column in columns] for word in answer["words"])])


def _table(rows: list[list[str]]) -> str:
    """Rows of text with aligned columns. Control characters are escaped."""
    cells = [[one_line(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in cells)
    return "\n".join(line.rstrip() for line in lines)
