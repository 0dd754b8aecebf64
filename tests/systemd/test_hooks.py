"""What hooks of the installed service may do: docs/service.md's table, cell by cell, in a booted systemd."""

import http.server
import re
import shlex
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import soundfile
from booted import HIDDEN, MICROPHONE, ROOT, Systemd
from harness import KWSD, LOUD, FakeMicrophone, Spoken, wait_for

USER = "kwsdtest"
HOME = f"/home/{USER}"
PYTHON = sys.executable
AS_ROOT = "/usr/local/bin/as-root"  # as sudo is: set-user-ID

# a device that is not there: what may be opened fails for another reason
OPEN = """import errno, os, sys
try: os.open(sys.argv[1], os.O_RDWR | os.O_NONBLOCK)
except OSError as error: sys.exit(error.errno in (errno.EPERM, errno.EACCES))"""

# by the first column of the table in docs/service.md
PROBES = {
    "the network": f"{PYTHON} -c 'import urllib.request as r; r.urlopen(\"http://127.0.0.1:PORT\")'",
    "host names": f"{PYTHON} -c 'import socket; socket.getaddrinfo(\"localhost\", 80)'",
    "the machine's interfaces": f"{PYTHON} -c 'import socket; socket.if_nameindex()'",
    "a program in your home": f"{HOME}/bin/on",
    "`~` and `$HOME`": "~/bin/on && $HOME/bin/on",
    "read a file in your home": f"cat {HOME}/file",
    "write a file in your home": f"touch {HOME}/new.$$",
    "write a file where the service runs": "touch new.$$",
    "write elsewhere": "touch /srv/open/new.$$",
    "see the files that others have in `/tmp`": "cat /tmp/shared",
    "write files that others may read": 'touch new2.$$ && [ "$(stat -c %a new2.$$)" = 644 ]',
    "sudo": f'[ "$({AS_ROOT} -u)" = 0 ]',
    "sudo by way of `systemd-run --user`": f"systemd-run --user --wait -q sh -c '[ $({AS_ROOT} -u) = 0 ]'",
    "the session's D-Bus": "busctl --user --timeout=3 list",
    "your other user services": "systemctl --user list-units",
    "the system's D-Bus": "busctl --system --timeout=3 list",
    "the sound server": "env -u PULSE_SERVER paplay /share/beep.wav",
    "ALSA's devices": f"{PYTHON} -c '{OPEN}' /srv/sound",
    "GPIO": f"{PYTHON} -c '{OPEN}' /srv/gpio",
    "serial ports": f"{PYTHON} -c '{OPEN}' /srv/serial",
    "real-time priority with sudo": f"{AS_ROOT}-chrt -f 1 true",
    "lower priority": "nice -n 10 true",
    "a debugger": f"{PYTHON} -c 'import ctypes, sys; sys.exit(ctypes.CDLL(None).ptrace(0, 0, 0, 0) != 0)'",
    "other users' processes": "[ -d /proc/1 ]",
    "the log": "echo heard | systemd-cat",
}

SET_UP = f"""
id {USER} || useradd -m -s /bin/sh {USER}
for group in audio gpio dialout; do getent group $group || groupadd $group; usermod -aG $group {USER}; done
mkdir -p {HOME}/bin /srv/open
printf '#!/bin/sh\\n' >{HOME}/bin/on
chmod 755 {HOME}/bin {HOME}/bin/on
touch {HOME}/file /tmp/shared
chown -R {USER} {HOME}
chmod 700 {HOME}
chmod 1777 /srv/open
install -m 4755 /usr/bin/id {AS_ROOT}
install -m 4755 /usr/bin/chrt {AS_ROOT}-chrt
[ -e /srv/sound ] || mknod -m 660 /srv/sound c 116 33; chgrp audio /srv/sound
[ -e /srv/gpio ] || mknod -m 660 /srv/gpio c 254 77; chgrp gpio /srv/gpio
[ -e /srv/serial ] || mknod -m 660 /srv/serial c 188 77; chgrp dialout /srv/serial
for kind in user system; do
    mkdir -p /etc/systemd/$kind/kwsd.service.d
    printf '%s' "$0" >/etc/systemd/$kind/kwsd.service.d/test.conf
done
systemctl start dbus || true
systemctl start user@$(id -u {USER})
"""


@dataclass(frozen=True)
class Kind:
    """One of the three services, as it is installed."""

    options: tuple[str, ...]
    folder: str  # where it runs

    @property
    def scope(self) -> str:
        return "--system" if "--system" in self.options else "--user"

    @property
    def hardened(self) -> bool:
        return self.options == ("--system",)


KINDS = {
    "--user": Kind((), HOME),
    "--system": Kind(("--system",), "/var/lib/kwsd"),
    "--system --run-as USER": Kind(("--system", "--run-as", USER), HOME),
}


