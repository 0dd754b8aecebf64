"""The interface of everything that receives audio and triggers."""

from kwsd.daemon.events import Event
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
