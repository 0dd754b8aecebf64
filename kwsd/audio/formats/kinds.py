"""Recognizes the kind of an audio file from its first bytes (magic numbers)."""

from kwsd.audio.formats.mp3 import parse_frame

HEAD_BYTES = 1 << 14  # of a file, enough to recognize its kind
MAGIC = (  # kind, offset of its magic number, and the number
    ("FLAC", 0, b"fLaC"),
    ("Ogg", 0, b"OggS"),
    ("WAV", 0, b"RIFX"),
    ("WAV", 0, b"RF64"),
    ("WAV", 0, b"BW64"),
    ("W64", 0, b"riff\x2e\x91\xcf\x11"),
    ("AVI", 8, b"AVI "),
    ("AIFF", 0, b"FORM"),
    ("AU", 0, b".snd"),
    ("CAF", 0, b"caff"),
    ("VOC", 0, b"Creative Voice File"),
    ("NIST", 0, b"NIST_1A"),
    ("MP3", 0, b"ID3"),
    ("MP4 or M4A", 4, b"ftyp"),
    ("QuickTime", 4, b"moov"),
    ("QuickTime", 4, b"mdat"),
    ("QuickTime", 4, b"wide"),
    ("WebM or Matroska", 0, b"\x1a\x45\xdf\xa3"),
    ("WMA", 0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11"),
    ("AMR", 0, b"#!AMR"),
    ("FLV", 0, b"FLV\x01"),
    ("RealAudio", 0, b".RMF"),
    ("RealAudio", 0, b".ra\xfd"),
    ("WavPack", 0, b"wvpk"),
    ("Monkey's Audio", 0, b"MAC "),
    ("True Audio", 0, b"TTA1"),
    ("Musepack", 0, b"MPCK"),
    ("Musepack", 0, b"MP+"),
    ("TAK", 0, b"tBaK"),
    ("DSF", 0, b"DSD "),
    ("DTS", 0, b"\x7f\xfe\x80\x01"),
    ("MPEG", 0, b"\x00\x00\x01\xba"),
)
AC3_BITRATES = (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384, 448, 512, 576, 640)
TS_PACKET = 188  # bytes of a packet in an MPEG transport stream, which starts with the byte "G"


def kind_of(head: bytes) -> str | None:
    """The kind of an audio file that starts with these bytes; None for raw audio and unknown kinds.

    Kinds without a magic number (MP3, AAC, AC-3, MPEG-TS) are recognized by consecutive frames, which takes
    up to 8 kB.
    """
    for kind, at, number in MAGIC:
        if head.startswith(number, at):
            return kind
    if [head[at : at + 1] for at in (0, TS_PACKET, 2 * TS_PACKET)] == [b"G"] * 3:
        return "MPEG-TS"
    framed, length = _frame(head)
    return framed if framed and framed == _frame(head[length:])[0] else None


def is_undecided(head: bytes) -> bool:
    """Whether more bytes are needed to tell whether an audio file starts with these."""
    if head[:1] == b"G" and len(head) <= 2 * TS_PACKET:
        return head[TS_PACKET : TS_PACKET + 1] in (b"G", b"")
    if len(head) < 8 and (head[:1] in (b"", b"\xff", b"\x0b") or head[:2] == bytes(len(head[:2]))):
        return True  # perhaps MP3, AAC or AC-3; zeros: perhaps the box length of MP4
    _, length = _frame(head)
    return len(head) < length + 8 * bool(length) or any(number.startswith(head) for _, _, number in MAGIC)


def _frame(head: bytes) -> tuple[str | None, int]:
    """The kind of the frame that starts with these bytes, and its length in bytes; None, 0 if none does."""
    if frame := parse_frame(head):
        return "MP3", frame.length
    if len(head) < 6:
        return None, 0
    if head[0] == 0xFF and head[1] & 0xF6 == 0xF0 and head[2] >> 2 & 15 < 13:
        return "AAC", (head[3] & 3) << 11 | head[4] << 3 | head[5] >> 5
    rate, size = head[4] >> 6, head[4] & 63
    if head[:2] == b"\x0b\x77" and rate < 3 and size < 2 * len(AC3_BITRATES):
        hertz = (48_000, 44_100, 32_000)[rate]
        words = AC3_BITRATES[size // 2] * 96_000 // hertz + (size % 2 if rate == 1 else 0)
        return "AC-3", 2 * words
    return None, 0