class Machine:
    """The booted systemd with a user, whose home is closed, and devices that are not there."""

    def __init__(self, systemd: Systemd, shared: Path, port: int) -> None:
        self._systemd = systemd
        done = systemd.run("sh", "-ec", SET_UP, MICROPHONE)
        if done.returncode:
            pytest.skip(f"no user to be had in the booted systemd: {done.stderr}")
        self.number = systemd.run("id", "-u", USER).stdout.strip()
        lines = ['exec >"$1" 2>"$1.errors" </dev/null']
        for number, probe in enumerate(PROBES.values()):
            probe = probe.replace("PORT", str(port))
            lines.append(f"timeout 10 sh -c {shlex.quote(probe)} >&2 && echo {number}")
        lines.append("echo end")
        (shared / "probe.sh").write_text("\n".join(lines) + "\n")
        soundfile.write(shared / "beep.wav", [0.0] * 1600, 16_000)
        server = "pulseaudio -n --exit-idle-time=-1 -L module-native-protocol-unix -L module-null-sink"
        self.run(KINDS["--user"], "systemd-run", "--user", *server.split())

    def run(self, kind: Kind, *command: str | Path) -> "tuple[int, str]":
        """Run a command as who installs the service: the user, or root. Exit code and what it prints."""
        if kind.scope == "--user":
            variables = (f"XDG_RUNTIME_DIR=/run/user/{self.number}", f"HOME={HOME}")
            command = ("runuser", "-u", USER, "--", "env", "-C", HOME, *variables, *command)
        done = self._systemd.run(*command)
        return done.returncode, done.stdout + done.stderr

    def install(self, kind: Kind, *options: str) -> str:
        """Install the service with listen options; what that prints."""
        code, printed = self.run(kind, KWSD, "service", "install", *kind.options, "--model", LOUD, *options)
        assert code == 0, printed + self.journal()
        return printed

    def uninstall(self, kind: Kind) -> None:
        code, printed = self.run(kind, KWSD, "service", "uninstall", *kind.options[:1])
        assert code == 0, printed

    def wait_for_line(self, path: str, line: str) -> list[str]:
        """The lines of a file, once this one is among them."""

        def lines() -> list[str]:
            found = self._systemd.run("cat", path).stdout.split("\n")
            return found if line in found else []

        found: list[str] = wait_for(f"{line} in {path}", lines)
        return found

    def errors(self, path: str) -> str:
        """What the probes that failed said; the test's output."""
        found = self._systemd.run("cat", f"{path}.errors").stdout
        print(found)
        return found

    def journal(self) -> str:
        return self._systemd.run("journalctl", "--no-pager", "-n", "60").stdout


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """Of a web server."""
    server = http.server.HTTPServer(("127.0.0.1", 0), http.server.SimpleHTTPRequestHandler)
    threading.Thread(target=server.serve_forever).start()
    yield server.server_port
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def machine(systemd: Systemd, shared: Path, port: int) -> Machine:
    return Machine(systemd, shared, port)


@pytest.fixture(scope="module")
def possible(machine: Machine) -> set[str]:
    """What the user may do in a terminal of this machine."""
    code, printed = machine.run(KINDS["--user"], "sh", "/share/probe.sh", f"{HOME}/terminal")
    assert code == 0, printed
    found = machine.wait_for_line(f"{HOME}/terminal", "end")
    return {name for number, name in enumerate(PROBES) if str(number) in found}


def has_alsa() -> bool:
    """Whether the kernel knows the devices that the hardened unit allows by their name."""
    return bool(re.search(r"\balsa$", Path("/proc/devices").read_text(), re.MULTILINE))


def table() -> dict[str, list[bool]]:
    """Rows of the table in docs/service.md: what a hook may do in each kind of service."""
    rows = {}
    for line in (ROOT / "docs/service.md").read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) == 4 and all(re.match(r"(yes|no)\b", cell) for cell in cells[1:]):
            rows[cells[0]] = [cell.startswith("yes") for cell in cells[1:]]
    return rows


def tried(
    machine: Machine, kind: Kind, microphone: FakeMicrophone, loud: Spoken, *options: str
) -> list[bool]:
    """Which of PROBES a hook of the service may do."""
    if kind.hardened and any(ROOT.is_relative_to(hidden) for hidden in HIDDEN):
        pytest.skip(f"the hardened unit cannot see a checkout in {ROOT}")
    result = f"{kind.folder}/result.{len(kind.options) + len(options)}"
    hook = f"sh /share/probe.sh {result}"
    printed = machine.install(kind, *options, "--on-trigger", hook, "--hook-timeout", "100")
    assert (
        "Hooks have no network access." if options else "Hooks have network access; --no-network denies it."
    ) in printed
    try:
        microphone.play(loud.path)
        found = machine.wait_for_line(result, "end")
        assert machine.errors(result)
    finally:
        machine.uninstall(kind)
    return [str(number) in found for number in range(len(PROBES))]


@pytest.mark.systemd
@pytest.mark.parametrize("name", KINDS)
def test_hooks_may_do_what_the_table_says(
    name: str, machine: Machine, possible: set[str], open_microphone: FakeMicrophone, loud: Spoken
) -> None:
    column = list(KINDS).index(name)
    documented = {row: cells[column] for row, cells in table().items()}
    assert documented.keys() == PROBES.keys()
    found = dict(zip(PROBES, tried(machine, KINDS[name], open_microphone, loud), strict=True))
    decidable = possible - (set() if has_alsa() else {"ALSA's devices"})
    assert {row: found[row] for row in decidable} == {row: documented[row] for row in decidable}


@pytest.mark.systemd
@pytest.mark.parametrize("name", KINDS)
def test_the_network_can_be_denied(
    name: str, machine: Machine, open_microphone: FakeMicrophone, loud: Spoken
) -> None:
    found = dict(zip(PROBES, tried(machine, KINDS[name], open_microphone, loud, "--no-network"), strict=True))
    assert not found["the network"]
    assert found["the log"]
    assert found["sudo"] == (name == "--system --run-as USER")
