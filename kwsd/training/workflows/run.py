"""The course of a training run, which the workflows share: early checks, reading, training, release."""

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from kwsd.errors import KwsdError, UsageError
from kwsd.files import check_folder, check_room
from kwsd.runtime.model import Architecture, Model, Settings
from kwsd.runtime.modelfile import find_model, read_model
from kwsd.training.augment.training_set import Recordings
from kwsd.training.data.download import download
from kwsd.training.fit.losses import HeadDistillationLoss
from kwsd.training.fit.recipe import Recipe
from kwsd.training.fit.teacher import verifier_of
from kwsd.training.fit.trainer import Epoch, Trainer, read_checkpoint
from kwsd.training.nn.convert import to_torch
from kwsd.training.nn.crnn import CRNN
from kwsd.training.nn.quantize import quantized
from kwsd.training.release.card import interval
from kwsd.training.release.modelfile import save_model
from kwsd.training.release.release import INHERITED, FinishedRun, Output, release
from kwsd.training.workflows.blas import warn_of_slow_blas
from kwsd.training.workflows.progress import Progress, on_interrupt, warn_of_recordings


@dataclass(frozen=True)
class Sources:
    """Folders of recordings besides the clips: noise, speech without the keyword, and hard negatives.

    unseen: speech from another source than `speech`. The threshold of a model with a second stage is chosen
    on it as well.
    """

    noise: tuple[Path, ...] = ()
    speech: tuple[Path, ...] = ()
    hard: tuple[Path, ...] = ()
    unseen: tuple[Path, ...] = ()


NO_SOURCES = Sources()


def get_tree(data: Path, may_download: bool, progress: Progress) -> None:
    """Download Speech Commands to `data` if that does not exist and may be downloaded.

    Raises UsageError if it does not exist and may not be downloaded, or if it is no folder.
    """
    try:
        check_folder(data)
    except UsageError as error:
        if not isinstance(error.__cause__, FileNotFoundError):
            raise
        if not may_download:
            raise UsageError(
                f"{error}; give the unpacked Speech Commands archive, or --download to fetch it"
            ) from error
        with progress.stage("speech_commands_v0.01.tar.gz"):
            download(data, progress.count)


def read_recordings(data: Path, keyword: str, sources: Sources, progress: Progress) -> Recordings:
    """Read a Speech Commands tree and the sources, to train on. Raises UsageError if there are too few clips.

    Warns first if torch is slow on this machine, because reading takes a while, too.
    """
    warn_of_slow_blas(progress)
    recordings = Recordings.read(data, keyword, sources.noise, sources.speech, sources.hard)
    check_recordings(recordings, progress)
    return recordings


def check_recordings(recordings: Recordings, progress: Progress) -> None:
    """Read all clips that training will use, and warn of unusable ones. Raises UsageError for too few."""
    try:
        with progress.stage("reading the recordings"):
            recordings.check("training", "validation", "dev-test", on_file=progress.count)
    finally:
        warn_of_recordings(recordings.reader, progress)


def read_crnn(name: str) -> tuple[CRNN, Model]:
    """Read a model, by path or by the name of a shipped one: as a network, and as the runtime has it."""
    model = read_model(find_model(name))
    return to_torch(model), model


def read_teachers(names: tuple[str, ...], keyword: str | None = None) -> tuple[list[CRNN], Model]:
    """Read the teachers, and the first one as the runtime has it.

    keyword: of the model that learns from them, if it has one yet. Raises UsageError if theirs is another, or
    if they are unlike.
    """
    networks, models = zip(*map(read_crnn, names), strict=True)
    first = models[0]
    if any((m.keyword, m.architecture) != (first.keyword, first.architecture) for m in models):
        raise UsageError(
            "the teachers differ in keyword or architecture; give models that have both in common"
        )
    if keyword not in (None, first.keyword):
        raise UsageError(
            f"the teacher is for {first.keyword!r} and the model for {keyword!r}; give one for it"
        )
    return list(networks), first


def check_output(output: Output, recipe: Recipe) -> None:
    """Check, before a run starts, that its checkpoint can be resumed and that its files fit on the disk.

    Raises UsageError if the checkpoint belongs to another recipe, and KwsdError if the disk has no room for
    the model and its checkpoint.
    """
    if output.resumes:
        read_checkpoint(output.checkpoint, recipe)
    check_disk_space(output.model, recipe.architecture, with_teacher=recipe.teaching is not None)


def check_disk_space(out: Path, architecture: Architecture, with_teacher: bool = False) -> None:
    """Raise KwsdError if the disk of `out` has no room for the model and its checkpoint.

    with_teacher: the checkpoint also holds heads and the speech embedding.
    """
    # the model twice, while it is replaced; in the checkpoint three sets of weights and Adam's moments
    needed = (2 + 5) * 4 * architecture.parameters + 100_000 + 6_000_000 * with_teacher
    check_room(out.parent, needed, "the model and its checkpoint")


