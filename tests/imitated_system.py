"""Runs kwsd on Linux as on macOS or Windows: what those lack is missing for kwsd, and for kwsd alone.

    python imitated_system.py darwin|win32 -m kwsd ARGUMENTS...
    python imitated_system.py darwin|win32 -c CODE

The libraries that kwsd uses go on seeing Linux, as they could not work otherwise.
"""

import builtins
import ctypes
import functools
import importlib
import os
import pathlib
import runpy
import signal
import subprocess
import sys
import warnings
from collections.abc import Mapping
from contextlib import suppress
from types import ModuleType
from typing import Any

SYSTEMS = ("darwin", "win32")
LINUX_LIBRARIES = ("asound", "pulse")
NO_MODULES = ("fcntl", "grp", "posix", "pty", "pwd", "resource", "syslog", "termios", "tty")  # on Windows
NOT_ON_MACOS = {"os": "ST_NOEXEC getxattr listxattr memfd_create pipe2 setxattr", "errno": "ESTRPIPE"}
NOT_ON_WINDOWS = {  # besides
    "os": """O_CLOEXEC O_DIRECTORY O_NOCTTY O_NOFOLLOW O_NONBLOCK WNOHANG chown confstr fchmod fchown fork
        forkpty geteuid getgid getgrouplist getgroups getpgid getsid getuid killpg lchown mkfifo nice openpty
        set_blocking setsid statvfs sysconf uname wait4""",
    "select": "POLLERR POLLHUP POLLIN POLLOUT epoll poll",
    "signal": """SIGALRM SIGCHLD SIGCONT SIGHUP SIGKILL SIGPIPE SIGQUIT SIGSTOP SIGUSR1 SIGUSR2 alarm pause
        pthread_kill pthread_sigmask setitimer siginterrupt sigpending sigwait""",
    "socket": "AF_NETLINK AF_UNIX SCM_RIGHTS",
    "time": "CLOCK_MONOTONIC clock_gettime",
}
SIGBREAK, CREATE_NEW_PROCESS_GROUP = 21, 0x200  # as on Windows

real_import, real_popen, real_run = builtins.__import__, subprocess.Popen, subprocess.run


class Seen(ModuleType):
    """A module of the standard library as kwsd sees it."""

    def __init__(self, module: ModuleType, missing: set[str], instead: Mapping[str, Any]) -> None:
        super().__init__(module.__name__)
        self.__dict__.update(instead, _module=module, _missing=missing)

    def __getattr__(self, name: str) -> Any:
        if name in self._missing:
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r} on this system")
        return getattr(self._module, name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._module, name, value)


def become(system: str) -> None:
    """From now on, whatever kwsd imports is that of this system."""
    warnings.filterwarnings("ignore", category=EncodingWarning)
    warnings.filterwarnings("error", category=EncodingWarning, module="kwsd")  # where UTF-8 is no default
    on_windows = system == "win32"
    missing = [NOT_ON_MACOS, NOT_ON_WINDOWS] if on_windows else [NOT_ON_MACOS]
    instead: dict[str, dict[str, Any]] = {"sys": {"platform": system}, "ctypes": {"CDLL": load_library}}
    if not on_windows:
        instead["os"] = {"killpg": macos_killpg}
    else:
        pathlib.Path.owner = pathlib.Path.group = no_owner  # type: ignore[method-assign,assignment]
        instead["signal"] = {
            "SIGBREAK": SIGBREAK,
            "signal": windows_signal,
            "set_wakeup_fd": windows_set_wakeup_fd,
        }
        instead["subprocess"] = {
            "CREATE_NEW_PROCESS_GROUP": CREATE_NEW_PROCESS_GROUP,
            "Popen": windows_popen,
            "run": windows_run,
        }

    @functools.cache
    def seen(name: str) -> ModuleType:
        names = {word for table in missing for word in table.get(name, "").split()}
        return Seen(importlib.import_module(name), names, instead.get(name, {}))

    def import_(
        name: str,
        globals: Mapping[str, Any] | None = None,
        locals: Mapping[str, Any] | None = None,
        fromlist: Any = (),
        level: int = 0,
    ) -> ModuleType:
        importer = str((globals or {}).get("__name__", ""))
        if importer.partition(".")[0] == "kwsd" and not level:
            if on_windows and name in NO_MODULES:
                raise ModuleNotFoundError(f"No module named {name!r}", name=name)
            if any(name in table for table in (*missing, instead)):
                return seen(name)
        return real_import(name, globals, locals, fromlist, level)

    builtins.__import__ = import_


def load_library(name: Any, *arguments: Any, **options: Any) -> ctypes.CDLL:
    """As ctypes.CDLL, where there are no libraries of Linux's."""
    if name is None or any(part in str(name) for part in LINUX_LIBRARIES):
        raise OSError(f"{name}: there is no such library here")
    return ctypes.CDLL(name, *arguments, **options)


def macos_killpg(group: int, number: int) -> None:
    """macOS permits no signal to a group of which only zombies are left."""
    os.killpg(group, 0)
    states = set()
    for path in pathlib.Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it has just ended
            state, _, of, *_ = path.read_bytes().rpartition(b")")[2].split()
            states |= {state} if int(of) == group else set()
    if states == {b"Z"}:
        raise PermissionError(f"{group}: Operation not permitted")
    os.killpg(group, number)


def windows_popen(*arguments: Any, **options: Any) -> "subprocess.Popen[Any]":
    """As Windows takes it: sessions and groups mean nothing there."""
    assert not options.get("preexec_fn")
    assert not options.get("pass_fds")
    for name in ("start_new_session", "process_group"):
        options.pop(name, None)
    assert options.pop("creationflags", 0) in (0, CREATE_NEW_PROCESS_GROUP)
    return real_popen(*arguments, **options, process_group=0)


def windows_run(line: Any, **options: Any) -> "subprocess.CompletedProcess[Any]":
    """As subprocess.run, and with a taskkill."""
    if line[0] == "taskkill":
        assert line[1:4] == ["/T", "/F", "/PID"]
        os.killpg(int(line[4]), signal.SIGKILL)  # the group that `windows_popen` made
        return subprocess.CompletedProcess(line, 0, b"", b"")
    subprocess.Popen = windows_popen  # type: ignore[misc,assignment]
    try:
        return real_run(line, **options)
    finally:
        subprocess.Popen = real_popen  # type: ignore[misc]


def windows_signal(number: int, handler: Any) -> Any:
    """Windows takes a few signals alone."""
    assert number in (signal.SIGINT, signal.SIGTERM, SIGBREAK)
    return signal.SIG_DFL if number == SIGBREAK else signal.signal(number, handler)


def windows_set_wakeup_fd(descriptor: int, **options: Any) -> int:
    """Windows takes a pipe whose writer waits."""
    os.set_blocking(descriptor, False)
    return signal.set_wakeup_fd(descriptor, **options)


def no_owner(path: pathlib.Path) -> str:
    raise NotImplementedError(f"{path}: there are no owners here")


# above all that follows, as a process that multiprocessing starts imports this file, too
become(os.environ.setdefault("KWSD_IMITATED_SYSTEM", sys.argv[1]))

if __name__ == "__main__":
    _, _, how, what, *_ = sys.argv
    sys.argv[1:4] = []
    if how == "-m":
        runpy.run_module(what, run_name="__main__")
    else:
        exec(what)
