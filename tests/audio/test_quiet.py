"""Libraries that print are silenced, from several threads at once, and heard again afterwards."""

import ctypes

import pytest

from kwsd.audio.quiet import libraries_silenced


def print_in_c(text: bytes) -> None:
    libc = ctypes.CDLL(None)
    stream = ctypes.c_void_p.in_dll(ctypes.pythonapi, "stderr")
    libc.fputs(text, stream)
    libc.fflush(stream)


def test_the_last_of_several_silencers_ends_the_silence(capfd: pytest.CaptureFixture[str]) -> None:
    """They end in any order: one may hang in a library while another comes and goes."""
    first, second = libraries_silenced(), libraries_silenced()
    first.__enter__()
    second.__enter__()
    print_in_c(b"silenced by two\n")
    first.__exit__(None, None, None)
    print_in_c(b"silenced by one\n")
    second.__exit__(None, None, None)
    print_in_c(b"heard\n")
    assert capfd.readouterr().err == "heard\n"
