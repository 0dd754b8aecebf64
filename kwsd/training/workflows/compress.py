"""``kwsd prune`` and ``kwsd quantize``: make a trained model smaller."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from kwsd.errors import UsageError
from kwsd.runtime.model import Model
from kwsd.training.augment.pool import ScenePool
from kwsd.training.augment.training_set import Recordings
from kwsd.training.evaluate.metrics import one_minus_auroc
from kwsd.training.fit.clip_scores import split_scores
from kwsd.training.fit.distillation import teacher_annotator
from kwsd.training.fit.losses import DistillationLoss
from kwsd.training.fit.prune import batch_losses, importances, pruned, strongest
from kwsd.training.fit.recipe import Recipe
from kwsd.training.fit.trainer import Trainer
from kwsd.training.nn.crnn import CRNN
from kwsd.training.nn.quantize import quantized
from kwsd.training.nn.torch_dynamic import TorchDynamic
from kwsd.training.release.release import INHERITED, JUDGED, FinishedRun, Output
from kwsd.training.release.runs import add_run
from kwsd.training.workflows.progress import SILENT, Progress, on_interrupt
from kwsd.training.workflows.run import (
    NO_SOURCES,
    Sources,
    check_disk_space,
    check_output,
    fit,
    read_crnn,
    read_recordings,
    read_teachers,
    release_and_report,
    train_and_release,
)

PRUNING_RATE = 2e-3  # learning rates of networks that are already trained
QUANTIZING_RATE = 1e-3


@dataclass(frozen=True)
class Pruning:
    """How far and how fast a model is pruned. epochs: after a round. last_epochs: after the last one."""

    channels: int  # of the convolution, at the end
    hidden: int  # units of each GRU layer, at the end
    rounds: int = 4
    epochs: int = 10
    last_epochs: int = 40

    def sizes(self, crnn: CRNN, done: int) -> tuple[int, int]:
        """Channels and units after `done` rounds. Every round removes the same number."""
        a = crnn.architecture
        channels, hidden = (
            round(start + (end - start) * done / self.rounds)
            for start, end in ((a.channels, self.channels), (a.hidden, self.hidden))
        )
        return channels, hidden


def prune(
    model: str,
    teachers: tuple[str, ...],
    data: Path,
    plan: Pruning,
    recipe: Recipe,
    output: Output,
    sources: Sources = NO_SOURCES,
    progress: Progress = SILENT,
) -> Path:
    """Remove channels, units and attention keys in rounds, with distillation between them.

    recipe: its architecture and window are replaced with the model's, its epochs with the plan's. Returns the
    path of the model file.
    """
    whole, parent = read_crnn(model)
    a = whole.architecture
    if plan.channels > a.channels or plan.hidden > a.hidden:
        raise UsageError(f"{model} has {a.channels} channels and {a.hidden} units; give at most as many")
    check_disk_space(output.model, a)
    networks, first = read_teachers(teachers, parent.keyword)
    recordings = read_recordings(data, parent.keyword, sources, progress)
    recipe = replace(recipe, architecture=a, window=parent.settings.window)
    annotator = teacher_annotator(networks, first.settings.window)
    pool = ScenePool(recordings.scenes(recipe.augmentation), recipe.seed, annotator)
    pool.move(0)
    objective, validation, crnn = DistillationLoss(), recordings.validation(), whole
    for done in range(1, plan.rounds + 1):
        importance = importances(
            crnn, batch_losses(pool, objective, replace(recipe, architecture=crnn.architecture))
        )
        channels, hidden = plan.sizes(whole, done)
        crnn = pruned(crnn, strongest(importance, channels, hidden))
        progress.note(f"round {done} of {plan.rounds}: {channels} channels, {hidden} units")
        epochs = plan.last_epochs if done == plan.rounds else plan.epochs
        smaller = replace(recipe, architecture=crnn.architecture, epochs=epochs)
        trainer = Trainer(smaller, pool, validation, None, objective, crnn)
        if done < plan.rounds:
            with on_interrupt(progress, lambda: "stopped; nothing of this run was saved"):
                fit(trainer, progress)
            crnn = trainer.best_crnn()
    details = {
        "from": Path(model).name,
        "rounds": plan.rounds,
        "epochs between": plan.epochs,
        "teachers": len(teachers),
    }
    return train_and_release(
        trainer, recordings, output, progress, kind="prune", details=details, inherit_from=parent
    )


def quantize(
    model: str,
    data: Path,
    bits: int,
    output: Output,
    sources: Sources = NO_SOURCES,
    progress: Progress = SILENT,
) -> Path:
    """Store a model's weights in 16, 8 or 4 bits, without training. Returns the path of the model file."""
    crnn, parent = read_crnn(model)
    check_disk_space(output.model, crnn.architecture)
    recordings = read_recordings(data, parent.keyword, sources, progress)
    details: dict[str, Any] = {"bits": bits, "from": Path(model).name}
    settings = None
    if parent.verifier:  # the threshold is for both stages together, and clips pass only the first
        settings, details["verifier"] = parent.settings, INHERITED
    network, window = quantized(crnn, bits), parent.settings.window
    run = FinishedRun(network, recordings, "quantize", window, details, settings, parent.verifier)
    release_and_report(run, output, progress)
    return output.model


