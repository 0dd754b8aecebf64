"""Postpones Ctrl-C while a C library may call back into Python.

An exception in such a callback, which `KeyboardInterrupt` is, would be printed and lost.
"""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def interrupts_postponed() -> Iterator[None]:
    """Raise KeyboardInterrupt after the block, not in it. A second Ctrl-C in the block ends the process.

    It does nothing where Ctrl-C does not raise KeyboardInterrupt: in other threads than the main thread, and
    if another handler is installed.
    """
    raises = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if not raises or threading.current_thread() is not threading.main_thread():
        yield
        return
    interrupted = False

    def postpone(_number: int, _frame: object) -> None:
        nonlocal interrupted
        interrupted = True
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # the library may hang

    signal.signal(signal.SIGINT, postpone)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        if interrupted:
            raise KeyboardInterrupt
