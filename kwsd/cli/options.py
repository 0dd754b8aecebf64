"""Options that training commands share, and the command line as model cards record it."""

import os
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kwsd.cli.checked import AppendedFile, CheckedPath, Folder, ModelName, ModelOutput, Text, TrainedOutput
from kwsd.cli.number import Number
from kwsd.cli.parallel import parallel_options
from kwsd.errors import UsageError
from kwsd.training.synthesis.languages import LANGUAGES

if TYPE_CHECKING:
    from kwsd.training.release.release import Output

MODEL = ModelName()
EPOCHS = click.IntRange(1, 100_000)
WINDOW = click.IntRange(1, 100_000)  # as kwsd.runtime.model.Settings
STEP = click.IntRange(1, 1_000)
SIZE = click.IntRange(1, 1_000)  # channels, or units
FALSE_ALARMS = Number(0, 3_600)  # per hour
DATA = click.option(
    "--data", type=Folder(), required=True, help="Speech Commands folder, with a subfolder for each word."
)
TREE = click.option(  # as DATA, but it may be downloaded
    "--data",
    type=CheckedPath(),
    required=True,
    help="Speech Commands folder, with a subfolder for each word.",
)
KEYWORD = click.option(
    "--keyword",
    type=Text(),
    default="happy",
    show_default=True,
    help="The keyword: a subfolder of DATA.",
)
DOWNLOAD = click.option(
    "--download",
    is_flag=True,
    help="If DATA does not exist, download Speech Commands (1.5 GB) into it first.",
)
TEACHERS = click.option(
    "--teacher",
    type=MODEL,
    multiple=True,
    required=True,
    help="Model to learn from. Repeatable: teachers are averaged.",
)
NOISE = click.option(
    "--noise",
    type=Folder(),
    multiple=True,
    help="Folder of noise, in addition to that of Speech Commands. Repeatable.",
)
SPEECH = click.option(
    "--speech", type=Folder(), multiple=True, help="Folder of speech without the keyword. Repeatable."
)
UNSEEN = click.option(
    "--unseen",
    type=Folder(),
    multiple=True,
    help="Folder of speech from another source than --speech. Also used to choose the threshold. Repeatable.",
)
HARD = click.option(
    "--hard", type=Folder(), multiple=True, help="Folder of clips that `kwsd mine` found. Repeatable."
)
OUT = click.option("--out", type=ModelOutput(), required=True, help="Model file to write.")
TRAINED = click.option("--out", type=TrainedOutput(), required=True, help="Model file to write.")
SEED = click.option(
    "--seed", type=click.IntRange(0, 2**31 - 1), default=0, show_default=True, help="Random seed."
)
RESUME = click.option(
    "--resume", is_flag=True, help="Continue from the checkpoint that an interrupted run left next to OUT."
)
RECORD = click.option("--record", type=AppendedFile(), help="JSON Lines file to append the run to.")
CLIPS = click.IntRange(0, 1_000_000)
KOKORO = click.option(
    "--kokoro",
    type=Folder(),
    help="Folder with Kokoro's ONNX model and, in voices/*.bin, its voice styles.",
)
LANGUAGE = click.option(
    "--language",
    type=click.Choice(list(LANGUAGES)),
    metavar="CODE",
    default="en",
    show_default=True,
    help="Language of KEYWORD: " + ", ".join(f"{each.code} {each.name}" for each in LANGUAGES.values()) + ".",
)
JOBS = parallel_options(os.cpu_count() or 1, "one per core")


def output_of(out: Path, record: Path | None, resume: bool = False) -> "Output":
    """Where a training command writes. Raises UsageError if there is nothing to resume."""
    from kwsd.training.release.release import Output

    output = Output(out, record, resume, command_line())
    if resume and not output.resumes:
        raise UsageError(
            f"{output.checkpoint} does not exist, so there is nothing to resume; train without --resume"
        )
    return output


def command_line() -> str:
    """The command as typed, but without the folders of paths, which may reveal the name of the user."""
    words = []
    for word in sys.argv[1:]:
        option, equals, value = word.partition("=") if word.startswith("-") else ("", "", word)
        words.append(f"{option}{equals}{Path(value).name or value}")
    return shlex.join(["kwsd", *words])
