"""``kwsd report``: writes a report on the recorded training runs."""

from pathlib import Path

import click

from kwsd.cli.checked import CheckedCommand, CheckedPath, Output


@click.command(name="report", cls=CheckedCommand)
@click.option(
    "--runs",
    type=CheckedPath(),
    default=Path("results/runs.jsonl"),
    show_default=True,
    help="File of recorded runs, as --record writes it.",
)
@click.option(
    "--out",
    type=Output(),
    default=Path("results/report.md"),
    show_default=True,
    help="Markdown file to write.",
)
def command(runs: Path, out: Path) -> None:
    """Writes its figures to a folder next to it."""
    from kwsd.training.release.runs import read_runs
    from kwsd.training.report.report import write_report

    write_report(list(read_runs(runs)), out)
    click.echo(f"{out} was written")
