"""``kwsd quantize``: stores weights in fewer bits, after training or with quantization-aware training."""

from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from kwsd.cli.checked import CheckedCommand, TrainedOutput
from kwsd.cli.extras import needs_torch
from kwsd.cli.ignored import refuse_ignored
from kwsd.cli.options import (
    DATA,
    EPOCHS,
    HARD,
    MODEL,
    NOISE,
    RECORD,
    RESUME,
    SEED,
    SPEECH,
    output_of,
)
from kwsd.cli.progress import drawn
from kwsd.errors import UsageError
from kwsd.runtime.model import STUDENT


@click.command(name="quantize", cls=CheckedCommand)
@click.option(
    "--model", type=MODEL, required=True, help="Model to quantize: a file, or the name of a shipped one."
)
@DATA
@click.option("--out", type=TrainedOutput(), help="Model file to write.")
@click.option(
    "--compare", is_flag=True, help="Print the quality of each way to quantize, and write no model."
)
@click.option(
    "--bits", type=click.Choice(["16", "8", "4"]), default="8", show_default=True, help="Bits of each weight."
)
@click.option("--qat", is_flag=True, help="Fine-tune MODEL with quantization-aware training.")
@click.option(
    "--teacher",
    type=MODEL,
    multiple=True,
    help="With --qat: model to learn from. Repeatable: teachers are averaged.",
)
@NOISE
@SPEECH
@HARD
@click.option("--epochs", type=EPOCHS, default=20, show_default=True, help="Epochs of --qat.")
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
    """Stores matrices in 8 or 4 bits with a scale for each row, or all weights as float16."""
    needs_torch()
    from kwsd.training.fit.recipe import Recipe
    from kwsd.training.workflows.compress import (
        QUANTIZING_RATE,
        compare_quantizations,
        quantize,
        quantize_in_training,
    )
    from kwsd.training.workflows.run import Sources

    check_options(out, compare, qat)
    sources = Sources(noise, speech, hard)
    with drawn() as progress:
        if compare:
            Console().print(table_of(compare_quantizations(model, data, record, sources, progress)))
            return
        assert out is not None
        output = output_of(out, record, resume)
        if qat:
            recipe = Recipe(STUDENT, epochs=epochs, seed=seed, learning_rate=QUANTIZING_RATE)
            quantize_in_training(model, teacher, data, int(bits), recipe, output, sources, progress)
        else:
            quantize(model, data, int(bits), output, sources, progress)


def check_options(out: Path | None, compare: bool, qat: bool) -> None:
    """Raise UsageError for options that cannot be combined."""
    if out is None and not compare:
        raise UsageError("give --out for the model to write, or --compare")
    if not qat:
        refuse_ignored("needs --qat", "teacher", "epochs", "resume", "seed")
    if compare:
        refuse_ignored("cannot be used with --compare", "out", "bits", "qat")


def table_of(found: dict[str, dict[str, float]]) -> Table:
    """1 - AUROC of each way to quantize, by split."""
    splits = next(iter(found.values()))
    table = Table("1 - AUROC", *splits)
    for way, quality in found.items():
        table.add_row(way, *(f"{value:.2e}" for value in quality.values()))
    return table
