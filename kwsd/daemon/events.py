"""A trigger as others are told of it."""

import json
import logging
import select
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Event:
    """The keyword was heard."""

    keyword: str
    posterior: float
    stream_time: float  # seconds of audio from the stream's beginning
    time: datetime  # when it was heard, with its zone
    model: str  # file name

    def json(self) -> str:
        """One line without its end, ``{"event": "trigger", ...}``."""
        return json.dumps(
            {
                "event": "trigger",
                "keyword": self.keyword,
                "posterior": round(self.posterior, 6),
                "stream_time": round(self.stream_time, 3),
                "time": self.time.isoformat(timespec="milliseconds"),
                "model": self.model,
            }
        )

    def environment(self) -> dict[str, str]:
        """The facts as a hook finds them in its environment."""
        return {
            "KWSD_KEYWORD": self.keyword,
            "KWSD_POSTERIOR": f"{self.posterior:.6f}",
            "KWSD_STREAM_TIME": f"{self.stream_time:.3f}",
            "KWSD_TIME": self.time.isoformat(timespec="milliseconds"),
        }


def print_json(event: Event) -> None:
    """One flushed JSON line on standard output. Raises OSError where it cannot be written."""
    print(event.json(), flush=True)


def unless_full(print_event: Callable[[Event], None]) -> Callable[[Event], None]:
    """Print an event, but where standard output takes no more: live audio waits for no reader."""

    def print_or_warn(event: Event) -> None:
        if takes_more(1):  # a line, or it is broken and will say so
            print_event(event)
        else:
            log.warning("standard output is full: the trigger at %.1f s is not printed", event.stream_time)

    return print_or_warn


def takes_more(descriptor: int) -> bool:
    """Whether writing to a pipe or terminal would not wait for its reader."""
    if sys.platform == "win32":  # it cannot tell
        return True
    output = select.poll()
    output.register(descriptor, select.POLLOUT)
    return bool(output.poll(0))
