"""Installs, starts, inspects and removes kwsd's systemd service."""

import os
import re
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from kwsd.daemon.systemd import unit
from kwsd.daemon.systemd.account import Account
from kwsd.daemon.systemd.hookcheck import Sandbox, problems
from kwsd.daemon.systemd.unit import NAME, NEEDS_LINUX, WYOMING_NAME
from kwsd.errors import KwsdError, UsageError
from kwsd.files import absolute, replace_file
from kwsd.resources import page

if TYPE_CHECKING:
    from kwsd.daemon.app import ListenOptions

SYSTEM_UNITS = Path("/etc/systemd/system")
LINGER = Path("/var/lib/systemd/linger")  # has one file per user whose services run without a login
MAX_UNIT_BYTES = 1_000_000
DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True)
class Service:
    """The user service or, with `system`, the system service, which is hardened unless it has `run_as`.

    With `wyoming` it is the one for Home Assistant (``kwsd wyoming``) instead of the one that listens.
    """

    system: bool
    run_as: Account | None = None
    wyoming: bool = False

    @property
    def name(self) -> str:
        """The name of its unit."""
        return WYOMING_NAME if self.wyoming else NAME

    @property
    def scope(self) -> str:
        """The option of systemctl and journalctl that selects it."""
        return "--system" if self.system else "--user"

    @property
    def option(self) -> str:
        """The options of kwsd service that select it, each after a space; empty for the user service."""
        return " --system" * self.system + " --wyoming" * self.wyoming

    @property
    def hardened(self) -> bool:
        """Whether it runs as an unprivileged user who can write to one folder only."""
        return self.system and not self.run_as

    @property
    def account(self) -> Account:
        """The account it runs as."""
        return self.run_as or (Account.dynamic() if self.system else Account.of_this_process())

    @property
    def path(self) -> Path:
        """The path of its unit file."""
        if self.system:
            return SYSTEM_UNITS / self.name
        config = os.environ.get("XDG_CONFIG_HOME") or Path(os.environ.get("HOME", "/")) / ".config"
        return Path(config) / "systemd/user" / self.name

    def unit(self, command: Sequence[str], network: bool, reads: Iterable[Path]) -> str:
        """The text of its unit file. Raises UsageError if the service could not read one of `reads`."""
        reads = [*reads, *_program_files(command)]
        if self.system:
            for path in reads:
                self._check_readable(path)
        if self.wyoming:
            return unit.wyoming_unit(command, self.system, reads)
        if self.run_as:
            return unit.run_as_unit(command, network, self.run_as)
        if self.system:
            return unit.system_unit(command, network, reads)
        return unit.user_unit(command, network)

    def check_usable(self, options: "ListenOptions") -> None:
        """Raise UsageError for options of kwsd listen that the service cannot use."""
        for name, given in (("--input", options.input is not None), ("--meter", options.meter)):
            if given:
                raise UsageError(
                    f"a service cannot use {name}: it listens to a microphone and has no terminal"
                )
        for name, folder in (
            ("--save-clips", options.save_clips),
            ("--save-near-misses", options.save_near_misses),
            ("--save-commands", options.save_commands),
        ):
            if folder and self.hardened and not absolute(folder).is_relative_to(unit.STATE):
                raise UsageError(
                    f"{name} must be in {unit.STATE}, the only folder that the service can write to"
                )

    def install(
        self, arguments: Sequence[str], hooks: Sequence[str], network: bool, reads: Iterable[Path]
    ) -> list[str]:
        """Write the unit file that runs kwsd with these arguments, and enable it. Returns warnings.

        network: whether hooks get network access. reads: the files and folders that the arguments name.
        Raises UsageError if the service could not read one of them, or if kwsd did not write a unit file that
        is there, and KwsdError if the unit file cannot be written.
        """
        text = self.unit([*_this_kwsd(), *arguments], network, reads)
        self._check_ours("install")
        warnings = self._warnings(hooks, text)
        self._write(text)
        return warnings

    def start(self) -> None:
        """Start or restart it, and return once it receives audio from a microphone or takes clients."""
        self.systemctl("restart", self.name)

    def _warnings(self, hooks: Sequence[str], unit_text: str) -> list[str]:
        """Warnings, one line each, of hooks that will fail and of another installed service."""
        account = self.account
        folder = account.home or unit.STATE
        hidden = self._hidden(unit_text)
        sandbox = Sandbox(account, self._search_path(), folder, hidden, privileges=self.run_as is not None)
        found = [f"hook {hook!r}: {problem}" for hook in hooks for problem in problems(hook, sandbox)]
        other = Service(not self.system, wyoming=self.wyoming)
        if other.is_installed():
            found.append(
                f"{other.path} is also installed; to remove it: kwsd service uninstall{other.option}"
            )
        return found

    def _write(self, unit_text: str) -> None:
        """Write its unit file and enable it."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise KwsdError(f"cannot make the folder {self.path.parent}: {error.strerror}") from error
        replace_file(self.path, unit.sign(unit_text))
        self.systemctl("daemon-reload")
        self.systemctl("enable", self.name)

    def uninstall(self) -> bool:
        """Stop it, disable it and remove its unit file. Returns False if there is no unit file.

        Raises UsageError if kwsd did not write the unit file.
        """
        self._check_ours("uninstall", changed=True)
        if not self.is_installed():
            return False
        self.systemctl("disable", "--now", self.name)
        try:
            self.path.unlink()
        except OSError as error:
            raise KwsdError(f"cannot remove {self.path}: {error.strerror}") from error
        self.systemctl("daemon-reload")
        return True

    def leftovers(self) -> list[Path]:
        """The files that uninstalling keeps: drop-ins and, for the system service, its state folder."""
        folder = self.path.parent
        paths = [folder / f"{self.name}.d", folder.with_name(folder.name + ".control") / f"{self.name}.d"]
        if self.system and not self.wyoming:  # systemd creates the folder in private/, and a link to it
            paths += [unit.STATE.parent / "private" / unit.STATE.name, unit.STATE]
        return [path for path in paths if os.path.lexists(path)]

    def lingers(self) -> bool:
        """Whether the services of its user run while the user is logged out."""
        return (LINGER / self.account.name).exists()

    def status(self) -> int:
        """Print its state. Returns the exit code of systemctl."""
        return self._run("--no-pager", "--lines=5", "status", self.name).returncode

    def systemctl(self, *arguments: str) -> str:
        """Run systemctl and return its output. Raises KwsdError with its error message if it fails."""
        done = self._run(*arguments, capture_output=True)
        if done.returncode:
            said = " ".join(done.stderr.split()) or f"exit code {done.returncode}"
            if not self.system and os.environ.get("SUDO_USER"):
                said += "; root has no session: try without sudo, or with --system"
            raise KwsdError(f"systemctl {self.scope} {' '.join(arguments)}: {said}")
        return done.stdout

    def _run(self, *arguments: str, capture_output: bool = False) -> "subprocess.CompletedProcess[str]":
        line = ["systemctl", self.scope, *arguments]
        try:
            return subprocess.run(
                line, capture_output=capture_output, text=True, errors="backslashreplace", check=False
            )
        except FileNotFoundError as error:
            raise KwsdError("systemctl is not installed: kwsd service needs systemd") from error
        except OSError as error:
            raise KwsdError(f"cannot run systemctl: {error.strerror}") from error

    def _search_path(self) -> str:
        """The $PATH that systemd sets for services."""
        for line in self.systemctl("show-environment").splitlines():
            name, _, value = line.partition("=")
            if name == "PATH":  # printed for a shell: as $'...' if a character needs it
                return re.sub(r"\\(.)", r"\1", value[2:-1]) if value.startswith("$'") else value
        return DEFAULT_PATH

    def _check_readable(self, path: Path) -> None:
        """Raise UsageError if the service could not read this file."""
        for one in (path, path.resolve()):
            try:
                closed = self.account.denied_by(one, stat.S_IROTH)
            except OSError as error:
                raise UsageError(f"cannot read {path}: {error.strerror}") from error
            if closed is not None:
                ours = any(path.is_relative_to(part) for part in (sys.prefix, Path(__file__).parents[2]))
                fix = (
                    f"install kwsd for all users: {page('install')}"
                    if ours
                    else "move it, for example to /opt"
                )
                user = self.account.name
                raise UsageError(f"the service cannot read {path} as {user}: {closed} denies it; {fix}")
        if self.hardened and unit.is_in(path, unit.PRIVATE):
            raise UsageError(
                f"the service has its own /tmp and cannot see {path}: move it, for example to /opt"
            )

    def _hidden(self, unit_text: str) -> tuple[Path, ...]:
        """The folders that the unit hides from the service."""
        if not self.hardened:
            return ()
        return unit.PRIVATE + (unit.HOMES if "ProtectHome=yes" in unit_text.split("\n") else ())

    def is_installed(self) -> bool:
        """Whether its unit file exists."""
        return os.path.exists(self.path)  # noqa: PTH110 - Path.exists raises PermissionError

    def _check_ours(self, command: str, changed: bool = False) -> None:
        """Raise UsageError if this command must not replace or remove the unit file.

        changed: whether it may do so even if somebody has changed the file since kwsd wrote it.
        """
        if sys.platform != "linux":
            raise UsageError(NEEDS_LINUX)
        if self.system and os.geteuid() != 0:
            raise UsageError(f"the system service needs root: sudo kwsd service {command}{self.option} ...")
        path = self.path
        try:
            target = path.readlink() if path.is_symlink() else None
            if str(target) == os.devnull:
                raise UsageError(f"{path} is masked: systemctl {self.scope} unmask {self.name}")
            if target:
                raise UsageError(f"{path} is a symbolic link to {target}: remove it, then try again")
            status = path.stat()
            if not stat.S_ISREG(status.st_mode) or status.st_size > MAX_UNIT_BYTES:
                raise UsageError(f"{path} is not a unit file: move it away, then try again")
            text = path.read_text("utf-8", errors="replace")
        except FileNotFoundError:
            return
        except OSError as error:
            raise UsageError(f"cannot read {path}: {error.strerror}") from error
        if not unit.is_written_by_kwsd(text):
            raise UsageError(f"{path} was not written by kwsd service install: move it away, then try again")
        if not changed and not unit.is_signed(text):
            raise UsageError(
                f"{path} was changed by hand or written by an older kwsd: keep your changes with systemctl "
                f"{self.scope} edit {self.name}, run kwsd service uninstall{self.option}, then try again"
            )


def remove(path: Path) -> Path | None:
    """Remove a file, or a folder with its content. The target of a symbolic link is kept, and returned."""
    try:
        if path.is_symlink():
            target = path.parent / path.readlink()
            path.unlink()
            return target if target.exists() else None
        if path.is_dir():
            shutil.rmtree(path)  # removes links in it without following them
        else:
            path.unlink()
    except OSError as error:
        raise KwsdError(f"cannot remove {error.filename or path}: {error.strerror}") from error
    return None


def network_is_allowed(facts: dict[str, str]) -> bool:
    """Whether hooks have network access, according to the properties that `systemctl show` prints."""
    families = facts.get("RestrictAddressFamilies", "~")  # ~: all but the families after it
    allowed = ("AF_INET" in families.removeprefix("~").split()) != families.startswith("~")
    return allowed and facts.get("PrivateNetwork") != "yes"


def _this_kwsd() -> list[str]:
    """The command with which systemd starts this kwsd."""
    called = absolute(Path(shutil.which(sys.argv[0]) or sys.argv[0]))
    return [sys.executable, "-m", "kwsd"] if called.name == "__main__.py" else [str(called)]


def _program_files(command: Sequence[str]) -> list[Path]:
    """The files needed to start kwsd: the command, the interpreter and kwsd itself."""
    interpreter = Path(sys.executable)
    return [Path(command[0]), interpreter, Path(__file__)]
