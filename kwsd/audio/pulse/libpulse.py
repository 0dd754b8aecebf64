"""The functions and structures of libpulse that kwsd uses, declared for ctypes.

libpulse is the client library of PulseAudio; it also works with PipeWire (pipewire-pulse). Its functions
return at once: all work happens while its main loop is iterated.
"""

import ctypes
import functools
import sys
from ctypes import POINTER, c_char_p, c_int, c_size_t, c_uint8, c_uint32, c_uint64, c_void_p
from typing import Any

from kwsd.errors import AudioError

# pa_context_state, pa_stream_state
CONTEXT_READY, CONTEXT_FAILED = 4, 5
STREAM_READY, STREAM_FAILED = 2, 3
# pa_context_flags, pa_stream_flags
NO_AUTOSPAWN = 0x0001
NO_REMIX_CHANNELS, DONT_MOVE, ADJUST_LATENCY = 0x0020, 0x0200, 0x2000
# pa_subscription_mask
ABOUT_SOURCES, ABOUT_SERVER = 0x0002, 0x0080

NOT_ALLOWED, NOT_THERE = (1, 9), (6, 13)  # pa_error_code: denied or no key; refused or no entity
INT16 = 3 if sys.byteorder == "little" else 4  # pa_sample_format
SUSPENDED = 2  # pa_source_state
NONE = 0xFFFFFFFF  # PA_INVALID_INDEX; in a BufferAttr: the server decides
MOST_CHANNELS = 32  # PA_CHANNELS_MAX


class SampleSpec(ctypes.Structure):
    """pa_sample_spec."""

    _fields_ = (("format", c_int), ("rate", c_uint32), ("channels", c_uint8))


class ChannelMap(ctypes.Structure):
    """pa_channel_map."""

    _fields_ = (("channels", c_uint8), ("map", c_int * MOST_CHANNELS))


class Volume(ctypes.Structure):
    """pa_cvolume."""

    _fields_ = (("channels", c_uint8), ("values", c_uint32 * MOST_CHANNELS))


class BufferAttr(ctypes.Structure):
    """pa_buffer_attr, in bytes."""

    _fields_ = tuple((name, c_uint32) for name in ("maxlength", "tlength", "prebuf", "minreq", "fragsize"))


class SourceInfo(ctypes.Structure):
    """The first fields of pa_source_info."""

    _fields_ = (
        ("name", c_char_p),
        ("index", c_uint32),
        ("description", c_char_p),
        ("sample_spec", SampleSpec),
        ("channel_map", ChannelMap),
        ("owner_module", c_uint32),
        ("volume", Volume),
        ("mute", c_int),
        ("monitor_of_sink", c_uint32),
        ("monitor_of_sink_name", c_char_p),
        ("latency", c_uint64),
        ("driver", c_char_p),
        ("flags", c_int),
        ("proplist", c_void_p),
        ("configured_latency", c_uint64),
        ("base_volume", c_uint32),
        ("state", c_int),
    )


class ServerInfo(ctypes.Structure):
    """The first fields of pa_server_info."""

    _fields_ = (
        ("user_name", c_char_p),
        ("host_name", c_char_p),
        ("server_version", c_char_p),
        ("server_name", c_char_p),
        ("sample_spec", SampleSpec),
        ("default_sink_name", c_char_p),
        ("default_source_name", c_char_p),
    )


# callbacks; the arguments are the context, the information, ..., and user data
ON_SOURCE = ctypes.CFUNCTYPE(None, c_void_p, POINTER(SourceInfo), c_int, c_void_p)
ON_SERVER = ctypes.CFUNCTYPE(None, c_void_p, POINTER(ServerInfo), c_void_p)
ON_EVENT = ctypes.CFUNCTYPE(None, c_void_p, c_int, c_uint32, c_void_p)

FUNCTIONS: dict[str, tuple[Any, ...]] = {  # name: type of the result, types of the arguments
    "mainloop_new": (c_void_p,),
    "mainloop_free": (None, c_void_p),
    "mainloop_get_api": (c_void_p, c_void_p),
    "mainloop_prepare": (c_int, c_void_p, c_int),
    "mainloop_poll": (c_int, c_void_p),
    "mainloop_dispatch": (c_int, c_void_p),
    "mainloop_iterate": (c_int, c_void_p, c_int, c_void_p),
    "context_new": (c_void_p, c_void_p, c_char_p),
    "context_unref": (None, c_void_p),
    "context_connect": (c_int, c_void_p, c_char_p, c_int, c_void_p),
    "context_disconnect": (None, c_void_p),
    "context_get_state": (c_int, c_void_p),
    "context_errno": (c_int, c_void_p),
    "context_set_subscribe_callback": (None, c_void_p, ON_EVENT, c_void_p),
    "context_subscribe": (c_void_p, c_void_p, c_int, c_void_p, c_void_p),
    "context_get_source_info_list": (c_void_p, c_void_p, ON_SOURCE, c_void_p),
    "context_get_server_info": (c_void_p, c_void_p, ON_SERVER, c_void_p),
    "operation_get_state": (c_int, c_void_p),
    "operation_cancel": (None, c_void_p),
    "operation_unref": (None, c_void_p),
    "stream_new": (c_void_p, c_void_p, c_char_p, POINTER(SampleSpec), POINTER(ChannelMap)),
    "stream_unref": (None, c_void_p),
    "stream_connect_record": (c_int, c_void_p, c_char_p, POINTER(BufferAttr), c_int),
    "stream_disconnect": (c_int, c_void_p),
    "stream_get_state": (c_int, c_void_p),
    "stream_get_device_name": (c_char_p, c_void_p),
    "stream_readable_size": (c_size_t, c_void_p),
    "stream_peek": (c_int, c_void_p, POINTER(c_void_p), POINTER(c_size_t)),
    "stream_drop": (c_int, c_void_p),
    "strerror": (c_char_p, c_int),
    "get_library_version": (c_char_p,),
}


def is_installed() -> bool:
    """Whether libpulse can be loaded."""
    try:
        libpulse()
    except AudioError:
        return False
    return True


@functools.cache
def libpulse() -> Any:
    """An object with the functions above as methods. Raises AudioError if libpulse is not installed."""
    try:
        library = ctypes.CDLL("libpulse.so.0")
    except OSError as error:
        raise AudioError("the PulseAudio library is not installed: sudo apt install libpulse0") from error
    functions = {}
    for name, (result, *arguments) in FUNCTIONS.items():
        function = library[f"pa_{name}"]
        function.restype, function.argtypes = result, arguments
        functions[name] = staticmethod(function)
    return type("Libpulse", (), functions)
