"""``kwsd distill``: train a small model on the outputs of large ones, and search for the best way."""

from dataclasses import asdict, dataclass
from pathlib import Path

from optuna import Study
from optuna.trial import FrozenTrial

from kwsd.training.augment.pool import ScenePool, StillPool
from kwsd.training.fit.distillation import teacher_annotator
from kwsd.training.fit.losses import DistillationLoss
from kwsd.training.fit.recipe import Recipe
from kwsd.training.fit.search import ALPHAS, TEMPERATURES, evaluator, finished, open_study, run_trial
from kwsd.training.fit.trainer import Trainer
from kwsd.training.release.release import Output
from kwsd.training.release.runs import add_run
from kwsd.training.report.plots import grid_plot, search_plot
from kwsd.training.workflows.progress import SILENT, Progress, on_interrupt
from kwsd.training.workflows.run import (
    NO_SOURCES,
    Sources,
    check_output,
    read_recordings,
    read_teachers,
    train_and_release,
)


def distill(
    teachers: tuple[str, ...],
    data: Path,
    recipe: Recipe,
    output: Output,
    loss: DistillationLoss,
    sources: Sources = NO_SOURCES,
    progress: Progress = SILENT,
) -> Path:
    """Train a student on its teachers' posteriors and attention, and on the labels. Returns the model's path.

    teachers: model files or names of shipped models. If the first has a second stage, the student inherits
    it.
    """
    check_output(output, recipe)
    networks, first = read_teachers(teachers)
    recordings = read_recordings(data, first.keyword, sources, progress)
    annotator = teacher_annotator(networks, first.settings.window)
    pool = ScenePool(recordings.scenes(recipe.augmentation), recipe.seed, annotator)
    trainer = Trainer(recipe, pool, recordings.validation(), output.checkpoint, loss)
    details = asdict(loss) | {"teachers": len(teachers)}
    return train_and_release(
        trainer, recordings, output, progress, kind="distill", details=details, inherit_from=first
    )


@dataclass(frozen=True)
class Search:
    """A search for the best distillation.

    storage: a file or the URL of a database that holds the trials; several processes and machines can share
    it. trials: how many, including those already done. architectures: whether these are searched as well.
    record: file of JSON lines to which each trial is added. plot: file to draw the result to.
    """

    storage: str
    trials: int = 20
    architectures: bool = False
    record: Path | None = None
    plot: Path | None = None

    @property
    def kind(self) -> str:
        """Its name in the record and the report."""
        return "search" if self.architectures else "grid"


def search(
    teachers: tuple[str, ...],
    data: Path,
    recipe: Recipe,
    plan: Search,
    sources: Sources = NO_SOURCES,
    progress: Progress = SILENT,
) -> Study:
    """Train students with many temperatures and alphas, and perhaps architectures. Returns Optuna's study."""
    networks, first = read_teachers(teachers)
    study = open_study(plan.storage, f"{first.keyword}-{plan.kind}", plan.architectures)
    recordings = read_recordings(data, first.keyword, sources, progress)
    annotator = teacher_annotator(networks, first.settings.window)
    pool = StillPool(recordings.scenes(recipe.augmentation), recipe.seed, annotator)
    evaluate = evaluator(recordings, pool, recipe)
    trials = plan.trials if plan.architectures else min(plan.trials, len(TEMPERATURES) * len(ALPHAS))

    def report(_: object, trial: FrozenTrial) -> None:
        progress.trial(len(finished(study)), f"{trial.params}: {trial.values}")
        if plan.record:
            facts = {
                "kind": plan.kind,
                "seed": recipe.seed,
                "epochs": recipe.epochs,
                "teachers": len(teachers),
            }
            add_run(plan.record, facts | {"params": trial.params, "values": trial.values})

    left = f"stopped; {plan.storage} has the finished trials; the same command continues from there"
    with on_interrupt(progress, lambda: left), progress.stage("trials", trials, len(finished(study))):
        while len(finished(study)) < trials:
            study.optimize(
                lambda trial: run_trial(trial, recipe.architecture, recipe.window, evaluate),
                n_trials=1,
                callbacks=[report],
            )
    if plan.plot:
        draw(study, plan)
    return study


def draw(study: Study, plan: Search) -> None:
    """Draw the heat map of a grid, or the models of a search, to a file."""
    assert plan.plot is not None
    done = finished(study)
    if plan.architectures:
        search_plot([(trial.values[0], trial.values[1]) for trial in done], plan.plot)
    else:
        cells = [(t.params["temperature"], t.params["alpha"], t.values[0]) for t in done]
        grid_plot(cells, plan.plot)
