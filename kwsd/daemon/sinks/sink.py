"""The interface of everything that receives audio and triggers."""

from kwsd.daemon.events import CommandEvent, Event
from kwsd.pcm import Samples


class Sink:
    """Receives all audio, gaps and triggers of the stream in order. This base class ignores them.

    The methods are called in the detection thread, so they must return at once.
    """

    def on_audio(self, samples: Samples, posterior: float) -> None:
        """The next chunk of audio, shape (n,), which may be empty. posterior: its highest one."""

    def on_gap(self, seconds: float) -> None:
        """This many seconds of audio are missing before the next chunk."""

    def on_trigger(self, event: Event) -> None:
        """The keyword was detected, in or shortly before the chunk that `on_audio` received last."""

    def on_near_miss(self, event: Event) -> None:
        """The keyword was almost detected, shortly before the end of the chunk."""

    def on_command(self, command: CommandEvent) -> None:
        """What was said after a keyword is complete."""

    def on_end(self) -> None:
        """The stream has ended by itself. Unlike the other methods, this one may wait."""
