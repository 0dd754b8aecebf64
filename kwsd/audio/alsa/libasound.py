"""Records from ALSA devices by calling libasound through ctypes.

kwsd does not use PortAudio on Linux. PortAudio itself uses libasound, opens every device to list them, omits
devices that are in use, knows only some ALSA names, and has global state that a hanging sound server blocks
forever. Here devices share no state: if one hangs, another can still be opened.
"""

import ctypes
import errno
import functools
import logging
import os
import re
import sys
from contextlib import suppress
from ctypes import POINTER, byref, c_char_p, c_int, c_long, c_uint, c_ulong, c_void_p
from pathlib import Path
from typing import Any, Self

from kwsd.audio.alsa.holders import LIST_COMMAND, holders
from kwsd.audio.quiet import libraries_silenced
from kwsd.errors import AbsentError, AudioError, BusyError
from kwsd.pcm import SAMPLE_RATE

SUSPENDED = 86  # errno.ESTRPIPE, which Python defines on Linux only

# constants of alsa/pcm.h
CAPTURE, NONBLOCK = 1, 1
INTERLEAVED = 3
INT16 = 2 if sys.byteorder == "little" else 3
HARDWARE = 0  # type of a PCM that is a card without a plugin

# Hz, in order of preference: the rate of kwsd, then those with the least loss and cost of resampling
RATES = (SAMPLE_RATE, 48_000, 32_000, 96_000, 44_100, 24_000, 22_050, 192_000, 88_200, 176_400)
MAX_CHANNELS = 8  # to open if the card lets us choose; a card with a fixed number is opened with all
BUFFER_SECONDS = 1.0  # of audio that the device buffers, in case the reader is late
MIN_READS = 4  # per buffer

log = logging.getLogger(__name__)

