"""Records from an ALSA device."""

import logging
import threading
import time

from kwsd.audio.alsa.libasound import Overrun, Pcm
from kwsd.audio.capture import Capture
from kwsd.errors import AudioError, UsageError

CLOSE_TIMEOUT = 2.0  # seconds to wait for a device to close

log = logging.getLogger(__name__)


class AlsaMicrophone(Capture):
    """Records an ALSA device at its native sample rate and with all its channels."""

    def __init__(self, pcm: Pcm, channel: int | None = None) -> None:
        """Start to record from `pcm`, which must be open and configured. `close` closes it as well.

        channel: the channel to read, counted from 1; None averages all. Raises UsageError if there is
        no such channel.
        """
        try:
            super().__init__(pcm.name, "ALSA", pcm.rate, pcm.channels, channel)
        except UsageError:
            pcm.close()
            raise
        self._pcm = pcm
        self._closing = threading.Event()
        # a daemon thread, so that the process can exit even if ALSA hangs
        self._recorder = threading.Thread(target=self._record, name="alsa", daemon=True)
        self._recorder.start()

    def _release(self) -> None:
        """Wait until the thread has closed the device. If that hangs, nothing else is affected."""
        self._closing.set()
        self._recorder.join(CLOSE_TIMEOUT)
        if self._recorder.is_alive():
            log.debug("ALSA does not close %r: its thread keeps running", self.name)

    def _record(self) -> None:
        """Read the device at fixed intervals. Waiting for audio would use more CPU time and might not end."""
        try:
            with self._pcm:
                self._pcm.start()
                last = time.monotonic()  # when audio arrived last
                lost = 0.0  # seconds lost since then; a removed device may report an overrun at every read
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
