"""Training with a teacher: heads on the speech embedding, which stay as the model's second stage."""

from collections.abc import Callable
from pathlib import Path

from kwsd.runtime.model import Model, Settings
from kwsd.training.augment.pool import ScenePool, StillPool
from kwsd.training.augment.scenes import SceneMaker
from kwsd.training.augment.training_set import Recordings
from kwsd.training.evaluate.streams import run_streams
from kwsd.training.evaluate.tuning import described, settings_to_try, tune
from kwsd.training.fit.embedded_speech import PIECE_SAMPLES, embedded_speech
from kwsd.training.fit.losses import HeadDistillationLoss
from kwsd.training.fit.recipe import Recipe
from kwsd.training.fit.teacher import (
    Head,
    embedding_annotator,
    fine_tuned_heads,
    frozen_features_annotator,
    train_heads,
)
from kwsd.training.fit.trainer import Trainer
from kwsd.training.nn.embedding import SpeechEmbedding
from kwsd.training.release.release import Output
from kwsd.training.workflows.progress import Progress

FA_PER_HOUR = 0.5  # acceptable false alarms per hour
# Validation speech is of sources that were trained on, so other speech has more false alarms:
# docs/experiments/2026-11-28-pronunciation-variants.md
VALIDATION_SHARE = 0.5  # of the acceptable ones, at most, in validation speech


def trainer_with_teacher(
    recordings: Recordings, recipe: Recipe, output: Output, progress: Progress, jobs: int | None = None
) -> Trainer:
    """Train heads as `recipe.teaching` says, and return the trainer of a CRNN that learns from them.

    If the trainer will resume from a checkpoint, the heads are left untrained, because it holds trained ones.
    jobs: as in kwsd.training.parallel.
    """
    teaching = recipe.teaching
    assert teaching is not None
    with progress.stage("reading speech and noise"):
        embedding, scenes = SpeechEmbedding(), recordings.scenes(recipe.augmentation, progress.count)
    kind = ScenePool if teaching.new_examples else StillPool
    pool = kind(scenes, recipe.seed, embedding_annotator(embedding), teaching.first_chunks)
    if output.resumes:
        heads = [Head(teaching) for _ in range(teaching.heads)]
    elif teaching.tune_embedding:
        heads = _fine_tuned_heads(embedding, scenes, recipe, progress, jobs)
        _make_examples(pool, teaching.first_chunks, "making training examples", progress, jobs)
    else:
        _make_examples(pool, teaching.first_chunks, "making training examples", progress, jobs)
        heads = _heads(embedding, pool, recordings, scenes, recipe, progress)
    objective = HeadDistillationLoss([*heads], embedding, recipe.architecture.hidden, teaching)
    return Trainer(recipe, pool, recordings.validation(), output.checkpoint, objective)


def _make_examples(pool: ScenePool, chunks: int, name: str, progress: Progress, jobs: int | None) -> None:
    with progress.stage(name, chunks):
        pool.move(0, progress.batch, jobs)


def _heads(
    embedding: SpeechEmbedding,
    pool: ScenePool,
    recordings: Recordings,
    scenes: SceneMaker,
    recipe: Recipe,
    progress: Progress,
) -> list[Head]:
    """Train heads on the embedding as it is, on the pool's examples and all running speech."""
    teaching = recipe.teaching
    assert teaching is not None
    pieces = len(scenes.speech) // PIECE_SAMPLES
    with progress.stage("embedding the speech", pieces):
        speech = embedded_speech(
            recordings.running_speech("training"),
            scenes,
            embedding,
            on_piece=lambda done: progress.count(done, pieces),
        )
    with progress.stage("training the teacher", teaching.heads * teaching.head_batches):
        return train_heads(pool, speech, recipe, teaching, progress.batch)


def _fine_tuned_heads(
    embedding: SpeechEmbedding, scenes: SceneMaker, recipe: Recipe, progress: Progress, jobs: int | None
) -> list[Head]:
    """Train heads and fine-tune the embedding.

    The examples are not those of the CRNN, because a teacher is overconfident on examples that it has
    learned.
    """
    teaching = recipe.teaching
    assert teaching is not None
    annotator = frozen_features_annotator(embedding)
    # a gigabyte, which is freed when this function returns
    pool = StillPool(scenes, recipe.seed + 1, annotator, teaching.tuning_chunks)
    _make_examples(pool, teaching.tuning_chunks, "making training examples for the teacher", progress, jobs)
    with progress.stage("training the teacher"):
        return fine_tuned_heads(embedding, pool, recipe, teaching)


def settings_chooser(
    recordings: Recordings,
    unseen: tuple[Path, ...],
    snr: float,
    progress: Progress,
    fa_per_hour: float = FA_PER_HOUR,
    jobs: int | None = None,
) -> Callable[[Model], Settings]:
    """A function that chooses a verified model's settings on validation streams and on the folders `unseen`.

    snr: signal-to-noise ratio in dB at which each stream is used once more, with noise. fa_per_hour: false
    alarms per hour that are acceptable in other speech.
    """

    def choose(model: Model) -> Settings:
        with progress.stage("reading the validation speech"):
            every = run_streams(recordings, "validation", snr, unseen, progress.count)
        positives = [stream for _, words, _ in every for stream in words]
        negatives = [stream for _, _, others in every for stream in others]
        choices = settings_to_try(model, recordings.synthetic)
        with progress.stage("choosing the settings", len(choices) * (len(positives) + len(negatives))):
            settings, point = tune(
                model,
                positives,
                negatives,
                choices,
                VALIDATION_SHARE * fa_per_hour,
                jobs,
                on_stream=progress.batch,
            )
        progress.note(
            f"{described(settings)}: misses {point.frr:.1%} of validation voices "
            f"at {point.fa_per_hour:.2f} FA/h"
        )
        return settings

    return choose
