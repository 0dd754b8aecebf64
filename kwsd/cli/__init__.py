"""The process of the ``kwsd`` command: its standard streams, its signals, its exit code.

Little is imported here, so that the signals of ``kwsd listen`` are handled from the first moment.
"""

import os
import sys
from typing import NoReturn


def main(args: list[str] | None = None) -> NoReturn:
    """Run the command line: exit code 2 for a usage error, 1 for a failure, one line each."""
    _open_closed_streams()
    signals = None
    if (sys.argv[1:] if args is None else args)[:1] == ["listen"]:
        from kwsd.daemon.signals import Signals

        signals = Signals()
    try:
        code = _run(args, signals)
    except KeyboardInterrupt:
        code = 130  # as a shell counts it
    if not _flush():
        code = code or 1
    sys.exit(code)


def _run(args: list[str] | None, signals: object) -> int | str | None:
    """Run a command, with `signals` as its context's object; give the exit code."""
    import logging

    import click

    from kwsd.cli.commands import cli
    from kwsd.daemon.logs import say
    from kwsd.errors import KwsdError

    try:
        code: int | None = cli.main(args=args, prog_name="kwsd", standalone_mode=False, obj=signals)
    except SystemExit as error:
        return error.code
    except KwsdError as error:
        say(str(error), logging.ERROR)
        return error.exit_code
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        return error.exit_code
    except click.ClickException as error:
        context = getattr(error, "ctx", None)  # of a usage error
        command = context.command_path if context else "kwsd"
        say(f"{error.format_message()} ({command} --help)", logging.ERROR)
        return error.exit_code
    except click.Abort:
        return 130  # Ctrl-C, as a shell counts it
    except MemoryError:
        say("out of memory", logging.ERROR)
        return 1
    except OSError:
        if _flush():
            raise
        return 1
    return code


def _open_closed_streams() -> None:
    """Open /dev/null for each standard stream that is closed: no other file gets its number."""
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest free number: this one
    if sys.stdout is None:
        sys.stdout = os.fdopen(1, "w", closefd=False)
    if sys.stderr is None:
        sys.stderr = sys.__stderr__ = os.fdopen(2, "w", closefd=False)  # type: ignore[misc]


def _flush() -> bool:
    """Write what Python still holds of standard output and error; drop what cannot be written.

    False, after saying so, where that is standard output: Python itself would end with exit code 120.
    """
    complete = True
    for descriptor, stream in ((1, sys.stdout), (2, sys.stderr)):
        try:
            stream.flush()
        except BrokenPipeError:
            _discard(descriptor)
        except OSError as error:
            _discard(descriptor)
            if descriptor == 1:
                import logging

                from kwsd.daemon.logs import say

                complete = False
                say(f"cannot write to standard output: {error.strerror}", logging.ERROR)
    return complete


def _discard(descriptor: int) -> None:
    """Let what is still written to this descriptor vanish."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, descriptor)
    os.close(null)