def quantize_in_training(
    model: str,
    teachers: tuple[str, ...],
    data: Path,
    bits: int,
    recipe: Recipe,
    output: Output,
    sources: Sources = NO_SOURCES,
    progress: Progress = SILENT,
) -> Path:
    """Quantization-aware training that starts from a model. Returns the path of the model file.

    teachers: models to learn from; without any, the network learns from the labels alone. recipe: its
    architecture and window are replaced with the model's.
    """
    crnn, parent = read_crnn(model)
    recipe = replace(recipe, architecture=crnn.architecture, window=parent.settings.window)
    check_output(output, recipe)
    annotator, objective, details = None, None, {"bits": bits, "from": Path(model).name}
    if teachers:
        networks, first = read_teachers(teachers, parent.keyword)
        annotator, objective = teacher_annotator(networks, first.settings.window), DistillationLoss()
        details["teachers"] = len(teachers)
    recordings = read_recordings(data, parent.keyword, sources, progress)
    pool = ScenePool(recordings.scenes(recipe.augmentation), recipe.seed, annotator)
    network = quantized(crnn, bits)
    trainer = Trainer(recipe, pool, recordings.validation(), output.checkpoint, objective, network)
    return train_and_release(
        trainer, recordings, output, progress, kind="qat", details=details, inherit_from=parent
    )


def compare_quantizations(
    model: str,
    data: Path,
    record: Path | None = None,
    sources: Sources = NO_SOURCES,
    progress: Progress = SILENT,
) -> dict[str, dict[str, float]]:
    """1 - AUROC, by split, of a model as it is and after each way to quantize it without training."""
    crnn, read = read_crnn(model)
    recordings = read_recordings(data, read.keyword, sources, progress)
    ways = {
        "float32": crnn,
        "torch dynamic int8": TorchDynamic(crnn),
        "float16": quantized(crnn, 16),
        "int8, a scale per row": quantized(crnn, 8),
        "int4, a scale per row": quantized(crnn, 4),
    }
    found = {way: _quality(network, recordings, read) for way, network in ways.items()}
    if record:
        name = read.path.stem if read.path else read.keyword
        for way, quality in found.items():
            add_run(record, {"kind": "compare", "model": name, "way": way, "one_minus_auroc": quality})
    return found


def _quality(network: CRNN, recordings: Recordings, model: Model) -> dict[str, float]:
    window, step = model.settings.window, model.settings.step
    return {s: one_minus_auroc(*split_scores(network, recordings, s, window, step)) for s in JUDGED}
