"""What is asked of a running listener: by a signal, or by the clock."""

import logging
import math
import threading
import time
from collections.abc import Callable

from kwsd.errors import KwsdError
from kwsd.runtime.detector import Detector

PATIENCE = 10.0  # seconds that loading may take

log = logging.getLogger(__name__)


class Requests:
    """Notes what is asked for, and does it when the listener calls, between two chunks of audio.

    Files are read in a thread of their own, however long that takes: detection goes on meanwhile.
    """

    def __init__(
        self,
        tell_stats: Callable[[], None],
        load: Callable[[], Detector],
        change_to: Callable[[Detector], None],
        stats_every: float = math.inf,
    ) -> None:
        """`stats_every` is in seconds."""
        self._tell_stats = tell_stats
        self._load = load
        self._change_to = change_to
        self._stats_every = stats_every
        self._stats_due = time.monotonic() + stats_every
        self._reload = False
        self._loading: Loading | None = None

    def ask_for_stats(self) -> None:
        """Safe in any thread."""
        self._stats_due = -math.inf

    def ask_for_reload(self) -> None:
        """Safe in any thread. What is asked for during a reload is done after it."""
        self._reload = True

    def answer(self) -> None:
        """Do what was asked for, and take what has been loaded. What cannot be loaded is logged."""
        if self._loading is not None:
            self._finish_loading(self._loading)
        if self._reload and (self._loading is None or self._loading.abandoned):
            self._reload = False
            self._begin_loading()
        if time.monotonic() >= self._stats_due:
            self._stats_due = time.monotonic() + self._stats_every
            self._tell_stats()

    def _begin_loading(self) -> None:
        if self._loading is not None:
            self._refuse("the last reload still waits for a file")
            return
        try:
            self._loading = Loading(self._load)
        except RuntimeError as error:  # no thread to be had
            self._refuse(str(error))

    def _finish_loading(self, loading: "Loading") -> None:
        """Take what was loaded, or what happened instead; after PATIENCE, do not wait for it any longer."""
        if not loading.is_alive():
            self._loading = None
            if loading.abandoned:
                return
            if loading.detector is not None:
                self._change_to(loading.detector)
            else:
                self._refuse(loading.failure)
        elif not loading.abandoned and time.monotonic() - loading.began > PATIENCE:
            loading.abandoned = True
            self._refuse(f"its files could not be read in {PATIENCE:g} s")

    def _refuse(self, reason: str) -> None:
        log.error("not reloaded, what was loaded listens on: %s", reason)


class Loading(threading.Thread):
    """Calls `load` and keeps the detector, or one line that says why there is none."""

    def __init__(self, load: Callable[[], Detector]) -> None:
        """Starts it. Raises RuntimeError where there is no thread to be had."""
        super().__init__(name="reload", daemon=True)
        self.detector: Detector | None = None
        self.failure = ""
        self.abandoned = False
        self.began = time.monotonic()
        self._load = load
        self.start()

    def run(self) -> None:
        try:
            self.detector = self._load()
        except KwsdError as error:
            self.failure = str(error)
        except Exception as error:  # whatever a file can do to its reader, it must not end the daemon
            self.failure = f"{type(error).__name__}: {error}"
