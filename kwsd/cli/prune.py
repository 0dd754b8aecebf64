"""``kwsd prune``: a smaller model out of a larger one, a few units at a time, with distillation between."""

from pathlib import Path

import click

from kwsd.cli.checked import CheckedCommand
from kwsd.cli.workshop import (
    DATA,
    EPOCHS,
    HARD,
    MODEL,
    NOISE,
    OUT,
    RECORD,
    SEED,
    SPEECH,
    check_recordings,
    check_room,
    epoch_progress,
    load_crnn,
    needs_torch,
    on_interrupt,
    tell,
    train_and_ship,
)
from kwsd.errors import UsageError

SIZE = click.IntRange(1, 1_000)


@click.command(name="prune", cls=CheckedCommand)
@click.option(
    "--model", type=MODEL, required=True, help="Model to prune: a file, or the name of a shipped one."
)
@click.option(
    "--teacher", type=MODEL, multiple=True, required=True, help="Model to learn from; the mean of several."
)
@DATA
@OUT
@click.option("--channels", type=SIZE, required=True, help="Convolution channels to end with.")
@click.option("--hidden", type=SIZE, required=True, help="Units of each GRU layer to end with.")
@click.option("--rounds", type=click.IntRange(1, 1_000), default=4, show_default=True)
@NOISE
@SPEECH
@HARD
@click.option("--epochs", type=EPOCHS, default=10, show_default=True, help="Between two rounds.")
@click.option("--last-epochs", type=EPOCHS, default=40, show_default=True, help="After the last.")
@SEED
@RECORD
def command(
    model: str,
    teacher: tuple[str, ...],
    data: Path,
    out: Path,
    channels: int,
    hidden: int,
    rounds: int,
    noise: tuple[Path, ...],
    speech: tuple[Path, ...],
    hard: tuple[Path, ...],
    epochs: int,
    last_epochs: int,
    seed: int,
    record: Path | None,
) -> None:
    """Convolution channels, GRU units and attention keys go in equal rounds; what is left is written."""
    needs_torch()
    from kwsd.training.augment.pool import ScenePool
    from kwsd.training.augment.training_set import Recordings
    from kwsd.training.fit.distillation import teacher_annotator
    from kwsd.training.fit.losses import DistillationLoss
    from kwsd.training.fit.prune import importances, losses, pruned, strongest
    from kwsd.training.fit.recipe import Recipe
    from kwsd.training.fit.trainer import Trainer

    crnn, read = load_crnn(model)
    a = crnn.architecture
    if channels > a.channels or hidden > a.hidden:
        raise UsageError(f"{model} has {a.channels} channels and {a.hidden} units; give no more than those")
    check_room(out, a)
    loaded = [load_crnn(name) for name in teacher]
    recordings = Recordings.read(data, read.keyword, noise, speech, hard)
    check_recordings(recordings)
    annotator = teacher_annotator([crnn for crnn, _ in loaded], loaded[0][1].settings.window)
    pool = ScenePool(recordings.scenes(Recipe(a).augmentation), seed, annotator)
    pool.move(0)
    objective, validation, window = DistillationLoss(), recordings.validation(), read.settings.window
    for done in range(1, rounds + 1):
        recipe = Recipe(crnn.architecture, window=window, seed=seed)
        importance = importances(crnn, losses(pool, objective, recipe))
        left = [
            round(start + (end - start) * done / rounds)
            for start, end in ((a.channels, channels), (a.hidden, hidden))
        ]
        crnn = pruned(crnn, strongest(importance, *left))
        tell(f"round {done} of {rounds}: {left[0]} channels, {left[1]} units")
        last = done == rounds
        recipe = Recipe(
            crnn.architecture,
            window=window,
            epochs=last_epochs if last else epochs,
            seed=seed,
            learning_rate=2e-3,
        )
        trainer = Trainer(recipe, pool, validation, None, objective, crnn)
        if last:
            details = {
                "from": Path(model).name,
                "rounds": rounds,
                "epochs between": epochs,
                "teachers": len(teacher),
            }
            train_and_ship(trainer, recordings, out, "prune", details, record, heir_of=read)
        else:
            with (
                on_interrupt(lambda: "stopped; nothing is left of this run"),
                epoch_progress(0, epochs, recipe.batches) as (on_epoch, on_batch),
            ):
                trainer.run(on_epoch, on_batch)
            crnn = trainer.best_crnn()
