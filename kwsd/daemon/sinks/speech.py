"""Tells speech from other sounds, with the microVAD network (package pymicro-vad)."""

import importlib.util

from kwsd.errors import UsageError
from kwsd.pcm import SAMPLE_RATE, Int16

FRAME = SAMPLE_RATE // 100  # samples that are judged at once, 10 ms
THRESHOLD = 0.5  # of the network's probability of speech
HANGOVER = 0.5  # seconds that it still reports speech after speech has ended (docs/experiments)


def check_installed() -> None:
    """Raise UsageError if the package is not installed."""
    if importlib.util.find_spec("pymicro_vad") is None:
        raise UsageError(
            "--on-command and --save-commands need pymicro-vad: pip install pymicro-vad or, if kwsd was "
            "installed with pipx, pipx inject kwsd pymicro-vad"
        )


class SpeechDetector:
    """Judges a stream of audio, 10 ms at a time."""

    def __init__(self) -> None:
        from pymicro_vad import MicroVad

        self._network = MicroVad()

    def push(self, frame: Int16) -> bool:
        """Whether there is speech in the next frame, shape (FRAME,)."""
        probability: float = self._network.process_10ms(frame.tobytes())  # -1 until it has heard enough
        return probability > THRESHOLD
