"""What is reported when the keyword was heard."""

import json
from dataclasses import dataclass
from datetime import datetime


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
