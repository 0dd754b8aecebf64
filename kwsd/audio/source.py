"""The interface of everything that the daemon can listen to: a microphone, a file or a pipe."""

from collections.abc import Iterator
from typing import NamedTuple, Protocol, Self

from kwsd.pcm import Samples


class Chunk(NamedTuple):
    """A piece of audio from a source."""

    samples: Samples  # shape (n,), float32, mono, 16 kHz; n may be 0
    gap: float = 0.0  # seconds of audio that are missing just before it


class Source(Protocol):
    """A stream of audio. The constructor opens it, and leaving its context manager closes it."""

    live: bool  # whether it is a microphone, which never ends and loses audio that is not read in time

    @property
    def name(self) -> str:
        """The name to show to the user."""

    @property
    def waiting(self) -> str:
        """Why there is no audio at the moment, such as "waiting for microphone NAME"; empty if there is."""

    @property
    def overruns(self) -> int:
        """How many times audio was lost because it was not read in time."""

    @property
    def dropped(self) -> float:
        """Seconds of audio lost in overruns, as far as known."""

    @property
    def backlog(self) -> float:
        """Seconds of audio waiting to be read."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *exception: object) -> None: ...

    def __iter__(self) -> Iterator[Chunk]:
        """Yield chunks until the stream ends or `stop` is called. Raises AudioError if the source fails."""

    def stop(self) -> None:
        """Make the iteration end soon. May be called from any thread or signal handler."""


class Recorded:
    """The base of sources that wait for their reader, so that no audio is lost."""

    live = False
    waiting = ""
    overruns = 0
    dropped = 0.0
    backlog = 0.0
