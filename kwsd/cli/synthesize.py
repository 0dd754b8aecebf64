"""``kwsd synthesize``: the keyword, its near misses and sentences without it, in every voice there is."""

import os
from pathlib import Path

import click

from kwsd.cli.workshop import PATH, console

KOKORO = click.option(
    "--kokoro", type=PATH, help="Folder of Kokoro's voice styles (voices/*.bin), its ONNX model beside it."
)
JOBS = click.option("--jobs", type=click.IntRange(1), default=os.cpu_count() or 1, show_default="one a core")


@click.command(name="synthesize")
@click.argument("keyword")
@click.option(
    "--out", type=PATH, required=True, help="Folder to write to; what it has already is not made again."
)
@click.option(
    "--count", type=click.IntRange(0), default=2000, show_default=True, help="Clips of the keyword."
)
@click.option(
    "--near-misses",
    type=click.IntRange(0),
    default=1500,
    show_default=True,
    help="Clips of what sounds like it.",
)
@click.option(
    "--sentences",
    type=click.IntRange(0),
    default=600,
    show_default=True,
    help="Clips of sentences without it.",
)
@KOKORO
@JOBS
@click.option(
    "--seed", type=click.IntRange(0), default=0, show_default=True, help="Another seed adds other clips."
)
def command(
    keyword: str,
    out: Path,
    count: int,
    near_misses: int,
    sentences: int,
    kokoro: Path | None,
    jobs: int,
    seed: int,
) -> None:
    """Writes OUT/keyword, OUT/near_misses and OUT/sentences."""
    counts = {"keyword": count, "near_misses": near_misses, "sentences": sentences}
    speak(keyword, out, counts, kokoro, jobs, seed)


def speak(keyword: str, out: Path, counts: dict[str, int], kokoro: Path | None, jobs: int, seed: int) -> None:
    """Make so many clips of each kind, with a progress bar; tell what is left out."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from kwsd.training.synthesis.generate import generate
    from kwsd.training.synthesis.keyword import Keyword
    from kwsd.training.synthesis.plan import Plan
    from kwsd.training.synthesis.voices import find_voices

    spoken = Keyword(keyword)
    cast, left_out = find_voices(kokoro)
    for line in left_out:
        console.print(f"[yellow]{line}[/]")
    plan = Plan(spoken, cast, seed)
    utterances = plan.draw_all(counts)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as bar:
        task = bar.add_task(keyword, total=None)
        outcome = generate(
            utterances, out, kokoro, jobs, lambda done, total: bar.update(task, completed=done, total=total)
        )
    for failure in outcome.failures:
        console.print(f"[yellow]left out: {failure}[/]")
    console.print(f"{out}: {outcome.made} clips made, {outcome.kept} were there")
