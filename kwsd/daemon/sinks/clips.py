"""Saves the audio before each trigger (the pre-roll), or before each near miss, as a WAV file."""

from pathlib import Path
from typing import Self

from kwsd.daemon.events import Event
from kwsd.daemon.sinks.clip_folder import ClipFolder, clip_name, wav
from kwsd.daemon.sinks.recent_audio import RecentAudio
from kwsd.daemon.sinks.sink import Sink
from kwsd.pcm import SAMPLE_RATE, Samples


class Clips(Sink):
    """Keeps the last seconds of audio in memory. Each trigger queues them as a clip to be written."""

    def __init__(self, folder: Path, seconds: float, limit: int, live: bool = True) -> None:
        """seconds: length of the pre-roll. The other parameters and the errors are those of `ClipFolder`."""
        self._pre_roll = round(seconds * SAMPLE_RATE)  # samples
        self._recent = RecentAudio(seconds)
        self._folder = ClipFolder(folder, seconds, limit, live)

    def __enter__(self) -> Self:
        self._folder.__enter__()
        return self

    def __exit__(self, *exception: object) -> None:
        """Wait until all clips are written, as `ClipFolder` does."""
        self._folder.__exit__(*exception)

    def on_audio(self, samples: Samples, _posterior: float) -> None:
        """Keep the newest audio."""
        self._recent.push(samples)

    def on_gap(self, seconds: float) -> None:
        """Forget the audio before the gap."""
        self._recent.gap(seconds)

    def on_trigger(self, event: Event) -> None:
        """Queue the pre-roll, which ends at the trigger."""
        self._save(event)

    def _save(self, event: Event) -> None:
        """Queue the audio before an event."""
        end = round(event.stream_time * SAMPLE_RATE)
        clip = self._recent.between(end - self._pre_roll, end)
        self._folder.save(clip_name(event.time, event.keyword), wav(clip))


class NearMissClips(Clips):
    """Saves near misses instead of triggers."""

    def on_trigger(self, event: Event) -> None:
        """Save nothing: this was heard."""

    def on_near_miss(self, event: Event) -> None:
        """Queue the audio before the moment at which it was certain that there is no trigger."""
        self._save(event)
