"""Handles control requests between two chunks of audio: reloads, statistics, and commands of `kwsd ctl`.

They come from signals, from the clock and from the control socket.
"""

import logging
import math
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Generic, TypeVar

from kwsd.errors import KwsdError

LOAD_TIMEOUT = 10.0  # seconds after which a reload has failed; what it still loads is dropped

Loaded = TypeVar("Loaded")  # what a reload loads: a detector, with what belongs to it
Answer = dict[str, Any]  # what a command returns, as it is written in JSON
Command = Callable[[], Answer]

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
        self._reload_answers: list[Future[Answer]] = []  # for those who asked for the next reload
        self._loader: Loader[Loaded] | None = None
        self._commands: deque[tuple[Command, Future[Answer]]] = deque()

    def request_statistics(self) -> None:
        """May be called from any thread or signal handler."""
        self._statistics_due = -math.inf

    def request_reload(self) -> None:
        """May be called from any thread or signal handler.

        A request during a reload is handled after it, but fails if the reload timed out and still has not
        ended.
        """
        self._reload_requested = True

    def request_command(self, command: Command) -> Future[Answer]:
        """Run a command in the thread that calls `handle`. May be called from any thread.

        The future gets what it returns, or the KwsdError that it raises. It can be cancelled until then.
        """
        answer: Future[Answer] = Future()
        self._commands.append((command, answer))
        return answer

    def request_answered_reload(self) -> Future[Answer]:
        """As `request_reload`, from any thread but not from a signal handler.

        The future gets an empty answer once everything is loaded, or a KwsdError if that fails.
        """
        answer: Future[Answer] = Future()
        answer.set_running_or_notify_cancel()  # it cannot be cancelled: the reload is going to happen
        self._reload_answers.append(answer)
        self._reload_requested = True
        return answer

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
        for _ in range(len(self._commands)):
            self._run(*self._commands.popleft())

    def _run(self, command: Command, answer: Future[Answer]) -> None:
        """Run a command, unless whoever asked for it has given up."""
        if answer.set_running_or_notify_cancel():
            try:
                answer.set_result(command())
            except KwsdError as error:
                answer.set_exception(error)

    def _start_loading(self) -> None:
        answers, self._reload_answers = self._reload_answers, []
        if self._loader is not None:
            self._fail("the previous reload is still waiting for a file", answers)
            return
        try:
            self._loader = Loader(self._load, answers)
        except RuntimeError as error:  # no thread can be started
            self._fail(str(error), answers)

    def _check(self, loader: "Loader[Loaded]") -> None:
        """Swap in the detector, or log why there is none, once the loader has finished or timed out."""
        if not loader.is_alive():
            self._loader = None
            if loader.timed_out:
                return
            if loader.loaded is None:
                self._fail(loader.failure, loader.answers)
                return
            self._swap_detector(loader.loaded)
            for answer in loader.answers:
                answer.set_result({})
        elif not loader.timed_out and time.monotonic() - loader.started > LOAD_TIMEOUT:
            loader.timed_out = True
            self._fail(f"the files could not be read within {LOAD_TIMEOUT:g} s", loader.answers)

    def _fail(self, reason: str, answers: list[Future[Answer]]) -> None:
        """Report a failed reload to the log and to those who asked for it."""
        text = f"reload failed, the previous model stays in use: {reason}"
        log.error("%s", text)
        for answer in answers:
            answer.set_exception(KwsdError(text))


class Loader(threading.Thread, Generic[Loaded]):
    """Loads a detector in its own thread.

    Once it has finished, either `loaded` is set or `failure` is one line that says why it is not.
    """

    def __init__(self, load: Callable[[], Loaded], answers: list[Future[Answer]]) -> None:
        """Start loading. Raises RuntimeError if no thread can be started.

        answers: kept for those who asked for this reload.
        """
        super().__init__(name="reload", daemon=True)
        self.loaded: Loaded | None = None
        self.failure = ""
        self.timed_out = False
        self.started = time.monotonic()
        self.answers = answers
        self._load = load
        self.start()

    def run(self) -> None:
        try:
            self.loaded = self._load()
        except KwsdError as error:
            self.failure = str(error)
        except Exception as error:  # a broken file must not end the daemon, whatever its reader raises
            self.failure = f"{type(error).__name__}: {error}"
