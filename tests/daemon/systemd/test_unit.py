"""The texts of the unit files: what each of the three restricts, and who may change it."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from kwsd.daemon.systemd import service, unit
from kwsd.daemon.systemd.account import Account
from kwsd.daemon.systemd.service import Service
from kwsd.daemon.systemd.unit import (
    is_signed,
    is_written_by_kwsd,
    run_as_unit,
    sign,
    system_unit,
    user_unit,
    wyoming_unit,
)
from kwsd.errors import UsageError

COMMAND = ("/usr/bin/true", "listen", "--on-trigger", "echo UID USER ExecStart=1")
ALICE = Account("alice", 1234, frozenset((1234,)), Path("/home/alice"))


def settings(text: str) -> dict[str, str]:
    return dict(line.split("=", 1) for line in text.splitlines() if "=" in line and not line.startswith("#"))


def of_each_kind(network: bool) -> dict[str, str]:
    return {
        "user": user_unit(COMMAND, network),
        "system": system_unit(COMMAND, network, ()),
        "run-as": run_as_unit(COMMAND, network, ALICE),
    }


def every_unit() -> dict[str, str]:
    kinds = {"wyoming-user": False, "wyoming-system": True}
    return of_each_kind(network=True) | {
        name: wyoming_unit(COMMAND, kind, ()) for name, kind in kinds.items()
    }


def test_without_a_network_every_unit_denies_it() -> None:
    denied = {kind: settings(text) for kind, text in of_each_kind(network=False).items()}
    assert (
        denied["user"]["RestrictAddressFamilies"] == denied["system"]["RestrictAddressFamilies"] == "AF_UNIX"
    )
    assert denied["system"]["PrivateNetwork"] == denied["run-as"]["PrivateNetwork"] == "yes"
    assert denied["system"]["IPAddressDeny"] == "any"


def test_with_a_network_nothing_denies_it() -> None:
    for kind, text in of_each_kind(network=True).items():
        found = settings(text)
        assert found.get("RestrictAddressFamilies") == (
            None if kind == "run-as" else "AF_UNIX AF_INET AF_INET6 AF_NETLINK"
        )
        assert "IPAddressDeny" not in found
        assert "PrivateNetwork" not in found


def test_the_command_is_filled_in_as_it_is() -> None:
    for text in of_each_kind(network=True).values():
        assert settings(text)["ExecStart"] == '/usr/bin/true listen --on-trigger "echo UID USER ExecStart=1"'


def test_the_unit_that_runs_as_a_user_has_the_sound_server_and_the_home_of_that_user() -> None:
    text = run_as_unit(COMMAND, True, ALICE)
    assert settings(text)["User"] == "alice"
    assert settings(text)["WorkingDirectory"] == "-~"
    assert "Environment=XDG_RUNTIME_DIR=/run/user/1234" in text.splitlines()
    assert "Environment=DBUS_SESSION_BUS_ADDRESS=unix:path=/run/user/1234/bus" in text.splitlines()
    assert settings(text)["Wants"] == settings(text)["After"] == "user@1234.service"


def test_nothing_in_the_unit_that_runs_as_a_user_takes_sudo_from_hooks() -> None:
    """NoNewPrivileges, or what implies it for a unit with User= (systemd.exec(5))."""
    implies = re.compile(
        "NoNewPrivileges|SystemCall|RestrictAddressFamilies|RestrictNamespaces|RestrictRealtime|RestrictSUIDSGID|"
        "MemoryDenyWriteExecute|LockPersonality|PrivateDevices|ProtectHostname|ProtectClock|ProtectKernel"
    )
    for network in (False, True):
        assert [key for key in settings(run_as_unit(COMMAND, network, ALICE)) if implies.match(key)] == []


def test_what_lies_in_a_home_lifts_the_hardened_unit_s_curtain_to_read_only(tmp_path: Path) -> None:
    assert settings(system_unit(COMMAND, False, [Path("/opt/x")]))["ProtectHome"] == "yes"
    assert settings(system_unit(COMMAND, False, [Path("/home/a/x")]))["ProtectHome"] == "read-only"
    (tmp_path / "link").symlink_to("/home/a/x")
    assert settings(system_unit(COMMAND, False, [tmp_path / "link"]))["ProtectHome"] == "read-only"


KINDS = ["user", "system", "run-as", "wyoming-user", "wyoming-system"]


def test_the_service_for_home_assistant_has_a_network_and_little_else() -> None:
    user, system = (settings(wyoming_unit(COMMAND, system, ())) for system in (False, True))
    for found in (user, system):
        assert found["RestrictAddressFamilies"] == "AF_UNIX AF_INET AF_INET6 AF_NETLINK"
        assert found["ExecStart"].startswith("/usr/bin/true listen")
    assert "User" not in user
    assert (system["DynamicUser"], system["PrivateDevices"], system["ProtectHome"]) == ("yes", "yes", "yes")
    assert settings(wyoming_unit(COMMAND, True, [Path("/home/a/x")]))["ProtectHome"] == "read-only"


@pytest.mark.parametrize("kind", KINDS)
def test_no_number_of_restarts_is_the_last(kind: str) -> None:
    text = every_unit()[kind]
    unit_section = text.partition("[Service]")[0]
    assert settings(unit_section)["StartLimitIntervalSec"] == "0"
    assert settings(text)["Restart"] == "on-failure"
    assert settings(text)["RestartPreventExitStatus"] == "2"


@pytest.mark.parametrize("kind", KINDS)
def test_the_filled_in_unit_is_valid(kind: str, tmp_path: Path) -> None:
    if not shutil.which("systemd-analyze"):
        pytest.skip("systemd-analyze is not installed")
    path = tmp_path / "kwsd.service"
    path.write_text(sign(every_unit()[kind]))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", path], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_the_scores_of_systemd_analyze_are_the_documented_ones(tmp_path: Path) -> None:
    if not shutil.which("systemd-analyze"):
        pytest.skip("systemd-analyze is not installed")
    version = subprocess.run(
        ["systemd-analyze", "--version"], capture_output=True, text=True, check=True
    ).stdout
    if not version.startswith("systemd 252 "):
        pytest.skip("scores differ from version to version; documented are those of systemd 252")

    def score(unit_text: str) -> str:
        path = tmp_path / "kwsd.service"
        path.write_text(unit_text)
        line = ["systemd-analyze", "--no-pager", "security", "--offline=true", path]
        done = subprocess.run(line, capture_output=True, text=True, check=True)
        return re.findall(r"Overall exposure level for kwsd.service: ([\d.]+)", done.stdout)[0]

    document = (Path(__file__).parents[3] / "docs/service.md").read_text()
    names = {"user": "`--user`", "system": "`--system`", "run-as": "`--system --run-as USER`"}
    for kind, name in names.items():
        scores = [score(of_each_kind(network)[kind]) for network in (True, False)]
        assert f"| {name} | {' | '.join(scores)} |" in document


def test_a_changed_unit_is_seen() -> None:
    text = sign(user_unit(COMMAND, False))
    assert is_signed(text)
    for changed in (text + "#", text.replace("RestartSec=2", "RestartSec=5"), text.partition("\n")[2]):
        assert not is_signed(changed)
        assert is_written_by_kwsd(changed)
    assert not is_written_by_kwsd("[Service]\nExecStart=kwsd service install\n")


def test_a_word_that_is_not_unicode_is_refused() -> None:
    with pytest.raises(UsageError, match=r"'caf\\udce9' cannot be written to a unit file"):
        user_unit(("kwsd", "caf\udce9"), False)


@pytest.fixture
def closed(tmp_path: Path) -> Path:
    path = tmp_path / "closed/model.pt"
    path.parent.mkdir(mode=0o700)
    path.write_text("")
    return path


def test_files_that_the_machine_s_service_cannot_read_are_refused(closed: Path) -> None:
    for run_as in (None, ALICE):
        with pytest.raises(UsageError, match=f"the service cannot read {closed}"):
            Service(True, run_as).unit(["/bin/true"], False, [closed])
    Service(False).unit(["/bin/true"], False, [closed])


def test_files_that_the_hardened_service_cannot_see_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = tmp_path / "model.pt"
    model.write_text("")
    monkeypatch.setattr(Account, "denied_by", lambda *_: None)
    monkeypatch.setattr(unit, "PRIVATE", (tmp_path,))
    with pytest.raises(UsageError, match="has its own /tmp and cannot see"):
        Service(True).unit(["/bin/true"], False, [model])
    Service(True, ALICE).unit(["/bin/true"], False, [model])


def test_the_machine_s_service_leaves_its_recordings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As systemd lays them: a folder in private/, and a link to it."""
    state = tmp_path / "lib/kwsd"
    private = tmp_path / "lib/private/kwsd"
    private.mkdir(parents=True)
    (private / "clip.wav").write_text("")
    state.symlink_to("private/kwsd")
    monkeypatch.setattr(unit, "STATE", state)
    monkeypatch.setattr(service, "SYSTEM_UNITS", tmp_path / "units")
    assert Service(True).leftovers() == [private, state]
    assert service.remove(private) is None
    assert service.remove(state) is None
    assert Service(True).leftovers() == []
    assert [path.name for path in (tmp_path / "lib").iterdir()] == ["private"]


@pytest.mark.parametrize(
    ("installed", "fix"), [("private", "install kwsd for all users"), ("opt", "move it")]
)
def test_a_closed_installation_is_not_told_to_move(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, installed: str, fix: str
) -> None:
    model = tmp_path / "private" / "a.pt"
    model.parent.mkdir(mode=0o700)
    model.touch()
    monkeypatch.setattr("sys.prefix", str(tmp_path / installed))
    with pytest.raises(UsageError, match=f"denies it; {fix}"):
        Service(system=True).unit(COMMAND, network=True, reads=[model])
