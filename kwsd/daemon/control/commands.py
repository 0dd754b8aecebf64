"""What the commands of `kwsd ctl` do. A request is an object: ``{"command": "pause", "seconds": 30}``."""

import inspect
import math
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import asdict
from functools import partial
from numbers import Real
from typing import Any

from kwsd.audio.source import Source
from kwsd.daemon.control.requests import Answer, ControlRequests
from kwsd.daemon.listener import Listener
from kwsd.daemon.pause import MAX_SECONDS, Pause
from kwsd.daemon.sinks.activity import RecentActivity
from kwsd.errors import UsageError, shown
from kwsd.runtime.model import check_number


class Commands:
    """Passes commands on to the detection thread, which runs them between two chunks of audio.

    The other fields of a request are the parameters of the method that runs its command.
    """

    def __init__(
        self,
        requests: ControlRequests[Any],
        listener: Listener,
        source: Source,
        pause: Pause,
        activity: RecentActivity,
        statistics: Callable[[], dict[str, float]],
    ) -> None:
        """statistics: returns the counters."""
        self._requests = requests
        self._listener = listener
        self._source = source
        self._pause = pause
        self._activity = activity
        self._statistics = statistics
        self._commands: dict[str, Callable[..., Any]] = {
            "status": self._status,
            "pause": self._begin_pause,
            "resume": self._resume,
            "words": self._words,
            "threshold": self._threshold,
            "trigger": self._trigger,
            "reload": requests.request_answered_reload,
        }

    def begin(self, request: dict[str, Any]) -> Future[Answer]:
        """Begin what a request asks for. May be called from any thread.

        The future gets the answer or a KwsdError. Raises UsageError for a request that names no command, or
        has other fields than its command takes.
        """
        arguments = {field: value for field, value in request.items() if field != "command"}
        name = request.get("command")
        command = self._commands.get(name) if isinstance(name, str) else None
        if command is None:
            raise UsageError(
                f"there is no command {shown(name)}; the commands are: {', '.join(self._commands)}"
            )
        try:
            inspect.signature(command).bind(**arguments)
        except TypeError as error:
            raise UsageError(f"{name}: {error}") from None
        if command == self._requests.request_answered_reload:
            return self._requests.request_answered_reload()
        return self._requests.request_command(partial(command, **arguments))

    # The methods below run in the detection thread.

    def _status(self) -> Answer:
        """What kwsd listens to and for, what it hears now, its last triggers and its counters."""
        waiting, paused = self._source.waiting, self._pause.active
        level = self._activity.level
        return {
            "state": "paused" if paused else "waiting" if waiting else "listening",
            "resumes_in": _rounded(self._pause.remaining, 1),
            "source": self._source.name,
            "waiting": waiting,
            "level": None if level == -math.inf else round(level, 1),
            "posterior": round(self._activity.posterior, 6),
            "words": self._keywords,
            "triggers": [event.fields() for event in self._activity.triggers],
            "counters": self._statistics(),
        }

    def _begin_pause(self, seconds: float | None = None) -> Answer:
        """Ignore all audio, for so many seconds or until `resume`."""
        if seconds is not None:
            check_number("seconds", seconds, 0, MAX_SECONDS, Real)
        self._pause.begin(math.inf if seconds is None else seconds)
        return {"resumes_in": seconds}

    def _resume(self) -> Answer:
        """Listen again."""
        self._pause.end()
        return {}

    def _words(self) -> Answer:
        """The words, with their settings."""
        words = [
            {"keyword": spotter.keyword, "model": spotter.model.name, **asdict(spotter.settings)}
            for spotter in self._listener.spotters
        ]
        return {"words": words}

    def _threshold(self, word: str, threshold: float) -> Answer:
        """Change the threshold of a word, until the next reload."""
        check_number("threshold", threshold, 0, 1, Real)
        if not self._listener.change_threshold(word, threshold):
            raise self._unknown(word)
        return {}

    def _trigger(self, word: str) -> Answer:
        """Trigger as if the word had been said."""
        if word not in self._keywords:
            raise self._unknown(word)
        self._listener.trigger(word)
        return {}

    @property
    def _keywords(self) -> list[str]:
        return [spotter.keyword for spotter in self._listener.spotters]

    def _unknown(self, word: object) -> UsageError:
        """The error for a word that kwsd does not listen for."""
        return UsageError(f"kwsd does not listen for {shown(word)}; it does for: {', '.join(self._keywords)}")


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)