def train_and_release(
    trainer: Trainer,
    recordings: Recordings,
    output: Output,
    progress: Progress,
    *,
    kind: str,
    details: dict[str, Any] | None = None,
    choose_settings: Callable[[Model], Settings] | None = None,
    inherit_from: Model | None = None,
) -> Path:
    """Train to the last epoch, write the model with its card, and record the run. Returns the model's path.

    details: facts that are not in the recipe (teachers, temperature, bits). choose_settings: if given, the
    trainer's heads become the second stage, and this function chooses the settings of the two-stage model.
    inherit_from: a model whose second stage and settings are kept. The trained weights are on the disk, in
    the checkpoint or in the model, before anything that may fail.
    """
    warn_of_recordings(recordings.reader, progress)  # of noise and speech, which have been read by now
    if output.resumes:
        trainer.resume(output.checkpoint)
    elif trainer.checkpoint and trainer.checkpoint.exists():
        progress.note(
            f"{trainer.checkpoint}, from an interrupted run, will be replaced; --resume would continue it"
        )
    started = time.monotonic()
    again = "the same command" + ("" if output.resume else " with --resume")
    with on_interrupt(progress, lambda: what_remains(trainer, again)):
        fit(trainer, progress)
        recipe = trainer.recipe
        facts = recipe.facts() | (details or {})
        seconds = round(time.monotonic() - started, 1)
        run = FinishedRun(trainer.best_crnn(), recordings, kind, recipe.window, facts)
        run = replace(run, history=trainer.history, seconds=seconds)
        if choose_settings:
            run = with_own_verifier(run, trainer)
        elif inherit_from and inherit_from.verifier:
            run = with_inherited_verifier(run, inherit_from)
        saved = bool(trainer.checkpoint) and trainer.saved == trainer.epoch
        if not saved:
            save_weights(run.model(), output.model)
        try:
            if choose_settings:
                run = replace(run, settings=choose_settings(run.model()))
            release_and_report(run, output, progress)
        except KwsdError as error:
            left = f"{output.checkpoint} has all epochs; {again} continues from there"
            raise KwsdError(f"{error} ({left if saved else f'{output.model} has the weights'})") from error
    if trainer.checkpoint:
        trainer.checkpoint.unlink(missing_ok=True)
    return output.model


def fit(trainer: Trainer, progress: Progress) -> None:
    """Train to the last epoch. If checkpoints cannot be written, each reason is reported once."""
    noted: set[str] = set()

    def report(epoch: Epoch) -> None:
        progress.epoch(epoch)
        if epoch.not_saved and epoch.not_saved not in noted:
            noted.add(epoch.not_saved)
            progress.note(f"{epoch.not_saved}; training continues")

    recipe = trainer.recipe
    total, done = recipe.epochs * recipe.batches, trainer.epoch * recipe.batches
    with progress.stage("training", total, done):
        trainer.run(report, progress.batch)


def with_own_verifier(run: FinishedRun, trainer: Trainer) -> FinishedRun:
    """The run with the heads that taught the network as its second stage. Both are rounded to float16."""
    objective = trainer.objective
    assert isinstance(objective, HeadDistillationLoss)
    verifier = verifier_of(objective.heads, objective.embedding)
    return replace(run, crnn=quantized(run.crnn, 16), verifier=verifier)


def with_inherited_verifier(run: FinishedRun, parent: Model) -> FinishedRun:
    """The run with the second stage and the settings of the model that it started from."""
    window, step = run.window, run.crnn.architecture.stride[1]
    settings = replace(parent.settings, window=window, step=step)
    recipe = run.recipe | {"verifier": INHERITED}
    return replace(run, settings=settings, verifier=parent.verifier, recipe=recipe)


def release_and_report(run: FinishedRun, output: Output, progress: Progress) -> None:
    """Write the model with its card, record the run, and report the model's 1 - AUROC."""
    for split, found in release(run, output).items():
        quality = f"1 - AUROC {found['one_minus_auroc']:.2e} ({interval(found)})"
        progress.note(f"{output.model}: {split} {quality}")


def save_weights(model: Model, out: Path) -> None:
    """Write a model to `out` or, if that fails, to the folder of temporary files.

    Raises KwsdError if `out` cannot be written. The message names the file in the folder of temporary files.
    """
    try:
        save_model(model, out)
    except KwsdError as error:
        spare = Path(tempfile.gettempdir()) / out.name
        save_model(model, spare)
        raise KwsdError(f"{error}; the trained model is in {spare}") from error


def what_remains(trainer: Trainer, again: str) -> str:
    """A line for the user after Ctrl-C: the saved epochs, and what continues from them."""
    if not trainer.saved:
        return "stopped; nothing of this run was saved"
    return (
        f"stopped; {trainer.checkpoint} has {trainer.saved} of {trainer.recipe.epochs} epochs; "
        f"{again} continues from there"
    )
