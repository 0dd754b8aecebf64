"""``kwsd synthesize``: synthesizes a keyword, similar words and sentences without it in many voices."""

from pathlib import Path

import click

from kwsd.cli.checked import CheckedCommand, NewFolder, Text
from kwsd.cli.options import CLIPS, JOBS, KOKORO, LANGUAGE
from kwsd.cli.parallel import Workers
from kwsd.cli.progress import drawn


@click.command(name="synthesize", cls=CheckedCommand)
@click.argument("keyword", type=Text())
@click.option(
    "--out",
    type=NewFolder(),
    required=True,
    help="Folder to write to. Existing clips are kept.",
)
@click.option("--count", type=CLIPS, default=2000, show_default=True, help="Clips of the keyword.")
@click.option(
    "--near-misses",
    type=CLIPS,
    default=1500,
    show_default=True,
    help="Clips of words that sound like it.",
)
@click.option(
    "--sentences",
    type=CLIPS,
    default=600,
    show_default=True,
    help="Clips of sentences without it.",
)
@LANGUAGE
@KOKORO
@JOBS
@click.option(
    "--seed",
    type=click.IntRange(0, 2**31 - 1),
    default=0,
    show_default=True,
    help="Random seed. Another seed adds other clips.",
)
def command(
    keyword: str,
    out: Path,
    count: int,
    near_misses: int,
    sentences: int,
    language: str,
    kokoro: Path | None,
    workers: Workers,
    seed: int,
) -> None:
    """Writes FLAC files to OUT/keyword, OUT/near_misses and OUT/sentences."""
    from kwsd.training.synthesis.languages import LANGUAGES
    from kwsd.training.workflows.synthesize import Speech, speak

    speech = Speech(out, count, near_misses, sentences, LANGUAGES[language])
    with drawn() as progress, workers as jobs:
        speak(keyword, speech, kokoro, seed, jobs, progress)
