"""The spoken lines of the game "Beneath a Steel Sky".

`sky.dnr` is the index of the files in `sky.dsk`. Files from number 50,000 on are speech: a header, then
unsigned 8-bit samples at 11,025 Hz, packed by Rob Northen's method 1 (Huffman codes for the number of raw
bytes and for copies of earlier bytes).
"""

from collections.abc import Iterator

SPEECH = range(50_000, 60_000)
HEADER, PACKED_HEADER = 22, 18  # bytes
CODES, LENGTH, COUNT = 5, 4, 16  # bits of: the number of codes, a code's length, the number of runs


class Bits:
    """Reads bits from 16-bit words, lowest bit first. Raw bytes follow the word that was read last."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at, self.word, self.left = data, 0, 0, 0

    def bit(self) -> int:
        if not self.left:
            self.word, self.left = int.from_bytes(self.data[self.at : self.at + 2], "little"), 16
            self.at += 2
        bit = self.word & 1
        self.word >>= 1
        self.left -= 1
        return bit

    def number(self, bits: int) -> int:
        value = 0
        for place in range(bits):
            value |= self.bit() << place
        return value

    def raw(self, count: int) -> bytes:
        self.at += count
        return self.data[self.at - count : self.at]

    def table(self) -> dict[tuple[int, int], int]:
        """Read a table of canonical Huffman codes: the value of each (length, code)."""
        lengths = [self.number(LENGTH) for _ in range(self.number(CODES))]
        table, code = {}, 0
        for length in range(1, 1 << LENGTH):
            for value, code_length in enumerate(lengths):
                if code_length == length:
                    table[length, code] = value
                    code += 1
            code <<= 1
        return table

    def value(self, table: dict[tuple[int, int], int]) -> int:
        length, code = 1, self.bit()
        while (length, code) not in table:
            length, code = length + 1, code << 1 | self.bit()
            if length > 1 << LENGTH:
                raise ValueError("no such code")
        bits = table[length, code]
        return bits if bits < 2 else self.number(bits - 1) | 1 << (bits - 1)


def unpacked(packed: bytes) -> bytes:
    """Unpack a file: blocks of runs, each of raw bytes and, except for the last, a copy of earlier bytes."""
    blocks = packed[PACKED_HEADER - 1]
    bits, out = Bits(packed[PACKED_HEADER:]), bytearray()
    bits.number(2)
    for _ in range(blocks):
        raw, distance, length = bits.table(), bits.table(), bits.table()
        runs = bits.number(COUNT)
        for run in range(runs):
            out += bits.raw(bits.value(raw))
            if run < runs - 1:
                back, count = bits.value(distance) + 1, bits.value(length) + 2
                earlier = out[-back:]  # shorter than the copy where the copy repeats itself
                out += (earlier * (count // len(earlier) + 1))[:count]
    return bytes(out)


def files(index: bytes, disk: bytes) -> dict[int, bytes]:
    """Every file of the game by its number."""
    found = {}
    for entry in range(4, len(index), 8):
        number, place, size = (
            int.from_bytes(index[entry + lo : entry + hi], "little") for lo, hi in ((0, 2), (2, 5), (5, 8))
        )
        start = (place & 0x7FFFFF) << (4 if place & 0x800000 else 0)
        found[number] = disk[start : start + (size & 0x3FFFFF)]
    return found


def is_speech(number: int, data: bytes) -> bool:
    """Whether a file is a spoken line. Pictures have such numbers, too; their header begins with zeros."""
    return number in SPEECH and data[HEADER:].startswith(b"RNC") and any(data[2:8])


def lines(index: bytes, disk: bytes) -> Iterator[tuple[int, bytes]]:
    """The samples of every spoken line, by its number. Takes a minute."""
    for number, data in files(index, disk).items():
        if is_speech(number, data):
            yield number, unpacked(data[HEADER:])
