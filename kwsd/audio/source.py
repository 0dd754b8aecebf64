"""What the daemon listens to: a microphone, a file or a pipe, all alike."""

from collections.abc import Iterator
from typing import NamedTuple, Protocol, Self

from kwsd.pcm import Samples


class Chunk(NamedTuple):
    """The audio that a source gives at a time."""

    samples: Samples  # shape (n,), float32, mono, 16 kHz; n may be 0
    gap: float = 0.0  # seconds of audio missing just before it


class Source(Protocol):
    """A stream of float32 mono samples at 16 kHz, opened when made and closed as a context manager."""

    live: bool  # a microphone: it has no end, and the time it takes is real

    @property
    def name(self) -> str:
        """What a person calls it."""

    @property
    def waiting(self) -> str:
        """Why no audio comes, such as "waiting for microphone NAME"; empty while it comes."""

    @property
    def overruns(self) -> int:
        """Times audio was lost because it was not taken fast enough."""

    @property
    def dropped(self) -> float:
        """Seconds of audio known to be lost so."""

    @property
    def backlog(self) -> float:
        """Seconds of audio that wait to be taken."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *exception: object) -> None: ...

    def __iter__(self) -> Iterator[Chunk]:
        """Chunks until the end or `stop`. Raises AudioError if the source fails."""

    def stop(self) -> None:
        """End the iteration soon, from any thread or signal handler."""


class Recorded:
    """What a source is that waits for its reader: nothing is ever lost."""

    live = False
    waiting = ""
    overruns = 0
    dropped = 0.0
    backlog = 0.0
