"""Runs a function over many items in parallel, with joblib.

joblib's configuration decides where it runs: in this process, unless the caller has set another backend with
`joblib.parallel_config` or `workers`.
"""

import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import BrokenExecutor
from contextlib import ExitStack, contextmanager
from importlib import import_module
from typing import Any, TypeVar

from kwsd.errors import KwsdError, UsageError
from kwsd.resources import installing

Item = TypeVar("Item")
Result = TypeVar("Result")

BACKENDS = ("loky", "dask", "ray")  # loky: processes on this machine
MORE_THAN_ONE = "more than one job"


def parallel(
    function: Callable[[Item], Result], items: Iterable[Item], jobs: int | None = None
) -> Iterator[Result]:
    """The function's results for the items, in the order of the items.

    Each is yielded as soon as it is ready. Ray's backend cannot do that: with it, all are yielded at the end.

    jobs: number of workers; if None, that of joblib's configuration, which is 1 by default. More than one
    needs joblib. Raises the function's exceptions, and KwsdError if a worker process dies.
    """
    try:
        joblib = import_module("joblib")
    except ImportError:
        if jobs not in (None, 1):
            raise _missing("joblib", MORE_THAN_ONE) from None
        yield from map(function, items)
        return
    calls = (joblib.delayed(function)(item) for item in items)
    try:
        pool = joblib.Parallel(n_jobs=jobs, return_as="generator")
    except ValueError:  # Ray's backend returns all results at the end
        yield from joblib.Parallel(n_jobs=jobs)(calls)
        return
    try:
        with _interrupts_ignored():
            results = pool(calls)
        yield from results
    except BrokenExecutor as error:
        raise KwsdError("a worker process died, perhaps because memory ran out; use fewer jobs") from error


@contextmanager
def _interrupts_ignored() -> Iterator[None]:
    """Ignore Ctrl-C in the block and in processes started in it, because the parent ends those."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def workers(backend: str = "loky", address: str | None = None, jobs: int | None = None) -> Iterator[None]:
    """Let `parallel` run on one of BACKENDS inside the block.

    address: of a Dask scheduler or a Ray cluster; without it, workers are started on this machine. jobs:
    number of workers; if None, all available ones. Raises UsageError if a package is missing, and KwsdError
    if the cluster cannot be reached.
    """
    if address and backend == "loky":
        raise UsageError("--address names a Dask or Ray cluster; add --backend dask or --backend ray")
    if backend == "loky":  # joblib's default needs no setup
        if jobs not in (None, 1):
            _imported("joblib", MORE_THAN_ONE)
        yield
        return
    with ExitStack() as stack:
        joblib = _imported("joblib", f"the backend {backend}")
        start = {"dask": _start_dask, "ray": _start_ray}[backend]
        try:
            start(stack, address, jobs)
        except (OSError, RuntimeError, ValueError) as error:
            where = f"the {backend} cluster at {address}" if address else f"a local {backend} cluster"
            reason = (str(error).strip() or type(error).__name__).splitlines()[0]
            raise KwsdError(f"cannot use {where}: {reason}") from error
        stack.enter_context(joblib.parallel_config(backend, n_jobs=jobs or -1))
        yield


def _start_dask(stack: ExitStack, address: str | None, jobs: int | None) -> None:
    distributed = _imported("distributed", "the backend dask")
    local = {"n_workers": jobs, "threads_per_worker": 1, "dashboard_address": None}
    stack.enter_context(distributed.Client(address) if address else distributed.Client(**local))


def _start_ray(stack: ExitStack, address: str | None, jobs: int | None) -> None:
    ray = _imported("ray", "the backend ray")
    ray.init(address or "local", num_cpus=None if address else jobs, log_to_driver=False)
    stack.callback(ray.shutdown)
    import_module("ray.util.joblib").register_ray()


def _imported(name: str, what: str) -> Any:
    """Import a module. Raises UsageError, which says that `what` needs it, if it is not installed."""
    try:
        return import_module(name)
    except ImportError:
        raise _missing(name, what) from None


def _missing(name: str, what: str) -> UsageError:
    package = {"distributed": "dask[distributed]"}.get(name, name)
    how = installing("parallel") if name == "joblib" else f"pip install '{package}'"
    return UsageError(f"{what} needs {name}: {how}")
