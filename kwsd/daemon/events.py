"""The events that kwsd reports: a keyword, and what was said after it."""

import json
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class Event:
    """A detection of the keyword."""

    keyword: str
    posterior: float
    stream_time: float  # seconds of audio since the start of the stream
    time: datetime  # when the keyword was said, with its time zone
    model: str  # file name

    def fields(self) -> dict[str, object]:
        """The event as it is written in JSON: ``{"event": "trigger", ...}``."""
        return {
            "event": "trigger",
            "keyword": self.keyword,
            "posterior": round(self.posterior, 6),
            "stream_time": round(self.stream_time, 3),
            "time": self.time.isoformat(timespec="milliseconds"),
            "model": self.model,
        }

    def json(self) -> str:
        """The event as a line of JSON, without a line break."""
        return json.dumps(self.fields())

    def environment(self) -> dict[str, str]:
        """The event as environment variables for a hook."""
        return {
            "KWSD_KEYWORD": self.keyword,
            "KWSD_POSTERIOR": f"{self.posterior:.6f}",
            "KWSD_STREAM_TIME": f"{self.stream_time:.3f}",
            "KWSD_TIME": self.time.isoformat(timespec="milliseconds"),
        }


@dataclass(frozen=True)
class CommandEvent:
    """What was said after a keyword."""

    keyword: str
    start: float  # stream time in seconds, with the pre-roll
    end: float
    ended: str  # why it ended: "silence", "nothing said", "limit", "gap" (audio is missing) or "end"
    time: datetime  # when it started, with its time zone

    def json(self) -> str:
        """The event as a line of JSON, without a line break: ``{"event": "command", ...}``."""
        return json.dumps(
            {
                "event": "command",
                "keyword": self.keyword,
                "start": round(self.start, 3),
                "end": round(self.end, 3),
                "ended": self.ended,
                "time": self.time.isoformat(timespec="milliseconds"),
            }
        )
