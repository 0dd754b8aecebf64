"""``kwsd quantize``: a model's weights in fewer bits, after training or with training that knows of it."""

from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from kwsd.cli.checked import CheckedCommand, TrainedOutput
from kwsd.cli.workshop import (
    DATA,
    EPOCHS,
    HARD,
    MODEL,
    NOISE,
    RECORD,
    RESUME,
    SEED,
    SPEECH,
    check_recordings,
    check_room,
    console,
    load_crnn,
    needs_torch,
    ship_and_record,
    train_and_ship,
)
from kwsd.errors import UsageError

if TYPE_CHECKING:
    from rich.table import Table

    from kwsd.runtime.model import Model
    from kwsd.training.augment.training_set import Recordings
    from kwsd.training.nn.crnn import CRNN


@click.command(name="quantize", cls=CheckedCommand)
@click.option(
    "--model", type=MODEL, required=True, help="Model to quantize: a file, or the name of a shipped one."
)
@DATA
@click.option("--out", type=TrainedOutput(), help="Model file to write.")
@click.option(
    "--compare", is_flag=True, help="Print what each way to quantize costs in quality; write nothing."
)
@click.option("--bits", type=click.Choice(["16", "8", "4"]), default="8", show_default=True)
@click.option("--qat", is_flag=True, help="Quantization-aware training, from the model on.")
@click.option(
    "--teacher", type=MODEL, multiple=True, help="With --qat: model to learn from; the mean of several."
)
@NOISE
@SPEECH
@HARD
@click.option("--epochs", type=EPOCHS, default=20, show_default=True, help="Of --qat.")
@SEED
@RESUME
@RECORD
def command(
    model: str,
    data: Path,
    out: Path | None,
    compare: bool,
    bits: str,
    qat: bool,
    teacher: tuple[str, ...],
    noise: tuple[Path, ...],
    speech: tuple[Path, ...],
    hard: tuple[Path, ...],
    epochs: int,
    seed: int,
    resume: bool,
    record: Path | None,
) -> None:
    """Matrices get 8 or 4 bits and a scale for each row, or everything float16."""
    needs_torch()
    from kwsd.training.augment.pool import ScenePool
    from kwsd.training.augment.training_set import Recordings
    from kwsd.training.fit.distillation import teacher_annotator
    from kwsd.training.fit.losses import DistillationLoss
    from kwsd.training.fit.recipe import Recipe
    from kwsd.training.fit.trainer import Trainer, read_checkpoint
    from kwsd.training.nn.quantize import quantized
    from kwsd.training.release.ship import HANDED_DOWN

    if out is None and not compare:
        raise UsageError("give --out for the model to write, or --compare")
    context = click.get_current_context()
    for name, value, wanted in (
        *((name, not qat, "goes with --qat") for name in ("teacher", "epochs", "resume", "seed")),
        *((name, compare, "does not go with --compare") for name in ("out", "bits", "qat")),
    ):
        if value and context.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            raise UsageError(f"--{name} {wanted}")
    crnn, read = load_crnn(model)
    window = read.settings.window
    recipe = Recipe(crnn.architecture, window=window, epochs=epochs, seed=seed, learning_rate=1e-3)
    if out:
        check_room(out, crnn.architecture)
        if resume:
            read_checkpoint(out.with_suffix(".ckpt"), recipe)
    recordings = Recordings.read(data, read.keyword, noise, speech, hard)
    check_recordings(recordings)
    if compare:
        console.print(comparison(crnn, read, recordings, record))
        return
    assert out is not None
    network = quantized(crnn, int(bits))
    details = {"bits": int(bits), "from": Path(model).name}
    if not qat:
        settings = None
        if read.verifier:  # clips tell nothing of its threshold
            settings, details["verifier"] = read.settings, HANDED_DOWN
        ship_and_record(
            network, window, recordings, out, "quantize", details, record, None, settings, read.verifier
        )
        return
    annotator, objective = None, None
    if teacher:
        loaded = [load_crnn(name) for name in teacher]
        annotator = teacher_annotator([crnn for crnn, _ in loaded], loaded[0][1].settings.window)
        objective = DistillationLoss()
        details["teachers"] = len(teacher)
    pool = ScenePool(recordings.scenes(recipe.augmentation), seed, annotator)
    validation = recordings.validation()
    trainer = Trainer(recipe, pool, validation, out.with_suffix(".ckpt"), objective, network)
    train_and_ship(trainer, recordings, out, "qat", details, record, resume, heir_of=read)


def comparison(crnn: "CRNN", read: "Model", recordings: "Recordings", record: Path | None) -> "Table":
    """1 - AUROC on both judged splits of the model as it is and post-training quantized in every way."""
    from rich.table import Table

    from kwsd.training.evaluate.metrics import one_minus_auroc
    from kwsd.training.nn.quantize import quantized
    from kwsd.training.nn.torch_dynamic import TorchDynamic
    from kwsd.training.release.runs import add_run
    from kwsd.training.release.ship import JUDGED, split_scores

    ways = {
        "float32": crnn,
        "torch dynamic int8": TorchDynamic(crnn),
        "float16": quantized(crnn, 16),
        "int8, a scale per row": quantized(crnn, 8),
        "int4, a scale per row": quantized(crnn, 4),
    }
    window, step = read.settings.window, read.settings.step
    table = Table("1 - AUROC", *JUDGED)
    for name, network in ways.items():
        found = {s: one_minus_auroc(*split_scores(network, recordings, s, window, step)) for s in JUDGED}
        table.add_row(name, *(f"{value:.2e}" for value in found.values()))
        if record:
            model = read.path.stem if read.path else read.keyword
            add_run(record, {"kind": "compare", "model": model, "way": name, "one_minus_auroc": found})
    return table
