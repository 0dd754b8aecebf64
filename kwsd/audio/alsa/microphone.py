"""Audio from a sound card, or from whatever else has an ALSA name."""

import logging
import threading
import time

from kwsd.audio.alsa.libasound import Overrun, Pcm
from kwsd.audio.capture import Capture
from kwsd.errors import AudioError, UsageError

CLOSING = 2.0  # seconds after which a device that does not close is left behind

log = logging.getLogger(__name__)


class AlsaMicrophone(Capture):
    """An ALSA device that is recorded, at a rate of its own and with all its channels."""

    def __init__(self, pcm: Pcm, channel: int | None = None) -> None:
        """Record `pcm`, which is open and configured, and close it at the end.

        `channel`: the one to hear, counted from 1; None: their mean. Raises UsageError for one it lacks.
        """
        try:
            super().__init__(pcm.name, "ALSA", pcm.rate, pcm.channels, channel)
        except UsageError:
            pcm.close()
            raise
        self._pcm = pcm
        self._closing = threading.Event()
        # a daemon thread: where it hangs in the audio system, the process can end nevertheless
        self._recorder = threading.Thread(target=self._record, name="alsa", daemon=True)
        self._recorder.start()

    def _release(self) -> None:
        """A device that hangs is left behind with its thread, in nobody's way."""
        self._closing.set()
        self._recorder.join(CLOSING)
        if self._recorder.is_alive():
            log.debug("ALSA does not close %r: it is left behind", self.name)

    def _record(self) -> None:
        """Read by the clock: waiting for the device to have audio costs more, and some never have any."""
        try:
            with self._pcm:
                self._pcm.start()
                last = time.monotonic()  # when audio last came
                lost = 0.0  # seconds since then; some devices that are gone claim an overrun at every read
                while not self._closing.wait(self._pcm.latency):
                    try:
                        data = self._pcm.read()
                    except Overrun:
                        lost = time.monotonic() - last
                        continue
                    if data:
                        if lost:
                            self._lose(lost)
                        self._write(data)
                        last, lost = time.monotonic(), 0.0
        except AudioError as error:
            log.debug("%s", error)
        finally:
            self._ring.close()
