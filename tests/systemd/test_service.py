"""kwsd as a service of a real systemd, which is booted for the purpose in namespaces of its own."""

import base64
import json
import random
import shutil
import subprocess

import pytest
from booted import HIDDEN, MICROPHONE, ROOT, Systemd
from harness import KWSD, LOUD, FakeMicrophone, Spoken, wait_for

from kwsd.daemon.systemd.unit import quote

DROP_IN = f"""{MICROPHONE}
WatchdogSec=2
RestartSec=100ms
"""


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
        assert "is installed and running" in done.stdout

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

    def words(self) -> list[str]:
        """The words that the running kwsd says it listens for, through its control socket."""
        done = self._systemd.run(KWSD, "ctl", "status", "--json")
        assert done.returncode == 0, done.stderr
        found: list[str] = json.loads(done.stdout)["words"]
        return found

    def heard(self) -> list[str]:
        return self._systemd.run("cat", self._heard).stdout.split()

    def journal(self) -> str:
        shown = self._systemd.run("systemctl", self._scope, "--no-pager", "--full", "status", "kwsd.service")
        return shown.stdout + self._systemd.run("journalctl", "--no-pager", "-n", "40").stdout

    def active_again(self, restarts: int) -> bool:
        return self.show("ActiveState") == "active" and int(self.show("NRestarts")) == restarts


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
        assert "hooks have network access" in service.examined()["found"]
        assert service.words() == [spoken.keyword]
        service.reload()
        wait_for("the reload", lambda: f"now listens for '{spoken.keyword}'" in service.journal())

        service.kill("KILL")
        wait_for("a restart after SIGKILL", lambda: service.active_again(1))
        service.kill("STOP")
        wait_for("a restart by the watchdog", lambda: service.active_again(2))
        assert service.words() == [spoken.keyword]

        before = len(service.heard())
        open_microphone.play(spoken.path)
        wait_for("the hook after restarts", lambda: len(service.heard()) > before)
    except AssertionError as error:
        raise AssertionError(service.journal()) from error
    finally:
        service.uninstall()
    assert service.show("LoadState") == "not-found"


@pytest.mark.systemd
@pytest.mark.usefixtures("open_microphone")
def test_a_model_that_is_away_for_a_moment_does_not_end_the_service(
    systemd: Systemd, service: Service
) -> None:
    systemd.run("install", "-D", "-m", "644", LOUD, "/srv/models/loud.pt")
    service.install("/srv/models/loud.pt")
    try:
        systemd.run("mv", "/srv/models", "/srv/away")
        service.kill("KILL")
        wait_for("more restarts than systemd's own limit", lambda: int(service.show("NRestarts")) > 7)
        systemd.run("mv", "/srv/away", "/srv/models")
        wait_for("the service", lambda: service.show("ActiveState") == "active")
        assert service.show("SubState") == "running"
    except AssertionError as error:
        raise AssertionError(service.journal()) from error
    finally:
        service.uninstall()


@pytest.mark.systemd
@pytest.mark.usefixtures("open_microphone")
def test_purge_removes_drop_ins_and_recordings(systemd: Systemd) -> None:
    if any(ROOT.is_relative_to(hidden) for hidden in HIDDEN):
        pytest.skip(f"the hardened unit cannot see a checkout in {ROOT}")
    Service(systemd, "--system", "/var/lib/kwsd/heard").install(str(LOUD))
    systemd.run("touch", "/var/lib/kwsd/clip.wav", "/srv/precious")
    systemd.run("ln", "-s", "/srv/precious", "/var/lib/kwsd/link")
    left = ["/etc/systemd/system/kwsd.service.d", "/var/lib/private/kwsd", "/var/lib/kwsd"]
    done = systemd.run(KWSD, "service", "uninstall", "--system")
    assert [line for line in done.stdout.splitlines() if line.startswith("not removed: ")] == [
        f"not removed: {path}" for path in left
    ]
    assert systemd.run("ls", "/var/lib/kwsd/clip.wav").returncode == 0
    done = systemd.run(KWSD, "service", "uninstall", "--system", "--purge")
    assert done.stdout.splitlines() == [f"{path} was removed." for path in left]
    assert systemd.run("ls", *left).stdout == ""
    assert systemd.run("ls", "/srv/precious").returncode == 0


@pytest.mark.systemd
def test_the_words_of_a_command_arrive_as_they_are(systemd: Systemd) -> None:
    words = ["", " ", "\n", "\t", *"'\"\\#;*~@é%$", "a b", "a\\", "\\n", "-x", "a=b", "%h", "%%"]
    words += ["$HOME", "${HOME}", "$$", "$(id)", "`id`", """notify-send "100 %" '$KWSD_TIME'"""]
    draw = random.Random(0)
    letters = [*map(chr, range(1, 128)), *"$%\\\"';{} \t\n" * 5, *"é\x85\u2028\ufeff\U0001f600"]
    words += ["".join(draw.choices(letters, k=draw.randint(1, 8))) for _ in range(2400)]
    line = " ".join(map(quote, ("/usr/bin/printf", "%s\\0", *words)))
    unit = f"[Service]\nType=oneshot\nStandardOutput=file:/run/words\nExecStart={line}\n"
    write = 'printf %s "$1" >/run/systemd/system/words.service && systemctl start words'
    done = systemd.run("sh", "-c", write, "sh", unit)
    assert done.returncode == 0, done.stderr
    arrived = base64.b64decode(systemd.run("base64", "/run/words").stdout)
    assert arrived.decode().split("\0")[:-1] == words


@pytest.mark.parametrize("unit", ["kwsd.service", "kwsd-system.service", "kwsd-run-as.service"])
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


ASK = """
import socket
with socket.socket(socket.AF_UNIX) as client:
    client.connect("/run/kwsd-wyoming/wake.sock")
    client.sendall(b'{"type": "describe"}\\n')
    client.shutdown(socket.SHUT_WR)
    print(client.makefile().read())
"""


@pytest.mark.systemd
def test_the_service_for_home_assistant_serves_and_survives(systemd: Systemd) -> None:
    if any(ROOT.is_relative_to(hidden) for hidden in HIDDEN):
        pytest.skip(f"the hardened unit cannot see a checkout in {ROOT}")
    systemd.run("install", "-D", "-m", "644", LOUD, "/srv/words/shout.pt")
    uri = "unix:///run/kwsd-wyoming/wake.sock"
    options = ("--models", "/srv/words", "--uri", uri, "jarvis")
    done = systemd.run(KWSD, "service", "install", "--system", "--wyoming", *options)
    try:
        assert done.returncode == 0, done.stderr

        def show(name: str) -> str:
            unit = ("--value", "-p", name, "kwsd-wyoming.service")
            return systemd.run("systemctl", "show", *unit).stdout.strip()

        def answers() -> bool:
            told = systemd.run(KWSD.with_name("python"), "-c", ASK).stdout
            return '"name": "jarvis"' in told and '"name": "shout"' in told

        assert show("ActiveState") == "active"
        assert show("StatusText") == f"listening on {uri}"
        assert answers()
        systemd.run("kill", "-KILL", show("MainPID"))
        wait_for("a restart", lambda: int(show("NRestarts")) == 1 and show("ActiveState") == "active")
        assert answers()
        assert show("Result") == "success"
    except AssertionError as error:
        raise AssertionError(systemd.run("journalctl", "--no-pager", "-n", "40").stdout) from error
    finally:
        removed = systemd.run(KWSD, "service", "uninstall", "--system", "--wyoming")
    assert removed.returncode == 0, removed.stderr
