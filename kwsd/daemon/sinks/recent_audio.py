"""The last seconds of audio, from which clips and spoken commands are cut."""

from collections import deque

import numpy as np

from kwsd.pcm import SAMPLE_RATE, Int16, Samples, to_int16

# samples kept beyond what is asked for, because more audio may have come since a trigger: the rest of its
# chunk and, if it waited for another word, 0.4 s more (see runtime/arbitration.py)
MARGIN_SAMPLES = 2 * SAMPLE_RATE


class RecentAudio:
    """Keeps the newest audio of the stream, as int16."""

    def __init__(self, seconds: float) -> None:
        """seconds: how much audio before a trigger is needed."""
        self.position = 0  # samples since the start of the stream, with those in gaps
        self._kept = round(seconds * SAMPLE_RATE) + MARGIN_SAMPLES
        self._chunks: deque[Int16] = deque()
        self._buffered = 0  # samples in `_chunks`

    def push(self, samples: Samples) -> None:
        """Keep the next chunk, shape (n,), and drop what is too old."""
        if not len(samples):  # without a microphone there may be empty chunks for hours
            return
        chunk = to_int16(samples)
        self._chunks.append(chunk)
        self._buffered += len(chunk)
        self.position += len(chunk)
        while self._buffered - len(self._chunks[0]) >= self._kept:
            self._buffered -= len(self._chunks.popleft())

    def gap(self, seconds: float) -> None:
        """Forget the audio before a gap, so that nothing that is cut spans the gap."""
        self.position += round(seconds * SAMPLE_RATE)
        self._chunks.clear()
        self._buffered = 0

    def between(self, start: int, end: int) -> Int16:
        """The samples from one position to another, or as many of them as are kept."""
        first = self.position - self._buffered
        audio = np.concatenate([np.zeros(0, np.int16), *self._chunks])
        return audio[max(0, start - first) : max(0, end - first)]
