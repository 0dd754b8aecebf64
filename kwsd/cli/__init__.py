"""The entry point of the ``kwsd`` command: sets up standard streams and signals, and returns the exit code.

It imports little, so that the signals of ``kwsd listen`` are caught as early as possible.
"""

import os
import sys
from typing import NoReturn


def main(args: list[str] | None = None) -> NoReturn:
    """Run the command line and exit. A usage error (2) or a failure (1) prints one line."""
    _open_closed_streams()
    signals = None
    if (sys.argv[1:] if args is None else args)[:1] == ["listen"]:
        from kwsd.daemon.signals import Signals

        try:
            signals = Signals()
        except RuntimeError as error:  # no thread can be started
            print(f"kwsd: {error}: too many processes, or too little memory", file=sys.stderr)
            sys.exit(1)
    try:
        code = _run(args, signals)
    except KeyboardInterrupt:
        code = 130  # 128 + SIGINT
    sys.exit(_flush(code))


def _run(args: list[str] | None, signals: object) -> int | str | None:
    """Run a command, with `signals` as the object of its context. Returns the exit code."""
    import logging

    import click

    from kwsd.cli.commands import cli
    from kwsd.daemon.logs import say
    from kwsd.errors import KwsdError, ReaderLeftError

    if sys.stdout is not None and sys.stdout is sys.__stdout__:  # otherwise a test has replaced it
        from kwsd.cli.strict_output import raising_output

        sys.stdout = raising_output(sys.stdout)  # type: ignore[arg-type]
    try:
        code: int | None = cli.main(args=args, prog_name="kwsd", standalone_mode=False, obj=signals)
    except SystemExit as error:
        return error.code
    except ReaderLeftError as error:
        return error.exit_code
    except KwsdError as error:
        say(str(error), logging.ERROR)
        return error.exit_code
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        return error.exit_code
    except click.ClickException as error:
        context = getattr(error, "ctx", None)  # usage errors have one
        command = context.command_path if context else "kwsd"
        say(f"{error.format_message()} ({command} --help)", logging.ERROR)
        return error.exit_code
    except click.Abort:
        return 130  # Ctrl-C: 128 + SIGINT
    except ImportError as error:  # a broken installation, or too little memory to load a library
        say(f"the installation of kwsd is broken: {str(error).strip().splitlines()[-1]}", logging.ERROR)
        return 1
    except (MemoryError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and str(error) != "can't start new thread":
            raise
        say("out of memory", logging.ERROR)
        return 1
    return code


def _open_closed_streams() -> None:
    """Open /dev/null for each closed standard stream, so that no other file gets its descriptor."""
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest free descriptor, which is this one
    if sys.stdout is None:
        sys.stdout = sys.__stdout__ = os.fdopen(1, "w", closefd=False)  # type: ignore[misc]
    if sys.stderr is None:
        sys.stderr = sys.__stderr__ = os.fdopen(2, "w", closefd=False)  # type: ignore[misc]


def _flush(code: int | str | None) -> int | str | None:
    """Flush standard output and standard error, and discard what cannot be written.

    Returns the exit code. It is 1 instead of 0 if standard output could not be written; Python would use 120.
    """
    from kwsd.errors import KwsdError, ReaderLeftError

    for descriptor, stream in ((1, sys.stdout), (2, sys.stderr)):
        try:
            stream.flush()
        except (OSError, ReaderLeftError):  # OSError: this is standard error
            _discard(descriptor)
        except KwsdError as error:
            _discard(descriptor)
            if not code:
                import logging

                from kwsd.daemon.logs import say

                say(str(error), logging.ERROR)
                code = error.exit_code
    return code


def _discard(descriptor: int) -> None:
    """Redirect this descriptor to /dev/null."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, descriptor)
    os.close(null)
