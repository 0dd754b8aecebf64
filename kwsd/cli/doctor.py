"""``kwsd doctor``: checks everything that listening needs."""

import json
import os
import sys
from dataclasses import asdict

import click

from kwsd.cli.checked import ModelName
from kwsd.cli.words import DEFAULT_WORD

STYLES = {"pass": "green", "fail": "bold red", "skip": "dim"}


@click.command(name="doctor")
@click.argument("words", nargs=-1, type=ModelName(), metavar="[WORD]...")
@click.option(
    "--device", metavar="NAME|INDEX", help="Microphone, by index or part of its name; see kwsd devices."
)
@click.option(
    "--model",
    type=ModelName(),
    multiple=True,
    help=f"Check this word, as WORD does.  [default: {DEFAULT_WORD}]",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(words: tuple[str, ...], device: str | None, model: tuple[str, ...], as_json: bool) -> None:
    """WORD is a model file, or the name of a shipped model.

    Speak while it listens to the microphone for two seconds.

    The exit code is 1 if a check fails.
    """
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # as kwsd listen does
    from kwsd.daemon.diagnostics import Subject, examine

    subject = Subject(device, (*words, *model) or (DEFAULT_WORD,))
    if as_json:
        findings = list(examine(subject))
        click.echo(json.dumps([asdict(finding) for finding in findings]))
    else:
        from rich.console import Console
        from rich.table import Column, Table
        from rich.text import Text

        columns = [Column(name, overflow="fold") for name in ("Check", "Result", "Found", "Fix")]
        table = Table(*columns)
        console = Console()
        with console.status("Listening: say something"):
            findings = list(examine(subject))
        for one in findings:
            table.add_row(one.check, Text(one.status, STYLES[one.status]), Text(one.found), Text(one.fix))
        console.print(table)
    if any(finding.status == "fail" for finding in findings):
        sys.exit(1)
