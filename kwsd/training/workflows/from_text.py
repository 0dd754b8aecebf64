"""Trains a model for a keyword from its text alone: the keyword is spoken in many synthetic voices."""

from pathlib import Path

from kwsd.errors import UsageError
from kwsd.runtime.model import check_keyword
from kwsd.training.augment import voice
from kwsd.training.augment.training_set import Recordings
from kwsd.training.fit.recipe import Recipe
from kwsd.training.release.release import Output
from kwsd.training.workflows.embedding_teacher import (
    FA_PER_HOUR,
    settings_chooser,
    trainer_with_teacher,
)
from kwsd.training.workflows.material import Material
from kwsd.training.workflows.progress import SILENT, Progress
from kwsd.training.workflows.run import check_output, check_recordings, train_and_release
from kwsd.training.workflows.synthesize import Speech, speak


def train_from_text(
    keyword: str,
    speech: Speech,
    recipe: Recipe,
    output: Output,
    *,
    material: Material,
    fa_per_hour: float = FA_PER_HOUR,
    jobs: int | None = None,
    progress: Progress = SILENT,
) -> Path:
    """Speak the keyword, train a model and choose its threshold. Returns the model's path.

    recipe: should use Augmentation.for_synthetic_voices() and Teaching.for_synthetic_voices(). fa_per_hour:
    false alarms per hour that are acceptable. jobs: as in kwsd.training.parallel.
    """
    teaching = recipe.teaching
    if teaching is None:
        raise UsageError("a model from text needs a teacher; give a recipe with `teaching`")
    if not voice.available():
        progress.note("praat-parselmouth is not installed, so the model is trained on fewer voices")
    # everything that can be checked before the speech is synthesized, which takes minutes
    check_keyword(keyword)
    check_output(output, recipe)
    speak(keyword, speech, material.kokoro, recipe.seed, jobs, progress)
    sources = material.sources
    recordings = Recordings.spoken(
        speech.folder,
        keyword,
        material.data,
        sources.noise,
        sources.speech,
        sources.hard,
    )
    check_recordings(recordings, progress)
    trainer = trainer_with_teacher(recordings, recipe, output, progress, jobs)
    choose = settings_chooser(recordings, sources.unseen, teaching.snr, progress, fa_per_hour, jobs)
    return train_and_release(trainer, recordings, output, progress, kind="new", choose_settings=choose)