_ERROR_HANDLER = ctypes.CFUNCTYPE(None, c_char_p, c_int, c_char_p, c_int, c_char_p)
_POINTER = POINTER(c_void_p)
_SIGNATURES: dict[str, list[Any]] = {
    "snd_strerror": [c_int],
    "snd_lib_error_set_handler": [_ERROR_HANDLER],
    "snd_config_update": [],
    "snd_config_update_free_global": [],
    "snd_config_search": [c_void_p, c_char_p, _POINTER],
    "snd_config_get_id": [c_void_p, POINTER(c_char_p)],
    "snd_config_iterator_first": [c_void_p],
    "snd_config_iterator_next": [c_void_p],
    "snd_config_iterator_end": [c_void_p],
    "snd_config_iterator_entry": [c_void_p],
    "snd_config_top": [_POINTER],
    "snd_config_load": [c_void_p, c_void_p],
    "snd_config_delete": [c_void_p],
    "snd_input_stdio_open": [_POINTER, c_char_p, c_char_p],
    "snd_input_close": [c_void_p],
    "snd_card_next": [POINTER(c_int)],
    "snd_card_get_index": [c_char_p],
    "snd_ctl_open": [_POINTER, c_char_p, c_int],
    "snd_ctl_close": [c_void_p],
    "snd_ctl_card_info_malloc": [_POINTER],
    "snd_ctl_card_info_free": [c_void_p],
    "snd_ctl_card_info": [c_void_p, c_void_p],
    "snd_ctl_card_info_get_id": [c_void_p],
    "snd_ctl_card_info_get_name": [c_void_p],
    "snd_ctl_pcm_next_device": [c_void_p, POINTER(c_int)],
    "snd_ctl_pcm_info": [c_void_p, c_void_p],
    "snd_pcm_info_malloc": [_POINTER],
    "snd_pcm_info_free": [c_void_p],
    "snd_pcm_info": [c_void_p, c_void_p],
    "snd_pcm_info_set_device": [c_void_p, c_uint],
    "snd_pcm_info_set_stream": [c_void_p, c_int],
    "snd_pcm_info_get_card": [c_void_p],
    "snd_pcm_info_get_device": [c_void_p],
    "snd_pcm_info_get_name": [c_void_p],
    "snd_pcm_open": [_POINTER, c_char_p, c_int, c_int],
    "snd_pcm_close": [c_void_p],
    "snd_pcm_type": [c_void_p],
    "snd_pcm_start": [c_void_p],
    "snd_pcm_avail": [c_void_p],
    "snd_pcm_readi": [c_void_p, c_void_p, c_ulong],
    "snd_pcm_recover": [c_void_p, c_int, c_int],
    "snd_pcm_hw_params": [c_void_p, c_void_p],
    "snd_pcm_hw_params_malloc": [_POINTER],
    "snd_pcm_hw_params_free": [c_void_p],
    "snd_pcm_hw_params_any": [c_void_p, c_void_p],
    "snd_pcm_hw_params_test_access": [c_void_p, c_void_p, c_int],
    "snd_pcm_hw_params_set_access": [c_void_p, c_void_p, c_int],
    "snd_pcm_hw_params_test_format": [c_void_p, c_void_p, c_int],
    "snd_pcm_hw_params_set_format": [c_void_p, c_void_p, c_int],
    "snd_pcm_hw_params_get_channels_min": [c_void_p, POINTER(c_uint)],
    "snd_pcm_hw_params_get_channels_max": [c_void_p, POINTER(c_uint)],
    "snd_pcm_hw_params_set_channels": [c_void_p, c_void_p, c_uint],
    "snd_pcm_hw_params_set_rate_resample": [c_void_p, c_void_p, c_uint],
    "snd_pcm_hw_params_test_rate": [c_void_p, c_void_p, c_uint, c_int],
    "snd_pcm_hw_params_set_rate_near": [c_void_p, c_void_p, POINTER(c_uint), POINTER(c_int)],
    "snd_pcm_hw_params_set_buffer_time_near": [c_void_p, c_void_p, POINTER(c_uint), POINTER(c_int)],
    "snd_pcm_hw_params_set_period_time_near": [c_void_p, c_void_p, POINTER(c_uint), POINTER(c_int)],
}
_RESULTS: dict[str, Any] = {
    "snd_strerror": c_char_p,
    "snd_ctl_card_info_get_id": c_char_p,
    "snd_ctl_card_info_get_name": c_char_p,
    "snd_pcm_info_get_name": c_char_p,
    "snd_config_iterator_first": c_void_p,
    "snd_config_iterator_next": c_void_p,
    "snd_config_iterator_end": c_void_p,
    "snd_config_iterator_entry": c_void_p,
    "snd_pcm_avail": c_long,
    "snd_pcm_readi": c_long,
}


class AlsaError(AudioError):
    """libasound returned an error. `code` is an errno."""

    def __init__(self, text: str, code: int) -> None:
        super().__init__(text)
        self.code = code


class AbsentDeviceError(AlsaError, AbsentError):
    """There is no such device, at least at the moment."""


class BusyDeviceError(AlsaError, BusyError):
    """Another program records from the device and does not share it."""


class Overrun(Exception):  # noqa: N818 - not an error, because reading continues
    """The buffer of the device was full before it was read, and its audio is lost."""


@functools.cache
def library() -> ctypes.CDLL:
    """Load libasound and redirect its error messages to the log. Raises AudioError if it is not installed."""
    try:
        alsa = ctypes.CDLL("libasound.so.2")
    except OSError as error:
        raise AudioError("the ALSA library is not installed: sudo apt install alsa-utils") from error
    for name, arguments in _SIGNATURES.items():
        function = getattr(alsa, name)
        function.argtypes, function.restype = arguments, _RESULTS.get(name, c_int)
    alsa.snd_lib_error_set_handler(_log_error)
    return alsa


@_ERROR_HANDLER  # type: ignore[untyped-decorator]
def _log_error(_file: bytes, _line: int, function: bytes, _error: int, text: bytes) -> None:
    """Log a message of ALSA for debugging: many report expected failures. `text` is a bare format string."""
    log.debug("ALSA: %s: %s", function.decode(errors="replace"), text.decode(errors="replace").strip())


