"""``kwsd synthesize``: the keyword, its near misses and sentences without it, in every voice there is."""

import os
from pathlib import Path

import click

from kwsd.cli.checked import CheckedCommand, Folder, NewFolder, Text
from kwsd.cli.workshop import console, filling, tell

COUNT = click.IntRange(0, 1_000_000)
KOKORO = click.option(
    "--kokoro",
    type=Folder(),
    help="Folder of Kokoro's voice styles (voices/*.bin), its ONNX model beside it.",
)
JOBS = click.option(
    "--jobs", type=click.IntRange(1, 256), default=os.cpu_count() or 1, show_default="one a core"
)


@click.command(name="synthesize", cls=CheckedCommand)
@click.argument("keyword", type=Text())
@click.option(
    "--out",
    type=NewFolder(),
    required=True,
    help="Folder to write to; what it has already is not made again.",
)
@click.option("--count", type=COUNT, default=2000, show_default=True, help="Clips of the keyword.")
@click.option(
    "--near-misses",
    type=COUNT,
    default=1500,
    show_default=True,
    help="Clips of what sounds like it.",
)
@click.option(
    "--sentences",
    type=COUNT,
    default=600,
    show_default=True,
    help="Clips of sentences without it.",
)
@KOKORO
@JOBS
@click.option(
    "--seed",
    type=click.IntRange(0, 2**31 - 1),
    default=0,
    show_default=True,
    help="Another seed adds other clips.",
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
        tell(line, "yellow")
    plan = Plan(spoken, cast, seed)
    utterances = plan.draw_all(counts)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with filling(out), Progress(*columns, console=console) as bar:
        task = bar.add_task(keyword, total=None)
        outcome = generate(
            utterances, out, kokoro, jobs, lambda done, total: bar.update(task, completed=done, total=total)
        )
    for failure in outcome.failures:
        tell(f"left out: {failure}", "yellow")
    tell(f"{out}: {outcome.made} clips made, {outcome.kept} were there")
