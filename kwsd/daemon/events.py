"""The event that reports a detected keyword."""

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
