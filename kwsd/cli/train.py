"""``kwsd train``: a model for a keyword from a Speech Commands tree."""

import datetime
import json
import shlex
import sys
from pathlib import Path

import click

PATH = click.Path(path_type=Path)


@click.command(name="train")
@click.option(
    "--data", type=PATH, required=True, help="Speech Commands tree, as the archive unpacks (WAV or FLAC)."
)
@click.option(
    "--keyword", default="happy", show_default=True, help="The word to listen for: a folder of the tree."
)
@click.option("--out", type=PATH, required=True, help="Model file to write.")
@click.option(
    "--student", is_flag=True, help="The small architecture (6,967 parameters) instead of the baseline."
)
@click.option(
    "--noise", type=PATH, multiple=True, help="Folder of background noise beside the tree's own. Repeatable."
)
@click.option("--speech", type=PATH, multiple=True, help="Folder of speech without the keyword. Repeatable.")
@click.option("--epochs", type=click.IntRange(1), default=60, show_default=True)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@click.option(
    "--resume", is_flag=True, help="Go on from the checkpoint that an interrupted run left beside OUT."
)
@click.option("--download", is_flag=True, help="Fetch the Speech Commands archive (1.5 GB) into DATA first.")
def command(
    data: Path,
    keyword: str,
    out: Path,
    student: bool,
    noise: tuple[Path, ...],
    speech: tuple[Path, ...],
    epochs: int,
    seed: int,
    resume: bool,
    download: bool,
) -> None:
    """Train a model and write it with a card (OUT with .md) that says what it is and how good."""
    from kwsd.cli.workshop import console, epoch_progress, needs_torch

    needs_torch()
    from kwsd.runtime.model import BASELINE, STUDENT
    from kwsd.training.pool import ScenePool
    from kwsd.training.recordings import Recordings
    from kwsd.training.ship import ship
    from kwsd.training.train import Recipe, Trainer

    if download and not data.exists():
        from kwsd.cli.workshop import download_with_progress

        download_with_progress(data)
    out.parent.mkdir(parents=True, exist_ok=True)
    recordings = Recordings.read(data, keyword, noise, speech)
    recipe = Recipe(STUDENT if student else BASELINE, epochs=epochs, seed=seed)
    pool = ScenePool(recordings.scenes(), seed)
    trainer = Trainer(recipe, pool, recordings.clips("validation"), out.with_suffix(".ckpt"))
    if resume:
        trainer.resume()
    with epoch_progress(trainer.epoch, epochs, recipe.batches) as (on_epoch, on_batch):
        trainer.run(on_epoch, on_batch)
    facts = {
        "data": recordings.facts(),
        "recipe": {"epochs": epochs, "batches": recipe.batches, "batch": recipe.batch, "seed": seed},
        "command": shlex.join(["kwsd", *sys.argv[1:]]),
        "date": datetime.date.today().isoformat(),
    }
    card = ship(trainer.best_crnn(), keyword, recipe.window, recordings, facts, out)
    trainer.checkpoint.unlink()
    console.print(f"{out}: {json.dumps(card['metrics'])}")
