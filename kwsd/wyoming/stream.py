"""Detects words in the audio that a client sends between audio-start and audio-stop."""

from collections import deque
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from kwsd.pcm import Int16, Samples
from kwsd.runtime.detector import FINAL_SILENCE_SAMPLES, Detector
from kwsd.runtime.spotter import Trigger
from kwsd.wyoming.pcm_format import Converter, PcmFormat

REMEMBERED_SECONDS = 2.0  # for which timestamps are kept: longer than a trigger may wait for another word


class Chunk(NamedTuple):
    """Audio that a client sent."""

    audio: bytes
    """Whole frames."""

    pcm_format: PcmFormat

    timestamp: float | None
    """The client's own, in any unit and from any beginning."""

    @property
    def seconds(self) -> float:
        return len(self.audio) / self.pcm_format.bytes_per_second


class Heard(NamedTuple):
    """A word that was detected."""

    name: str
    posterior: float
    timestamp: float
    """Of the chunk at whose end it was detected, or milliseconds of audio if the client gives none."""


class AudioStream:
    """Audio from its start to its stop. It may change its format in between."""

    def __init__(self, detector: Detector | None) -> None:
        """detector: a new one; None if none of the words that the client wants is offered."""
        self._detector = detector
        if detector:
            detector.warm_up()  # the audio may begin inside a word
        self._converter: Converter | None = None
        self._format: PcmFormat | None = None
        self._seconds = 0.0  # of audio so far
        self._chunks: deque[tuple[float, float | None]] = deque()  # the end of each, and its timestamp
        self.detected = False

    def push(self, chunks: Iterable[Chunk]) -> list[Heard]:
        """The words detected in the next audio."""
        heard: list[Heard] = []
        audio: list[bytes] = []
        for chunk in chunks:
            if chunk.pcm_format != self._format:
                heard += self._feed(b"".join(audio))
                heard += self._change_format(chunk.pcm_format)
                audio = []
            audio.append(chunk.audio)
            self._seconds += chunk.seconds
            self._chunks.append((self._seconds, chunk.timestamp))
        return heard + self._feed(b"".join(audio))

    def finish(self) -> list[Heard]:
        """The words detected at the end of the audio: silence follows, so that its last word can trigger."""
        heard = self._change_format(None)
        return heard + self._detect(np.zeros(FINAL_SILENCE_SAMPLES, np.int16))

    def _change_format(self, pcm_format: PcmFormat | None) -> list[Heard]:
        """Take what is left in the converter, and go on with another one."""
        heard = self._detect(self._converter.push(b"", last=True)) if self._converter else []
        self._format, self._converter = pcm_format, Converter(pcm_format) if pcm_format else None
        return heard

    def _feed(self, audio: bytes) -> list[Heard]:
        return self._detect(self._converter.push(audio)) if audio and self._converter else []

    def _detect(self, samples: Samples | Int16) -> list[Heard]:
        if self._detector is None:
            self._chunks.clear()
            return []
        heard = [self._heard(trigger) for trigger in self._detector.feed(samples)]
        while len(self._chunks) > 1 and self._chunks[0][0] < self._seconds - REMEMBERED_SECONDS:
            self._chunks.popleft()
        self.detected = self.detected or bool(heard)
        return heard

    def _heard(self, trigger: Trigger) -> Heard:
        ends = (chunk for chunk in self._chunks if chunk[0] >= trigger.stream_time)
        _, timestamp = next(ends, self._chunks[-1] if self._chunks else (0.0, None))
        if timestamp is None:
            timestamp = round(1000 * trigger.stream_time)
        return Heard(trigger.keyword, trigger.posterior, timestamp)
