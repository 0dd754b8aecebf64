"""What is asked of a running listener: by a signal, or by the clock."""

import logging
import math
import time
from collections.abc import Callable

from kwsd.errors import KwsdError
from kwsd.runtime.detector import Detector

log = logging.getLogger(__name__)


class Requests:
    """Notes what is asked for, and does it when the listener calls, between two chunks of audio."""

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

    def ask_for_stats(self) -> None:
        """Safe in a signal handler."""
        self._stats_due = -math.inf

    def ask_for_reload(self) -> None:
        """Safe in a signal handler."""
        self._reload = True

    def answer(self) -> None:
        """Do what was asked for. What cannot be loaded is told of, and changes nothing."""
        if self._reload:
            self._reload = False
            try:
                self._change_to(self._load())
            except KwsdError as error:
                log.error("not reloaded, what was loaded listens on: %s", error)
        if time.monotonic() >= self._stats_due:
            self._stats_due = time.monotonic() + self._stats_every
            self._tell_stats()
