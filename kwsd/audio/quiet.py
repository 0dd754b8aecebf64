"""Suppresses what C libraries print on standard error."""

import ctypes
import functools
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_lock = threading.Lock()
_active = 0  # how many context managers are active
_original: int | None = None  # the C stream that the last of them restores


@contextmanager
def libraries_silenced() -> Iterator[None]:
    """Suppress what C code prints with `fprintf(stderr, ...)`.

    The file descriptor does not change, so log lines and child processes are not affected. It does nothing
    unless the C library is glibc, where `stderr` is a variable.
    """
    null = _null()
    if null is None:
        yield
        return
    stream = ctypes.c_void_p.in_dll(ctypes.pythonapi, "stderr")
    global _active, _original
    with _lock:  # not held during the yield, because a library may hang
        if not _active:
            _original, stream.value = stream.value, null
        _active += 1
    try:
        yield
    finally:
        with _lock:
            _active -= 1
            if not _active:
                stream.value = _original


@functools.cache
def _null() -> int | None:
    """A C stream that discards its input; None without glibc."""
    if sys.platform != "linux":
        return None
    try:
        if not (os.confstr("CS_GNU_LIBC_VERSION") or "").startswith("glibc"):
            return None
    except (ValueError, OSError):
        return None
    libc = ctypes.CDLL(None)
    libc.fopen.restype = ctypes.c_void_p
    stream: int | None = libc.fopen(os.devnull.encode(), b"w")
    return stream
