"""``kwsd evaluate`` on streams: FRR and FA/h of a detector on folders of recordings. Needs no torch."""

from dataclasses import dataclass
from pathlib import Path

from kwsd.errors import UsageError
from kwsd.runtime.model import Model, Settings
from kwsd.training.data.reader import Reader
from kwsd.training.data.speech_commands import files_of
from kwsd.training.evaluate.conditions import AcousticConditions
from kwsd.training.evaluate.curve import Point, curve
from kwsd.training.evaluate.streams import Negative, Positive, read_streams
from kwsd.training.workflows.progress import SILENT, Progress, warn_of_recordings


@dataclass(frozen=True)
class ConditionFolders:
    """Folders and level for the acoustic conditions of streams."""

    noise: tuple[Path, ...] = ()
    """Folders of noise. Noise needs an SNR."""

    snr: float | None = None
    """Decibels of the speech above the noise."""

    impulse_responses: tuple[Path, ...] = ()
    """Folders of impulse responses of rooms."""

    def read(self, split: str | None, reader: Reader) -> AcousticConditions:
        """Read the recordings. split: only the noise of this split.

        Raises UsageError for noise without an SNR, and for an SNR without noise.
        """
        if self.noise and self.snr is None:
            raise UsageError("noise needs snr, the signal-to-noise ratio in dB at which it is mixed in")
        noise = reader.recordings(path for folder in self.noise for path in files_of(folder, split))
        rooms = reader.sounds(path for folder in self.impulse_responses for path in files_of(folder))
        if self.snr is not None and not noise:
            raise UsageError(f"snr needs noise, which is mixed in at {self.snr:g} dB; give a folder of it")
        return AcousticConditions(noise, self.snr, rooms)


def read_stream_folders(
    positives: tuple[Path, ...],
    negatives: tuple[Path, ...],
    split: str | None = None,
    conditions: ConditionFolders = ConditionFolders(),
    progress: Progress = SILENT,
    fluent: bool = False,
) -> tuple[list[Positive], list[Negative]]:
    """Make streams from folders with and without the keyword (see kwsd.training.evaluate.streams).

    fluent: see `read_streams`. Raises UsageError if there are no recordings with the keyword, or none
    without it.
    """
    reader = Reader()
    streams = read_streams(positives, negatives, split, conditions.read(split, reader), reader, fluent=fluent)
    warn_of_recordings(reader, progress)
    for folders, what, found in zip((positives, negatives), ("with", "without"), streams, strict=True):
        if not found:
            where = (f"the {split} split of " if split else "") + ", ".join(map(str, folders))
            raise UsageError(f"no recordings {what} the keyword in {where}")
    return streams


def evaluate_streams(
    model: Model,
    streams: tuple[list[Positive], list[Negative]],
    settings: Settings | None = None,
    jobs: int | None = None,
    progress: Progress = SILENT,
) -> list[Point]:
    """FRR and FA/h at every threshold on positive and negative streams (kwsd.training.evaluate.curve)."""
    positives, negatives = streams
    with progress.stage("evaluating", len(positives) + len(negatives)):
        return curve(model, positives, negatives, settings, jobs, progress.batch)
