"""``kwsd new``: a model for a keyword from its text, and how good it is on unheard voices and speech."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from kwsd.files import check_replaceable
from kwsd.runtime.model import BASELINE, check_keyword
from kwsd.runtime.modelfile import read_model, short_name
from kwsd.training.augment.augmentation import Augmentation
from kwsd.training.augment.training_set import Recordings
from kwsd.training.data.kit.kit import Kit
from kwsd.training.data.kit.manifest import Part
from kwsd.training.evaluate.curve import Point, curve
from kwsd.training.evaluate.streams import run_streams
from kwsd.training.fit.recipe import Recipe, Teaching
from kwsd.training.release.release import Output
from kwsd.training.workflows.embedding_teacher import FA_PER_HOUR
from kwsd.training.workflows.from_text import train_from_text
from kwsd.training.workflows.kit import fetch_missing
from kwsd.training.workflows.machine import affordable_jobs, check_disks, check_machine
from kwsd.training.workflows.material import Material, with_kit
from kwsd.training.workflows.progress import SILENT, Progress, on_interrupt, warn_of_recordings
from kwsd.training.workflows.synthesize import Speech
from kwsd.training.workflows.teach import check_enough, teach_folders


def recipe_from_text(epochs: int = 15, seed: int = 0) -> Recipe:
    """The recipe for a model from synthetic voices."""
    return Recipe(
        BASELINE,
        epochs=epochs,
        seed=seed,
        augmentation=Augmentation.for_synthetic_voices(),
        teaching=Teaching.for_synthetic_voices(),
    )


def new_word(
    keyword: str,
    speech: Speech,
    recipe: Recipe,
    output: Output,
    *,
    material: Material = Material(),  # noqa: B008 - it is frozen
    kit: Kit | None = None,
    may_fetch: Callable[[Kit, Sequence[Part]], bool] = lambda *_: True,
    recordings: Sequence[Path] = (),
    fa_per_hour: float = FA_PER_HOUR,
    jobs: int | None = None,
    progress: Progress = SILENT,
) -> Path:
    """Make a model (see `make_word`) with the help of a kit, and teach it the voices of its users.

    kit: it is used in addition to `material`. may_fetch: called with the parts that it lacks; without them
    the model is made all the same. recordings: folders of recordings of the keyword by its users, whom a
    second model, OUT-taught.pt, learns. Returns the path of the last model. Raises UsageError, before any
    work, if the second model cannot be made, and KwsdError, before anything is fetched, if the disk has no
    room for synthesized speech.
    """
    check_keyword(keyword)
    taught = output.model.with_name(f"{output.model.stem}-taught.pt")
    if recordings:
        check_enough(keyword, recordings)
        check_replaceable(taught)
    check_machine(speech.folder, progress)
    if kit:
        language = speech.language.code
        fetch_missing(kit, language, may_fetch, progress)
        material = with_kit(material, kit, language)
    make_word(
        keyword,
        speech,
        recipe,
        output,
        material=material,
        fa_per_hour=fa_per_hour,
        jobs=jobs,
        progress=progress,
    )
    if not recordings:
        return output.model
    teach_folders(read_model(output.model), recordings, (), (), taught, progress)
    return taught


def make_word(
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
    """Train a model (see `train_from_text`) and evaluate it. Returns its path.

    Raises KwsdError if the disk has no room.
    """
    check_disks(speech.folder, material)
    jobs = affordable_jobs(jobs)
    with on_interrupt(progress, lambda: "stopped; the same command continues"):
        model = train_from_text(
            keyword,
            speech,
            recipe,
            output,
            material=material,
            fa_per_hour=fa_per_hour,
            jobs=jobs,
            progress=progress,
        )
    assert recipe.teaching is not None
    with on_interrupt(progress, lambda: f"stopped; {model} is complete, and only its evaluation is missing"):
        curves = evaluate_unheard(model, speech, material, recipe.teaching.snr, jobs, progress)
    threshold = read_model(model).settings.threshold
    for name, points in curves.items():
        progress.note(f"{model}, {name}: {summary(nearest_point(points, threshold))}")
    higher = quieter(curves, threshold, fa_per_hour)
    if higher is not None:
        progress.note(f"With fewer false alarms: kwsd listen {short_name(model)} --threshold {higher:g}")
        for name, points in curves.items():
            progress.note(f"{model} at {higher:g}, {name}: {summary(nearest_point(points, higher))}")
    if not material.test:
        progress.note("there was no unseen speech to count false alarms in")
    return model


def evaluate_unheard(
    model: Path,
    speech: Speech,
    material: Material,
    snr: float,
    jobs: int | None = None,
    progress: Progress = SILENT,
) -> dict[str, list[Point]]:
    """The model's curves on synthetic voices and in speech on which it was not trained, by conditions.

    Once as recorded and, if there is noise, once in noise at `snr` dB.
    """
    trained = read_model(model)
    recordings = Recordings.spoken(speech.folder, trained.keyword, None, material.sources.noise, ())
    with progress.stage("reading the unheard speech"):
        without_speech = replace(recordings, speech=())
        every = run_streams(without_speech, "dev-test", snr, material.test, progress.count)
    warn_of_recordings(recordings.reader, progress)
    found = {}
    with progress.stage("evaluating", sum(len(words) + len(others) for _, words, others in every)):
        for conditions, words, others in every:
            name = "in quiet" if conditions.snr is None else f"in noise at {conditions.snr:g} dB"
            found[name] = curve(trained, words, others, None, jobs, progress.batch)
    return found


def nearest_point(points: list[Point], threshold: float) -> Point:
    """The point of a curve that is nearest to this threshold."""
    return min(points, key=lambda point: abs(point.threshold - threshold))


def quieter(curves: dict[str, list[Point]], threshold: float, fa_per_hour: float) -> float | None:
    """The lowest threshold above this one with at most `fa_per_hour` false alarms in each of the curves.

    None if this one has so few itself, or if no threshold has and still hears the keyword.
    """
    quiet = [
        points[0].threshold
        for points in zip(*curves.values(), strict=True)
        if all(point.fa_per_hour <= fa_per_hour and point.latencies for point in points)
    ]
    lowest = min((one for one in quiet if one >= threshold), default=None)
    return None if lowest == threshold else lowest


def summary(point: Point) -> str:
    """The misses and false alarms of a point."""
    missed = f"missed {point.missed} of {point.positives} held-out synthetic voices ({point.frr:.1%})"
    if not point.hours:
        return missed
    return f"{missed}, {point.fa_per_hour:.1f} false alarms per hour in {point.hours:.1f} h of unseen speech"
