"""kwsd as a service of a real systemd, which is booted for the purpose in namespaces of its own."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from harness import KWSD, FakeMicrophone, Spoken, wait_for

from kwsd.daemon.unit import quote

ROOT = Path(__file__).parents[2]
UNSHARE = ("unshare", "--pid", "--fork", "--mount", "--uts", "--ipc", "--cgroup", "--kill-child")
SYSTEMD = Path("/lib/systemd/systemd")
HIDDEN = ("/tmp", "/var/tmp", "/home", "/root")  # by PrivateTmp and ProtectHome

DROP_IN = """[Service]
Environment=PULSE_SERVER=unix:/share/open ALSA_CONFIG_PATH=/share/asound.conf
WatchdogSec=2
RestartSec=100ms
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
        boot = Path(__file__).with_name("boot.sh")
        self._process = subprocess.Popen(
            self._group.entering(*UNSHARE, boot, scratch, shared, *sorted(paths)),
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


class Service:
    """kwsd, installed by ``kwsd service install``; `scope` is --system or --user."""

    def __init__(self, systemd: Systemd, scope: str, heard: str) -> None:
        self._systemd = systemd
        self._scope = scope
        self._heard = heard
        self.scope_option = ["--system"] if scope == "--system" else []

    def install(self, model: str) -> None:
        kind = "system" if self._scope == "--system" else "user"
        drop_in = f"/etc/systemd/{kind}/kwsd.service.d/test.conf"
        written = self._systemd.run(
            "sh", "-c", f'mkdir -p $(dirname {drop_in}) && printf "%s" "$1" > {drop_in}', "sh", DROP_IN
        )
        assert written.returncode == 0, written.stderr
        hook = f"echo $KWSD_KEYWORD >> {self._heard}"
        done = self._kwsd("install", *self.scope_option, "--model", model, "--on-trigger", hook)
        assert done.returncode == 0, done.stderr + self.journal()
        assert "is installed and runs" in done.stdout

    def uninstall(self) -> None:
        done = self._kwsd("uninstall", *self.scope_option)
        assert done.returncode == 0, done.stderr

    def _kwsd(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        return self._systemd.run(KWSD, "service", *arguments)

    def show(self, name: str) -> str:
        shown = self._systemd.run("systemctl", self._scope, "show", "--value", "-p", name, "kwsd.service")
        return shown.stdout.strip()

    def kill(self, number: str) -> None:
        pid = self.show("MainPID")
        assert self._systemd.run("kill", f"-{number}", pid).returncode == 0

    def reload(self) -> None:
        done = self._systemd.run("systemctl", self._scope, "reload", "kwsd.service")
        assert done.returncode == 0, done.stderr

    def examined(self) -> dict[str, str]:
        """What kwsd doctor finds of it."""
        findings: list[dict[str, str]] = json.loads(self._systemd.run(KWSD, "doctor", "--json").stdout)
        return next(finding for finding in findings if finding["check"] == "service")

    def heard(self) -> list[str]:
        return self._systemd.run("cat", self._heard).stdout.split()

    def journal(self) -> str:
        shown = self._systemd.run("systemctl", self._scope, "--no-pager", "--full", "status", "kwsd.service")
        return shown.stdout + self._systemd.run("journalctl", "--no-pager", "-n", "40").stdout

    def active_again(self, restarts: int) -> bool:
        return self.show("ActiveState") == "active" and int(self.show("NRestarts")) == restarts


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("share")


@pytest.fixture(scope="module")
def open_microphone(
    microphone: FakeMicrophone,  # noqa: ARG001 - it skips where there can be none
    shared: Path,
) -> Iterator[FakeMicrophone]:
    """One that every user may hear."""
    fake = FakeMicrophone(shared, "auth-anonymous=1")
    (shared / "open").hardlink_to(shared / "run/pulse/native")  # whose folder clients close to others
    shared.chmod(0o755)
    yield fake
    fake.close()


@pytest.fixture(scope="module")
def systemd(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Systemd]:
    if os.geteuid() != 0:
        pytest.skip("booting a systemd needs root")
    if not SYSTEMD.exists() or not shutil.which("nsenter"):
        pytest.skip("systemd or nsenter is not installed")
    booted = Systemd(tmp_path_factory.mktemp("systemd"), shared)
    yield booted
    booted.close()


@pytest.fixture(params=["--system", "--user"])
def service(request: pytest.FixtureRequest, systemd: Systemd) -> Service:
    if request.param == "--system":
        if any(ROOT.is_relative_to(hidden) for hidden in HIDDEN):
            pytest.skip(f"the hardened unit cannot see a checkout in {ROOT}")
        return Service(systemd, "--system", "/var/lib/kwsd/heard")
    started = systemd.run("systemctl", "start", "user@0.service")
    if started.returncode:
        pytest.skip(f"no user manager to be had: {started.stderr}")
    return Service(systemd, "--user", "/root/heard")


@pytest.mark.systemd
def test_the_service_hears_and_survives(
    service: Service, open_microphone: FakeMicrophone, spoken: Spoken
) -> None:
    service.install(spoken.model)
    try:
        assert service.show("ActiveState") == "active"
        before = len(service.heard())
        open_microphone.play(spoken.path)
        wait_for("the hook", lambda: len(service.heard()) > before)
        assert set(service.heard()[before:]) == {spoken.keyword}
        wait_for("the status", lambda: "triggers" in service.show("StatusText"))
        assert service.examined()["status"] == "pass"
        service.reload()
        wait_for("the reload", lambda: f"now listens for '{spoken.keyword}'" in service.journal())

        service.kill("KILL")
        wait_for("a restart after SIGKILL", lambda: service.active_again(1))
        service.kill("STOP")
        wait_for("a restart by the watchdog", lambda: service.active_again(2))

        before = len(service.heard())
        open_microphone.play(spoken.path)
        wait_for("the hook after restarts", lambda: len(service.heard()) > before)
    except AssertionError as error:
        raise AssertionError(service.journal()) from error
    finally:
        service.uninstall()
    assert service.show("LoadState") == "not-found"


@pytest.mark.systemd
def test_the_words_of_a_command_arrive_as_they_are(systemd: Systemd) -> None:
    words = ["", " ", "\n", "\t", *"'\"\\#;*~@é%$", "a b", "a\\", "\\n", "-x", "a=b", "%h", "%%"]
    words += ["$HOME", "${HOME}", "$$", "$(id)", "`id`", """notify-send "100 %" '$KWSD_TIME'"""]
    line = " ".join(map(quote, ("/usr/bin/printf", "%s\\0", *words)))
    unit = f"[Service]\nType=oneshot\nStandardOutput=file:/run/words\nExecStart={line}\n"
    write = 'printf %s "$1" >/run/systemd/system/words.service && systemctl start words'
    done = systemd.run("sh", "-c", write, "sh", unit)
    assert done.returncode == 0, done.stderr
    assert systemd.run("cat", "/run/words").stdout.split("\0")[:-1] == words


@pytest.mark.parametrize("unit", ["kwsd.service", "kwsd-system.service"])
def test_the_unit_files_are_valid(unit: str) -> None:
    if not shutil.which("systemd-analyze"):
        pytest.skip("systemd-analyze is not installed")
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", ROOT / "systemd" / unit],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_the_system_unit_is_hardened() -> None:
    if not shutil.which("systemd-analyze"):
        pytest.skip("systemd-analyze is not installed")
    unit = ROOT / "systemd/kwsd-system.service"
    done = subprocess.run(
        ["systemd-analyze", "--no-pager", "security", "--offline=true", "--threshold=40", unit],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