def version() -> str:
    """The version of libasound. Raises AudioError if it is not installed."""
    function = library().snd_asoundlib_version
    function.restype = c_char_p
    text: bytes = function()
    return text.decode()


def read_configuration() -> None:
    """Read ALSA's configuration again, because it changes when cards are added or removed.

    Raises AudioError, naming the file, if it cannot be read.
    """
    alsa = library()
    alsa.snd_config_update_free_global()
    code = alsa.snd_config_update()
    if code < 0:
        files = [path for path in _configuration_files() if _is_broken(path)]
        where = " and ".join(map(str, files)) or "~/.asoundrc and /etc/asound.conf"
        raise AlsaError(f"ALSA cannot read its configuration: {_strerror(code)}: check {where}", -code)


def _configuration_files() -> list[Path]:
    """The configuration files that users write."""
    home = Path(os.path.expanduser("~"))  # noqa: PTH111 - Path.home raises without one
    settings = Path(os.environ.get("XDG_CONFIG_HOME") or home / ".config")
    given = os.environ.get("ALSA_CONFIG_PATH", "").split(":")
    return [
        home / ".asoundrc",
        settings / "alsa/asoundrc",
        Path("/etc/asound.conf"),
        *sorted(Path("/etc/alsa/conf.d").glob("*.conf")),
        *(Path(path) for path in given if path),
    ]


def _is_broken(path: Path) -> bool:
    """Whether this file exists but ALSA cannot parse it."""
    alsa = library()
    text, top = c_void_p(), c_void_p()
    if not path.is_file() or alsa.snd_input_stdio_open(byref(text), os.fsencode(path), b"r") < 0:
        return False
    alsa.snd_config_top(byref(top))
    try:
        broken: bool = alsa.snd_config_load(top, text) < 0
        return broken
    finally:
        alsa.snd_config_delete(top)
        alsa.snd_input_close(text)


def configured_names() -> list[str]:
    """The names of PCMs in ALSA's configuration, without their arguments: default, hw, plughw, ..."""
    alsa = library()
    top, pcms, name = c_void_p.in_dll(alsa, "snd_config"), c_void_p(), c_char_p()
    if not top or alsa.snd_config_search(top, b"pcm", byref(pcms)) < 0:
        return []
    names = []
    at, end = alsa.snd_config_iterator_first(pcms), alsa.snd_config_iterator_end(pcms)
    while at != end:
        if alsa.snd_config_get_id(alsa.snd_config_iterator_entry(at), byref(name)) == 0 and name.value:
            names.append(os.fsdecode(name.value))
        at = alsa.snd_config_iterator_next(at)
    return names


def cards() -> list[tuple[str, str]]:
    """ALSA name and description of each device of a sound card that can record."""
    alsa = library()
    number, found = c_int(-1), []
    card, pcm = c_void_p(), c_void_p()
    alsa.snd_ctl_card_info_malloc(byref(card))
    alsa.snd_pcm_info_malloc(byref(pcm))
    while alsa.snd_card_next(byref(number)) == 0 and number.value >= 0:
        control, device = c_void_p(), c_int(-1)
        if alsa.snd_ctl_open(byref(control), b"hw:%d" % number.value, NONBLOCK) < 0:
            continue
        if alsa.snd_ctl_card_info(control, card) == 0:
            identity = os.fsdecode(alsa.snd_ctl_card_info_get_id(card))
            title = os.fsdecode(alsa.snd_ctl_card_info_get_name(card))
            while alsa.snd_ctl_pcm_next_device(control, byref(device)) == 0 and device.value >= 0:
                alsa.snd_pcm_info_set_device(pcm, device.value)
                alsa.snd_pcm_info_set_stream(pcm, CAPTURE)
                if alsa.snd_ctl_pcm_info(control, pcm) == 0:
                    what = os.fsdecode(alsa.snd_pcm_info_get_name(pcm))
                    found.append((f"plughw:CARD={identity},DEV={device.value}", f"{title}, {what}"))
        alsa.snd_ctl_close(control)
    alsa.snd_pcm_info_free(pcm)
    alsa.snd_ctl_card_info_free(card)
    return found


