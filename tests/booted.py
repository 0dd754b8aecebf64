"""A real systemd, booted in namespaces of its own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from harness import wait_for

ROOT = Path(__file__).parents[1]
UNSHARE = ("unshare", "--pid", "--fork", "--mount", "--uts", "--ipc", "--cgroup", "--kill-child")
BOOT = ROOT / "tests/systemd/boot.sh"
HIDDEN = ("/tmp", "/var/tmp", "/home", "/root")  # by PrivateTmp and ProtectHome

# what every kwsd inside needs to hear the fake microphone
MICROPHONE = """[Service]
Environment=PULSE_SERVER=unix:/share/open ALSA_CONFIG_PATH=/share/asound.conf
"""


class ControlGroup:
    """One for a systemd to rule: of the machine's own it would move every process."""

    def __init__(self) -> None:
        mounts = (line.split() for line in Path("/proc/mounts").read_text().splitlines())
        top = next((Path(where) for _, where, kind, *_ in mounts if kind == "cgroup2"), None)
        if top is None or not os.access(top, os.W_OK):
            pytest.skip("there is no cgroup2 to make a control group in")
        self._path = top / f"kwsd-test-{os.getpid()}"
        self._path.mkdir()

    def entering(self, *command: str | Path) -> list[str | Path]:
        """The command, run in it."""
        return ["sh", "-c", 'echo $$ >"$0/cgroup.procs" && exec "$@"', self._path, *command]

    def close(self) -> None:
        """Once its last process is gone."""
        wait_for(
            "the end of all processes", lambda: "populated 0" in (self._path / "cgroup.events").read_text()
        )
        for path, _, _ in os.walk(self._path, topdown=False):
            Path(path).rmdir()


class Systemd:
    """A booted systemd: everything but its network and its devices is its own."""

    def __init__(self, folder: Path, shared: Path) -> None:
        scratch = folder / "scratch"
        scratch.mkdir()
        needed = {ROOT, Path(sys.prefix), Path(sys.base_prefix)} - {Path("/usr")}
        paths = [p for p in needed if not any(p.is_relative_to(q) for q in needed - {p})]
        self._log = (folder / "boot.log").open("w")
        self._group = ControlGroup()
        self._process = subprocess.Popen(
            self._group.entering(*UNSHARE, BOOT, scratch, shared, *sorted(paths)),
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
        )
        self._children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children")
        try:
            wait_for("systemd", self._running)
        except AssertionError as error:
            self.close()
            raise AssertionError((folder / "boot.log").read_text()) from error

    def _running(self) -> bool:
        assert self._process.poll() is None, "it ended"
        return bool(self._children.read_text()) and self.run("systemctl", "is-system-running").stdout in (
            "running\n",
            "degraded\n",
        )

    def run(self, *command: str | Path) -> "subprocess.CompletedProcess[str]":
        """Run a command inside, as root."""
        enter = ["nsenter", "-t", self._children.read_text().split()[0], "-m", "-p", "-u", "-i", "-r", "-w"]
        environment = {
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME": "/root",
            "LANG": "C.UTF-8",
            "XDG_RUNTIME_DIR": "/run/user/0",
        }
        return subprocess.run(
            [*enter, *command], env=environment, capture_output=True, text=True, check=False, timeout=120
        )

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        self._group.close()
        self._log.close()
