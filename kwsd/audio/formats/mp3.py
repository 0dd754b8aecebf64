"""Finds the length of MP3 streams, which consist of frames without a common header.

libsndfile estimates the length from the first frame, or trusts the number of frames in its "Xing" tag. Here
the frames are counted, which takes half a second for three hours of audio, and a wrong Xing tag is hidden.
"""

from dataclasses import dataclass
from itertools import zip_longest
from typing import BinaryIO

from kwsd.audio.formats.part import Part

MAX_LEAD = 1 << 13  # bytes before the first frame: a radio recording may start in the middle of one
MIN_FRAMES = 3  # consecutive frames that can hardly be a coincidence
PEEK_BYTES = 64  # read of each frame, for its header and its Xing tag

V1, V2, V25 = 3, 2, 0  # versions as coded in the frame header
RATES = {V1: (44_100, 48_000, 32_000), V2: (22_050, 24_000, 16_000), V25: (11_025, 12_000, 8_000)}  # Hz
BITRATES = {  # kbit/s, by whether it is version 1, and layer
    (True, 1): (32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (True, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (True, 3): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (False, 1): (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (False, 2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (False, 3): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}


@dataclass(frozen=True)
class Frame:
    """The header of a frame. All frames of a stream have the same kind."""

    kind: tuple[int, int, int, bool]  # version, layer, rate in Hz, mono
    length: int  # bytes
    samples: int


def parse_frame(head: bytes) -> Frame | None:
    """The frame that starts with these bytes; None if none does."""
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return None
    version, layer, rate, bitrate = head[1] >> 3 & 3, 4 - (head[1] >> 1 & 3), head[2] >> 2 & 3, head[2] >> 4
    if version == 1 or layer == 4 or rate == 3 or not 0 < bitrate < 15:
        return None
    hertz = RATES[version][rate]
    bits = BITRATES[version == V1, layer][bitrate - 1] * 1000
    samples = 384 if layer == 1 else 576 if layer == 3 and version != V1 else 1152
    slot = 4 if layer == 1 else 1  # bytes
    length = (samples // 8 * bits // hertz // slot + (head[2] >> 1 & 1)) * slot
    return Frame((version, layer, hertz, head[3] >> 6 == 3), length, samples)


def tag_length(head: bytes) -> int:
    """Bytes of the ID3 or APE tag that starts with these ten or more bytes; 0 if none does."""
    if head[:3] == b"ID3" and len(head) >= 10:
        size = 0
        for byte in head[6:10]:
            size = size << 7 | byte & 0x7F
        return 10 + size + (10 if head[5] & 0x10 else 0)
    if head[:8] == b"APETAGEX" and len(head) >= 24:
        return int.from_bytes(head[12:16], "little") + (32 if head[23] & 0x20 else 0)
    return 128 if head[:3] == b"TAG" else 0


def first_frame(file: BinaryIO, size: int) -> int | None:
    """Offset of the first frame of an MP3, after its tags; None if the file is not an MP3."""
    at = 0
    while length := tag_length(_peek(file, at)):
        at += length
    return next(
        (place for place in range(at, min(at + MAX_LEAD, size - 3)) if _has_frames(file, place, size)), None
    )


def mp3_parts(file: BinaryIO, size: int) -> list[Part]:
    """The streams in an MP3 file, without the tags between them; a joined file has several."""
    streams: list[_Stream] = []
    at: int | None = first_frame(file, size)
    fresh = True  # whether the next frame starts a stream
    while at is not None and at < size:
        head = _peek(file, at)
        if length := tag_length(head):
            at, fresh = at + length, True
            continue
        frame = parse_frame(head)
        if frame is None:
            at, fresh = _resync(file, at, size), True
            continue
        if at + frame.length > size:  # the file ends within this frame
            break
        if fresh or frame.kind != streams[-1].first.kind or _xing(head, frame):
            streams.append(_Stream(at, frame, head))
        at, fresh = at + frame.length, False
        streams[-1].stop = at
        streams[-1].count += 1
    missing = 0.0  # seconds that the last Xing tag announced and that have not been found yet
    parts = []
    for stream, following in zip_longest(streams, streams[1:]):
        missing = (stream.claimed if stream.xing else missing) - stream.seconds
        last = following is None or following.xing
        parts.append(stream.part(file, max(0.0, missing) if last else 0.0))
    return parts or [Part(0, size)]


class _Stream:
    """Consecutive frames. xing: offset of the Xing tag in the first frame; 0 if it has none."""

    def __init__(self, start: int, first: Frame, head: bytes) -> None:
        self.start, self.first, self.stop = start, first, start
        self.count = 0  # frames
        self.xing = _xing(head, first)
        self._head = head

    @property
    def seconds(self) -> float:
        """Length of the audio in the file."""
        return self._seconds(self.count - bool(self.xing))

    @property
    def claimed(self) -> float:
        """Length in seconds that the Xing tag announces."""
        frames, _ = self._xing_fields()
        return self.seconds if frames is None else self._seconds(frames)

    def part(self, file: BinaryIO, missing: float) -> Part:
        """The part for libsndfile, without the Xing tag if that is wrong.

        missing: seconds of audio that were announced but are not in the file.
        """
        size = self.stop - self.start
        if not self.xing:
            return Part(self.start, self.stop, endless=True, seconds=self.seconds + missing)
        if self._xing_fields() == (self.count - 1, size):
            return Part(self.start, self.stop)
        file.seek(self.start)
        first = file.read(self.first.length)
        head = first[: self.xing] + bytes(4) + first[self.xing + 4 :]
        seconds = self.seconds + missing
        return Part(self.start + len(first), self.stop, head, endless=True, seconds=seconds)

    def _seconds(self, frames: int) -> float:
        return frames * self.first.samples / self.first.kind[2]

    def _xing_fields(self) -> tuple[int | None, int | None]:
        """Numbers in the Xing tag: frames after the first one, and bytes; None for a missing field."""
        fields = self._head[self.xing + 4 :] if self.xing else bytes(4)
        numbers = [int.from_bytes(fields[at : at + 4], "big") for at in (4, 8)]
        frames = numbers.pop(0) if fields[3] & 1 else None
        return frames, numbers.pop(0) if fields[3] & 2 else None


def _xing(head: bytes, frame: Frame) -> int:
    """Offset of the Xing tag in a frame; 0 if it has none."""
    version, layer, _, mono = frame.kind
    at = 4 + ((17 if mono else 32) if version == V1 else (9 if mono else 17))
    return at if layer == 3 and head[at : at + 4] in (b"Xing", b"Info") else 0


def _peek(file: BinaryIO, at: int) -> bytes:
    file.seek(at)
    return file.read(PEEK_BYTES)


def _has_frames(file: BinaryIO, at: int, size: int) -> bool:
    """Whether MIN_FRAMES frames of one kind start here, or fewer up to the end of the file."""
    kind = None
    for number in range(MIN_FRAMES):
        if number and at == size:
            return True
        frame = parse_frame(_peek(file, at))
        if frame is None or kind not in (None, frame.kind):
            return False
        kind, at = frame.kind, at + frame.length
    return True


def _resync(file: BinaryIO, at: int, size: int) -> int | None:
    """The next offset at which frames or a tag start; None if there is none."""
    while at < size:
        file.seek(at)
        block = file.read(1 << 16)
        for place, byte in enumerate(block):
            tagged = block.startswith((b"ID3", b"TAG", b"APETAGEX"), place)
            if tagged or (byte == 0xFF and _has_frames(file, at + place, size)):
                return at + place
        at += len(block)
    return None
