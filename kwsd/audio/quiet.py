"""Keeps what C libraries print on standard error from the user."""

import ctypes
import functools
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_lock = threading.Lock()
_silencers = 0  # how many there are at the moment
_kept: int | None = None  # the C stream that is put back after the last of them


@contextmanager
def libraries_silenced() -> Iterator[None]:
    """What C code prints with `fprintf(stderr, ...)` meanwhile is lost.

    The file descriptor stays as it is, so neither log lines nor programs started meanwhile are affected. Does
    nothing where the C library is not glibc, whose `stderr` is a variable.
    """
    null = _null()
    if null is None:
        yield
        return
    stream = ctypes.c_void_p.in_dll(ctypes.pythonapi, "stderr")
    global _silencers, _kept
    with _lock:  # not held meanwhile: a library may hang
        if not _silencers:
            _kept, stream.value = stream.value, null
        _silencers += 1
    try:
        yield
    finally:
        with _lock:
            _silencers -= 1
            if not _silencers:
                stream.value = _kept


@functools.cache
def _null() -> int | None:
    """A C stream that goes nowhere; None without glibc."""
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
