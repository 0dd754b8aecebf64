"""kwsd: a real-time microphone keyword-spotting daemon.

The public API is three lines::

    from kwsd import Detector
    detector = Detector.load("models/student.pt", window=20, step=8)
    triggers = detector.feed(samples)  # float32 or int16 mono at 16 kHz, any length
"""

from typing import TYPE_CHECKING, Any

from kwsd.errors import KwsdError

if TYPE_CHECKING:
    from kwsd.runtime.detector import Detector
    from kwsd.runtime.spotter import Trigger

__all__ = ["Detector", "KwsdError", "Trigger", "__version__"]
__version__: str


def __getattr__(name: str) -> Any:
    """Import modules that cost time and memory on first use, so that ``kwsd --help`` is quick."""
    if name == "Detector":
        from kwsd.runtime.detector import Detector

        return Detector
    if name == "Trigger":
        from kwsd.runtime.spotter import Trigger

        return Trigger
    if name == "__version__":
        from importlib.metadata import version

        return version("kwsd")
    raise AttributeError(f"module 'kwsd' has no attribute {name!r}")
