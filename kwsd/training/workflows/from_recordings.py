"""``kwsd train``: train a model for a keyword on recordings of it."""

from pathlib import Path

from kwsd.errors import UsageError
from kwsd.runtime.model import check_keyword
from kwsd.training.augment.pool import ScenePool
from kwsd.training.augment.training_set import Recordings
from kwsd.training.fit.recipe import Recipe
from kwsd.training.fit.trainer import Trainer
from kwsd.training.release.release import Output
from kwsd.training.workflows.embedding_teacher import settings_chooser, trainer_with_teacher
from kwsd.training.workflows.progress import SILENT, Progress
from kwsd.training.workflows.run import NO_SOURCES, Sources, check_output, read_recordings, train_and_release


def train(
    keyword: str,
    data: Path,
    recipe: Recipe,
    output: Output,
    sources: Sources = NO_SOURCES,
    progress: Progress = SILENT,
) -> Path:
    """Train a model for a word of the Speech Commands tree `data`. Returns the path of the model file.

    With recipe.teaching, heads on the speech embedding teach the model, and may stay as its second
    stage. Raises UsageError, before any training, if an argument or the recordings cannot be used.
    """
    check_training(keyword, recipe, output, sources)
    recordings = read_recordings(data, keyword, sources, progress)
    teaching, choose = recipe.teaching, None
    if teaching and teaching.second_stage:
        choose = settings_chooser(recordings, sources.unseen, teaching.snr, progress)
    trainer = _trainer(recordings, recipe, output, progress)
    return train_and_release(trainer, recordings, output, progress, kind="train", choose_settings=choose)


def check_training(keyword: str, recipe: Recipe, output: Output, sources: Sources) -> None:
    """Check everything that can be checked before recordings are read or downloaded."""
    verified = recipe.teaching is not None and recipe.teaching.second_stage
    if sources.unseen and not verified:
        raise UsageError(
            "--unseen is only used to choose the threshold of a model with a second stage; add --embedding"
        )
    if verified and not sources.speech:
        raise UsageError(
            "the threshold of a model with a second stage is chosen on running speech; "
            "add --speech DIR or --no-verifier"
        )
    check_keyword(keyword)
    check_output(output, recipe)


def _trainer(recordings: Recordings, recipe: Recipe, output: Output, progress: Progress) -> Trainer:
    if recipe.teaching:
        return trainer_with_teacher(recordings, recipe, output, progress)
    pool = ScenePool(recordings.scenes(recipe.augmentation), recipe.seed)
    return Trainer(recipe, pool, recordings.validation(), output.checkpoint)
