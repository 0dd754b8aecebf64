"""The checks that no test machine can fail for real: hardware, groups, services."""

import getpass
import grp
import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from fake_card import FakeCards

from kwsd.audio.alsa import holders
from kwsd.daemon import diagnostics as doctor
from kwsd.daemon.diagnostics import CheckError, SkipError, Subject
from kwsd.daemon.systemd.service import network_is_allowed

SUBJECT = Subject(None, ("student",))


@pytest.fixture
def sound_card(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The file by which a sound card records."""
    node = tmp_path / "snd" / "pcmC0D0c"
    node.parent.mkdir()
    node.touch()
    monkeypatch.setattr(doctor, "DEVICE_NODES", node.parent)
    return node


def test_the_right_to_a_sound_card(sound_card: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert str(sound_card) in doctor.permission(SUBJECT)
    monkeypatch.setattr(os, "access", lambda *_: False)
    user, group = getpass.getuser(), grp.getgrgid(sound_card.stat().st_gid).gr_name
    with pytest.raises(CheckError, match="may not open") as caught:
        doctor.permission(SUBJECT)
    assert caught.value.fix == f"sudo usermod -aG {group} {user}; log in again"
    monkeypatch.setattr(grp, "getgrgid", lambda number: grp.struct_group((group, "x", number, [user])))
    with pytest.raises(CheckError, match="after logging in") as caught:
        doctor.permission(SUBJECT)
    assert caught.value.fix == f"newgrp {group}"


def test_a_sound_card_needs_no_server(
    sound_card: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("PULSE_SERVER", raising=False)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    with pytest.raises(SkipError, match="ALSA directly"):
        doctor.server(SUBJECT)
    sound_card.unlink()
    with pytest.raises(CheckError, match=f"neither PipeWire nor PulseAudio has a socket in {tmp_path}"):
        doctor.server(SUBJECT)


def test_a_server_that_is_dead_or_not_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("PULSE_SERVER", raising=False)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "pipewire-0"))
        listening.listen()
        assert doctor.server(SUBJECT) == f"PipeWire at {tmp_path}/pipewire-0"
    with pytest.raises(CheckError, match="does not answer") as caught:
        doctor.server(SUBJECT)
    assert caught.value.fix == "systemctl --user restart pipewire pipewire-pulse"
    monkeypatch.setenv("PULSE_SERVER", "tcp:elsewhere")
    with pytest.raises(SkipError, match="tcp:elsewhere"):
        doctor.server(SUBJECT)


@pytest.fixture
def systemd(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[str], None]:
    """Makes a systemctl that knows this of the machine's kwsd, and of the user's nothing."""

    def make(facts: str) -> None:
        program = tmp_path / "systemctl"
        program.write_text(f'#!/bin/sh\n[ "$1" = --user ] && exit 1\nprintf "{facts}"\n')
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")

    return make


@pytest.mark.parametrize(
    ("state", "fix"),
    [
        ("inactive", "systemctl --system start kwsd.service"),
        ("failed", "journalctl --system -e -u kwsd.service"),
        ("activating", "journalctl --system -e -u kwsd.service"),
    ],
)
def test_a_service_that_does_not_run(systemd: Callable[[str], None], state: str, fix: str) -> None:
    systemd(rf"NRestarts=3\nStatusText=\nLoadState=loaded\nActiveState={state}\n")
    with pytest.raises(CheckError) as caught:
        doctor.service(SUBJECT)
    assert caught.value.fix == fix


def test_a_service_that_runs(systemd: Callable[[str], None]) -> None:
    facts = r"NRestarts=3\nStatusText=USB: 1 = one trigger\nLoadState=loaded\nActiveState=active\n"
    systemd(facts + r"RestrictAddressFamilies=AF_UNIX\nPrivateNetwork=no\n")
    assert doctor.service(SUBJECT) == "active, 3 restarts, hooks have no network access; USB: 1 = one trigger"
    systemd(facts + r"RestrictAddressFamilies=AF_INET AF_UNIX\nPrivateNetwork=no\n")
    assert doctor.service(SUBJECT) == "active, 3 restarts, hooks have network access; USB: 1 = one trigger"


@pytest.mark.parametrize(
    ("families", "private", "allowed"),
    [
        ("AF_UNIX", "no", False),
        ("AF_UNIX AF_INET AF_INET6", "no", True),
        ("AF_UNIX AF_INET AF_INET6", "yes", False),
        ("~", "no", True),  # no restriction at all
        ("~AF_INET", "no", False),
        ("~AF_PACKET", "no", True),
    ],
)
def test_whether_a_unit_has_a_network(families: str, private: str, allowed: bool) -> None:
    facts = {"RestrictAddressFamilies": families, "PrivateNetwork": private}
    assert network_is_allowed(facts) == allowed


def test_no_service(systemd: Callable[[str], None], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    systemd(r"LoadState=not-found\n")
    with pytest.raises(SkipError, match="not installed") as caught:
        doctor.service(SUBJECT)
    assert caught.value.fix == "kwsd service install"
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    with pytest.raises(SkipError, match="systemd is not installed"):
        doctor.service(SUBJECT)


def test_a_microphone_that_kwsds_own_service_has(
    fake_cards: FakeCards, systemd: Callable[[str], None], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(holders, "PROC", tmp_path / "proc")
    status = tmp_path / "proc/asound/card0/pcm0c/sub0/status"
    status.parent.mkdir(parents=True)
    status.write_text("owner_pid   : 77\n")
    (tmp_path / "proc/77").mkdir()
    (tmp_path / "proc/77/comm").write_text("kwsd\n")
    fake_cards.add("card")
    fake_cards.set("card", "busy")
    systemd(r"MainPID=77\nLoadState=loaded\nActiveState=active\n")
    assert doctor.device(SUBJECT) == "in use by kwsd's own service (pid 77)"
    with pytest.raises(SkipError, match=r"in use by kwsd's own service \(pid 77\)") as caught:
        doctor.level(SUBJECT)
    assert caught.value.fix == "systemctl --system stop kwsd.service"
    systemd(r"MainPID=78\nLoadState=loaded\nActiveState=active\n")
    with pytest.raises(CheckError, match=r"'card' is in use by kwsd \(pid 77\)") as caught:
        doctor.device(SUBJECT)
    assert caught.value.fix == "fuser -v /dev/snd/*"


def test_an_audio_system_that_hangs_is_said(fake_cards: FakeCards, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kwsd.audio.reconnecting.OPEN_TIMEOUT", 0.1)
    fake_cards.add("card")
    fake_cards.set("card", "hang")
    with pytest.raises(CheckError, match="the audio system has not answered"):
        doctor.device(Subject("card", ("student",)))
    fake_cards.clear("card", "hang")


def test_a_machine_that_is_too_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "CPU per second of audio" in doctor.speed(SUBJECT)
    monkeypatch.setattr(doctor, "MAX_CPU", 0.0)
    with pytest.raises(CheckError) as caught:
        doctor.speed(SUBJECT)
    assert caught.value.fix.startswith("kwsd listen --step ")