class Pcm:
    """An ALSA device that is open for recording. All methods may raise AlsaError."""

    # set by `configure`
    rate = 0  # Hz
    channels = 0
    latency = 0.0  # seconds between two reads

    def __init__(self, name: str) -> None:
        self.name = name
        self._alsa = library()
        self._handle, self._parameters = c_void_p(), c_void_p()
        with libraries_silenced():  # a plugin may use a library that prints errors
            failed = self._alsa.snd_pcm_open(byref(self._handle), os.fsencode(name), CAPTURE, NONBLOCK)
        self._check(failed)
        self._alsa.snd_pcm_hw_params_malloc(byref(self._parameters))
        try:
            self._set("any")
        except AlsaError:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        if self._handle:
            self._alsa.snd_pcm_hw_params_free(self._parameters)
            self._alsa.snd_pcm_close(self._handle)
            self._handle = c_void_p()

    @property
    def gives_int16(self) -> bool:
        """Whether it delivers interleaved int16 without conversion."""
        return self._test("access", INTERLEAVED) and self._test("format", INT16)

    @property
    def channel_range(self) -> tuple[int, int]:
        """The minimum and maximum number of channels."""
        least, most = c_uint(), c_uint()
        self._check(self._alsa.snd_pcm_hw_params_get_channels_min(self._parameters, byref(least)))
        self._check(self._alsa.snd_pcm_hw_params_get_channels_max(self._parameters, byref(most)))
        return least.value, most.value

    @property
    def is_card(self) -> bool:
        """Whether it is a card without a plugin."""
        return bool(self._alsa.snd_pcm_type(self._handle) == HARDWARE)

    @property
    def card(self) -> str | None:
        """ALSA name of the card behind it; None if unknown."""
        information = c_void_p()
        self._alsa.snd_pcm_info_malloc(byref(information))
        try:
            if self._alsa.snd_pcm_info(self._handle, information) < 0:
                return None
            number = self._alsa.snd_pcm_info_get_card(information)
            device = self._alsa.snd_pcm_info_get_device(information)
            return f"hw:{number},{device}" if number >= 0 else None
        finally:
            self._alsa.snd_pcm_info_free(information)

    def configure(self, channels: int, latency: float) -> None:
        """Set the device up for int16 at a native sample rate, and for a read every `latency` seconds."""
        self._set("set_access", INTERLEAVED)
        self._set("set_format", INT16)
        self._set("set_channels", channels)
        self._set("set_rate_resample", 0)  # kwsd's resampler is better than ALSA's
        self.rate = self._set_near("rate", next((r for r in RATES if self._test("rate", r, 0)), SAMPLE_RATE))
        buffer = self._set_near("buffer_time", round(max(BUFFER_SECONDS, MIN_READS * latency) * 1e6))
        period = min(round(latency * 1e6), buffer // MIN_READS)
        self._set_near("period_time", period)
        self._check(self._alsa.snd_pcm_hw_params(self._handle, self._parameters))
        self.channels, self.latency = channels, period / 1e6
        self._capacity = self.rate * buffer // 1_000_000  # maximum number of frames per read
        self._buffer = ctypes.create_string_buffer(2 * channels * self._capacity)
        self._frames = memoryview(self._buffer)

    def start(self) -> None:
        self._check(self._alsa.snd_pcm_start(self._handle))

    def read(self) -> memoryview:
        """The frames recorded so far, interleaved int16; empty if there are none. Never waits.

        The memory is valid until the next call. Raises Overrun if frames were lost, after which the next read
        continues, and AlsaError if the device was removed.
        """
        try:
            count = min(self._check(self._alsa.snd_pcm_avail(self._handle)), self._capacity)
            if count:
                count = self._check(self._alsa.snd_pcm_readi(self._handle, self._buffer, count))
        except AlsaError as error:
            if error.code == errno.EAGAIN:
                return self._frames[:0]
            if error.code not in (errno.EPIPE, SUSPENDED):
                raise
            self._check(self._alsa.snd_pcm_recover(self._handle, -error.code, 1))
            self.start()
            raise Overrun from error
        return self._frames[: 2 * self.channels * count]

    def _set(self, what: str, *values: int) -> None:
        """Set a hardware parameter."""
        function = getattr(self._alsa, f"snd_pcm_hw_params_{what}")
        self._check(function(self._handle, self._parameters, *values))

    def _set_near(self, what: str, value: int) -> int:
        """Set a hardware parameter to the supported value nearest to `value`, and return that."""
        near = c_uint(value)
        function = getattr(self._alsa, f"snd_pcm_hw_params_set_{what}_near")
        self._check(function(self._handle, self._parameters, byref(near), None))
        return near.value

    def _test(self, what: str, *values: int) -> bool:
        """Whether the device supports this value of a hardware parameter."""
        function = getattr(self._alsa, f"snd_pcm_hw_params_test_{what}")
        return bool(function(self._handle, self._parameters, *values) == 0)

    def _check(self, code: int) -> int:
        """Return the result of a call, or raise AlsaError if it is an error code."""
        if code >= 0:
            return code
        raise _error(self.name, -code)


def open_pcm(name: str, latency: float, channel: int | None = None) -> Pcm:
    """Open the device with this ALSA name and all its channels, to be read every `latency` seconds.

    The device of a sound server accepts any number of channels: it is opened with `channel` channels, or with
    one. If a device does not deliver interleaved int16, ALSA's plug plugin converts its audio.
    Raises AlsaError.
    """
    channels = _own_channels(name, channel or 1)
    pcm = Pcm(name)
    try:
        if not pcm.gives_int16:
            pcm.close()
            quote = '"' if "'" in name else "'"
            pcm = Pcm(f"plug:SLAVE={quote}{name}{quote}")
            pcm.name = name
        pcm.configure(channels, latency)
    except AudioError:
        pcm.close()
        raise
    return pcm


def _own_channels(name: str, wanted: int) -> int:
    """Number of channels of the hardware behind a name; `wanted` for a sound server, which accepts any."""
    with Pcm(name) as pcm:
        least, most = pcm.channel_range
        if least == most or pcm.is_card:
            return max(least, min(most, MAX_CHANNELS))
        card = pcm.card
    if card is not None:
        with suppress(AudioError):  # the card is in use through a plugin that shares it
            return _own_channels(card, wanted)
    return max(least, min(wanted, most))


def _strerror(code: int) -> str:
    text: bytes = library().snd_strerror(code)
    return text.decode(errors="replace")


def _card_number(name: str) -> int | None:
    """Number of the card in a name such as hw:1,0 or plughw:CARD=Device; None if there is none."""
    card = re.match(r"\w+:(?:.*CARD=)?([^,]+)", name)
    number = library().snd_card_get_index(card[1].encode()) if card else -1
    return number if number >= 0 else None


def _error(name: str, code: int) -> AlsaError:
    """The exception for an errno, with a message for the user."""
    if code == errno.EBUSY:
        who = ", ".join(map(str, holders(_card_number(name)))) or f"another program ({LIST_COMMAND} shows it)"
        return BusyDeviceError(f"the microphone {name!r} is in use by {who}", code)
    if code in (errno.ENOENT, errno.ENODEV, errno.ENXIO):
        return AbsentDeviceError(f"the microphone {name!r} is not connected", code)
    if code in (errno.EACCES, errno.EPERM):
        fix = "sudo usermod -aG audio $USER, and log in again"
        return AlsaError(f"no permission to open the microphone {name!r}: {fix}", code)
    return AlsaError(f"cannot open the microphone {name!r}: {_strerror(-code)}", code)
