"""The options of commands that work in parallel: how many workers, and where."""

import functools
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, TypeVar

import click

from kwsd.cli.checked import Text
from kwsd.training.parallel import BACKENDS, workers

Command = TypeVar("Command", bound=Callable[..., Any])
Workers = AbstractContextManager[int | None]  # starts the workers, and yields their number


def parallel_options(default: int = 1, shown: str = "1") -> Callable[[Command], Command]:
    """Adds --jobs, --backend and --address to a command, which gets `workers` instead.

    The command enters them once it has checked its own options. default: number of jobs on this machine.
    shown: the default as the help shows it.
    """

    def add(command: Command) -> Command:
        @click.option(
            "--jobs",
            type=click.IntRange(1, 256),
            help=f"Number of processes that work in parallel.  [default: {shown}; all workers of a cluster]",
        )
        @click.option(
            "--backend",
            type=click.Choice(BACKENDS),
            default="loky",
            show_default=True,
            help="Where they run: on this machine (loky), on Dask or on Ray.",
        )
        @click.option(
            "--address",
            type=Text(),
            metavar="URL",
            help="Dask scheduler or Ray cluster to use.  [default: one started on this machine]",
        )
        @functools.wraps(command)
        def wrapped(*args: Any, jobs: int | None, backend: str, address: str | None, **kwargs: Any) -> Any:
            number = default if jobs is None and backend == "loky" else jobs
            return command(*args, workers=_started(backend, address, number), **kwargs)

        return wrapped  # type: ignore[return-value]

    return add


@contextmanager
def _started(backend: str, address: str | None, jobs: int | None) -> Iterator[int | None]:
    with workers(backend, address, jobs):
        yield jobs
