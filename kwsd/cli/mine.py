"""``kwsd mine``: collect what a model mistakes for its keyword, to train on."""

from pathlib import Path

import click

from kwsd.cli import streams
from kwsd.cli.checked import CheckedCommand, Folder, NewFolder
from kwsd.cli.number import Number
from kwsd.cli.options import MODEL
from kwsd.cli.parallel import parallel_options
from kwsd.cli.progress import console, filling, tell, warn_of_recordings
from kwsd.errors import UsageError


@click.command(name="mine", cls=CheckedCommand)
@click.option("--model", type=MODEL, required=True, help="Model file, or name of a shipped model.")
@click.option(
    "--negatives", type=Folder(), multiple=True, required=True, help="Folder without the keyword. Repeatable."
)
@click.option(
    "--out", type=NewFolder(), required=True, help="Folder for the clips; give it to train as --hard."
)
@click.option(
    "--threshold",
    type=Number(0.001, 1),
    default=0.3,
    show_default=True,
    help="Posterior from which a mistake is worth keeping; below the model's own.",
)
@streams.NOISE
@streams.SNR
@parallel_options()
def command(
    model: str,
    negatives: tuple[Path, ...],
    out: Path,
    threshold: float,
    noise: tuple[Path, ...],
    snr: float | None,
    jobs: int | None,
) -> None:
    """Streams the training side of the folders through MODEL and keeps 2.5 s around each false alarm.

    Recordings that say the keyword must not be among them: a model learns to refuse what is mined.
    """
    from rich.progress import Progress

    from kwsd.runtime.modelfile import find_model, read_model
    from kwsd.training.data.reader import Reader
    from kwsd.training.data.speech_commands import files_of
    from kwsd.training.evaluate.mining import mine

    reader = Reader()
    around = streams.conditions(noise, snr, (), "training", reader)
    files = [path for folder in negatives for path in files_of(folder, "training")]
    if not files:
        raise UsageError("--negatives: no recordings there to mine; evaluate keeps a share of them")
    found = []
    loaded = read_model(find_model(model))
    with filling(out), Progress(console=console) as progress:
        task = progress.add_task("mining", total=len(files))

        def on_file(_: Path, count: int) -> None:
            found.append(count)
            progress.advance(task)

        mine(loaded, files, out, threshold, on_file, around, reader, jobs)
    warn_of_recordings(reader)
    tell(f"{sum(found)} false alarms in {len(found)} files, in {out}")
