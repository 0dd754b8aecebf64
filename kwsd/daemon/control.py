"""Handles control requests, which come from signals or the clock: reloads and statistics."""

import logging
import math
import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

from kwsd.errors import KwsdError

LOAD_TIMEOUT = 10.0  # seconds after which a reload has failed; what it still loads is dropped

Loaded = TypeVar("Loaded")  # what a reload loads: a detector, with what belongs to it

log = logging.getLogger(__name__)


class ControlRequests(Generic[Loaded]):
    """Remembers requests, and handles them when the listener calls `handle` between two chunks of audio.

    Files are read in a separate thread, so detection continues however long that takes.
    """

    def __init__(
        self,
        log_statistics: Callable[[], None],
        load: Callable[[], Loaded],
        swap_detector: Callable[[Loaded], None],
        statistics_interval: float = math.inf,
    ) -> None:
        """load: reads the models and settings. swap_detector: replaces what runs by what was loaded.

        statistics_interval: seconds between two calls of `log_statistics` without a signal.
        """
        self._log_statistics = log_statistics
        self._load = load
        self._swap_detector = swap_detector
        self._statistics_interval = statistics_interval
        self._statistics_due = time.monotonic() + statistics_interval
        self._reload_requested = False
        self._loader: Loader[Loaded] | None = None

    def request_statistics(self) -> None:
        """May be called from any thread or signal handler."""
        self._statistics_due = -math.inf

    def request_reload(self) -> None:
        """May be called from any thread or signal handler.

        A request during a reload is handled after it, but fails if the reload timed out and still has not
        ended.
        """
        self._reload_requested = True

    def handle(self) -> None:
        """Handle the requests, and swap in a detector that has been loaded. A reload that fails is logged."""
        if self._loader is not None:
            self._check(self._loader)
        if self._reload_requested and (self._loader is None or self._loader.timed_out):
            self._reload_requested = False
            self._start_loading()
        if time.monotonic() >= self._statistics_due:
            self._statistics_due = time.monotonic() + self._statistics_interval
            self._log_statistics()

    def _start_loading(self) -> None:
        if self._loader is not None:
            self._log_failure("the previous reload is still waiting for a file")
            return
        try:
            self._loader = Loader(self._load)
        except RuntimeError as error:  # no thread can be started
            self._log_failure(str(error))

    def _check(self, loader: "Loader[Loaded]") -> None:
        """Swap in the detector, or log why there is none, once the loader has finished or timed out."""
        if not loader.is_alive():
            self._loader = None
            if loader.timed_out:
                return
            if loader.loaded is not None:
                self._swap_detector(loader.loaded)
            else:
                self._log_failure(loader.failure)
        elif not loader.timed_out and time.monotonic() - loader.started > LOAD_TIMEOUT:
            loader.timed_out = True
            self._log_failure(f"the files could not be read within {LOAD_TIMEOUT:g} s")

    def _log_failure(self, reason: str) -> None:
        log.error("reload failed, the previous model stays in use: %s", reason)


class Loader(threading.Thread, Generic[Loaded]):
    """Loads a detector in its own thread.

    Once it has finished, either `loaded` is set or `failure` is one line that says why it is not.
    """

    def __init__(self, load: Callable[[], Loaded]) -> None:
        """Start loading. Raises RuntimeError if no thread can be started."""
        super().__init__(name="reload", daemon=True)
        self.loaded: Loaded | None = None
        self.failure = ""
        self.timed_out = False
        self.started = time.monotonic()
        self._load = load
        self.start()

    def run(self) -> None:
        try:
            self.loaded = self._load()
        except KwsdError as error:
            self.failure = str(error)
        except Exception as error:  # a broken file must not end the daemon, whatever its reader raises
            self.failure = f"{type(error).__name__}: {error}"
