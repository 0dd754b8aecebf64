"""``kwsd new``: train a model for a keyword from its text alone, without recordings of it.

The keyword is spoken in many synthetic voices, and two models are trained on that. The false alarms of the
first one are hard negatives for the second one, which is the result.
"""

import shutil
from dataclasses import dataclass, replace
from pathlib import Path

from kwsd.errors import UsageError
from kwsd.runtime.model import check_keyword
from kwsd.runtime.modelfile import read_model
from kwsd.training.augment import voice
from kwsd.training.augment.training_set import Recordings
from kwsd.training.data.speech_commands import files_of
from kwsd.training.evaluate.mining import mine
from kwsd.training.evaluate.streams import run_conditions
from kwsd.training.fit.recipe import Recipe, Teaching
from kwsd.training.fit.trainer import read_checkpoint
from kwsd.training.release.release import Output
from kwsd.training.workflows.embedding_teacher import (
    FA_PER_HOUR,
    settings_chooser,
    trainer_with_teacher,
)
from kwsd.training.workflows.progress import SILENT, Progress, filling
from kwsd.training.workflows.run import (
    NO_SOURCES,
    Sources,
    check_disk_space,
    check_recordings,
    train_and_release,
)
from kwsd.training.workflows.synthesize import speak


@dataclass(frozen=True)
class Speech:
    """The synthetic speech. folder: where it is written and kept. kokoro: folder of Kokoro's voices.

    keyword, near_misses, sentences: the number of clips of each.
    """

    folder: Path
    keyword: int = 900
    near_misses: int = 500
    sentences: int = 60
    kokoro: Path | None = None

    @property
    def counts(self) -> dict[str, int]:
        """Number of clips of each kind."""
        return {
            "keyword": self.keyword,
            "near_misses": self.near_misses,
            "sentences": self.sentences,
        }


def train_from_text(
    keyword: str,
    speech: Speech,
    recipe: Recipe,
    output: Output,
    *,
    data: Path | None = None,
    sources: Sources = NO_SOURCES,
    fa_per_hour: float = FA_PER_HOUR,
    jobs: int | None = None,
    progress: Progress = SILENT,
) -> Path:
    """Speak the keyword, train a model in two rounds and choose its threshold. Returns the model's path.

    recipe: should use Augmentation.for_synthetic_voices() and Teaching.for_synthetic_voices(). data: a Speech
    Commands tree, whose words are further negatives; None: without. fa_per_hour: false alarms per hour that
    are acceptable. jobs: as in kwsd.training.parallel. output.resume: continue an interrupted run, if there
    is one. In the folder of the speech, `first.pt` is kept until the run is over. `mined` is made here, and
    removed when a new first model is trained.
    """
    teaching = recipe.teaching
    if teaching is None:
        raise UsageError("a model from text needs a teacher; give a recipe with `teaching`")
    if not voice.available():
        progress.note("praat-parselmouth is not installed, so the model is trained on fewer voices")
    # the first round's model is not added to the record of runs
    first = replace(output, model=speech.folder / "first.pt", record=None)
    _check(keyword, recipe, output, first)
    speak(keyword, speech.folder, speech.counts, speech.kokoro, jobs, recipe.seed, progress)

    def read(hard: tuple[Path, ...]) -> Recordings:  # hard: folders of hard negatives
        found = Recordings.spoken(
            speech.folder,
            keyword,
            data,
            sources.noise,
            sources.speech,
            hard,
            recipe.augmentation.nearest_phonemes,
        )
        check_recordings(found, progress)
        return found

    recordings, mined = read(sources.hard), speech.folder / "mined"
    if not (output.resume and first.model.exists()):
        trainer = trainer_with_teacher(recordings, recipe, first.checkpoint, progress)
        train_and_release(trainer, recordings, first, progress, kind="new")
        shutil.rmtree(mined, ignore_errors=True)  # made here: the false alarms of an earlier first model
    _mine(first.model, recordings, mined, teaching, progress)
    recordings = read((*sources.hard, mined))
    trainer = trainer_with_teacher(recordings, recipe, output.checkpoint, progress)
    choose = settings_chooser(recordings, sources.unseen, teaching.snr, progress, fa_per_hour, jobs)
    train_and_release(trainer, recordings, output, progress, kind="new", choose_settings=choose)
    for file in (first.model, first.model.with_suffix(".md")):
        file.unlink(missing_ok=True)
    return output.model


def _check(keyword: str, recipe: Recipe, output: Output, first: Output) -> None:
    """Check everything that can be checked before the speech is synthesized, which takes minutes."""
    check_keyword(keyword)
    check_disk_space(output.model, recipe.architecture, with_teacher=True)
    for each in (first, output):
        if each.resume and each.checkpoint.exists():
            read_checkpoint(each.checkpoint, recipe)


def _mine(model: Path, recordings: Recordings, out: Path, teaching: Teaching, progress: Progress) -> None:
    """Write the model's false alarms in the training split of the speech to `out`."""
    files = [path for folder in recordings.speech for path in files_of(folder, "training")]
    with filling(out, progress), progress.stage("mining false alarms of the first model"):
        for conditions in run_conditions(recordings, "training", teaching.snr):
            mine(read_model(model), files, out, teaching.mined_from, lambda *_: None, conditions)
