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

        try:
            signals = Signals()
        except RuntimeError as error:  # no thread to be had
            print(f"kwsd: {error}: too many processes, or too little memory", file=sys.stderr)
            sys.exit(1)
    try:
        code = _run(args, signals)
    except KeyboardInterrupt:
        code = 130  # as a shell counts it
    sys.exit(_flush(code))


def _run(args: list[str] | None, signals: object) -> int | str | None:
    """Run a command, with `signals` as its context's object; give the exit code."""
    import logging

    import click

    from kwsd.cli.commands import cli
    from kwsd.daemon.logs import say
    from kwsd.errors import KwsdError

    if sys.stdout is not None and sys.stdout is sys.__stdout__:  # else a test's
        from kwsd.cli.output import checked

        sys.stdout = checked(sys.stdout)  # type: ignore[arg-type]
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
    except ImportError as error:  # an installation that is broken, or no memory for a library
        say(f"kwsd is not installed well: {str(error).strip().splitlines()[-1]}", logging.ERROR)
        return 1
    except (MemoryError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and str(error) != "can't start new thread":
            raise
        say("out of memory", logging.ERROR)
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
        sys.stdout = sys.__stdout__ = os.fdopen(1, "w", closefd=False)  # type: ignore[misc]
    if sys.stderr is None:
        sys.stderr = sys.__stderr__ = os.fdopen(2, "w", closefd=False)  # type: ignore[misc]


def _flush(code: int | str | None) -> int | str | None:
    """Write what Python still holds of standard output and error; drop what cannot be written.

    Give the exit code, which is 1 at least where standard output is lost: Python itself would make it 120.
    """
    from kwsd.errors import KwsdError

    for descriptor, stream in ((1, sys.stdout), (2, sys.stderr)):
        try:
            stream.flush()
        except OSError:  # nobody reads it, or it is standard error
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
    """Let what is still written to this descriptor vanish."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, descriptor)
    os.close(null)
