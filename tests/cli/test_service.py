"""``kwsd service`` with a systemctl that does as it is told; tests/systemd has a real one."""

import os
import re
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from harness import KWSD, LOUD

from kwsd.cli.commands import cli
from kwsd.daemon.systemd import service as daemon_service
from kwsd.daemon.systemd.account import Account

HOOK_SOCKETS = "AF_UNIX AF_INET AF_INET6 AF_NETLINK"
Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs ``kwsd service``; systemctl logs what it is asked and fails at the command that $FAILS names."""
    monkeypatch.delenv("SUDO_USER", raising=False)  # whoever runs the tests may have come by sudo
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "systemctl").write_text(
        f'#!/bin/sh\necho "$@" >>{tmp_path}/asked\n'
        f'[ "$2" = show-environment ] && cat {tmp_path}/environment 2>/dev/null\n'
        'case "$2" in "$FAILS") echo "Failed to connect to bus" >&2; exit 1;; esac\n'
    )
    (programs / "systemctl").chmod(0o755)

    def run(
        *arguments: str | bytes | Path,
        fails: str = "",
        path: str = f"{programs}:{os.environ['PATH']}",
        cwd: Path | None = LOUD.parent,
        before: tuple[str, ...] = (),
    ) -> object:
        """cwd: None for a folder that is gone."""
        gone = ["sh", "-c", 'mkdir gone && cd gone && rmdir ../gone && exec "$0" "$@"']
        return subprocess.run(
            [*([] if cwd else gone), *before, KWSD, "service", *arguments],
            env=os.environ | {"XDG_CONFIG_HOME": str(tmp_path / "config"), "PATH": path, "FAILS": fails},
            cwd=cwd or tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )

    return run


def unit(tmp_path: Path) -> Path:
    return tmp_path / "config/systemd/user/kwsd.service"


def test_it_is_installed_with_its_options_and_removed(service: Run, tmp_path: Path) -> None:
    hook = 'notify-send "heard at 100 %: $KWSD_KEYWORD"'
    options = ("--model", "loud.pt", "--threshold", "0.75", "--exit-on-loss", "--on-trigger", hook)
    done = service("install", *options, "--on-trigger", "true", "--save-clips", "clips")
    assert done.returncode == 0, done.stderr
    line = next(line for line in unit(tmp_path).read_text().splitlines() if line.startswith("ExecStart="))
    assert line == (
        f"ExecStart={KWSD} listen --model {LOUD} --exit-on-loss --threshold 0.75 "
        r'--on-trigger "notify-send \"heard at 100 %%: $$KWSD_KEYWORD\"" --on-trigger true '
        f"--save-clips {LOUD.parent}/clips"
    )
    assert service("uninstall").returncode == 0
    assert not unit(tmp_path).exists()
    assert (tmp_path / "asked").read_text().splitlines() == [
        "--user show-environment",  # before anything is written: is there a systemd to talk to?
        "--user daemon-reload",
        "--user enable kwsd.service",
        "--user restart kwsd.service",
        "--user disable --now kwsd.service",
        "--user daemon-reload",
    ]


def test_it_is_installed_with_several_words(service: Run, tmp_path: Path) -> None:
    config = tmp_path / "words.toml"
    config.write_text('[word.happy]\non-trigger = ["true"]\n')
    done = service("install", "happy", "--model", "loud.pt", "--threshold", "0.75", "--config", config)
    assert done.returncode == 0, done.stderr
    line = next(line for line in unit(tmp_path).read_text().splitlines() if line.startswith("ExecStart="))
    words = line.removeprefix(f"ExecStart={KWSD} listen ").split()
    assert words[words.index("--model") + 1] == str(LOUD)
    assert "happy" in words
    assert "Hooks have network access; --no-network denies it." in done.stdout.splitlines()  # the word's own
    done = service("install", "happy", "happy")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "the word 'happy' is given twice" in done.stderr


def test_a_word_without_its_ending_is_the_path_of_its_file(service: Run, tmp_path: Path) -> None:
    for options, name in ((("loud",), "kwsd"), (("--wyoming", "loud"), "kwsd-wyoming")):
        done = service("install", *options)
        assert done.returncode == 0, done.stderr
        [line] = re.findall("^ExecStart=.*", unit(tmp_path).with_stem(name).read_text(), re.MULTILINE)
        assert line.endswith(f" {LOUD}")


def test_a_table_that_means_a_file_of_the_working_folder_is_refused(service: Run, tmp_path: Path) -> None:
    config = tmp_path / "words.toml"
    config.write_text("[word.loud]\nthreshold = 0.75\n")
    for words in ((), ("loud",)):
        done = service("install", *words, "--config", config)
        assert (done.returncode, done.stderr.count("\n")) == (2, 1)
        assert f"[word.loud]: set model to {LOUD}, because the service runs in another folder" in done.stderr
    config.write_text(f"[word.loud]\nmodel = '{LOUD}'\n")
    assert service("install", "loud", "--config", config).returncode == 0
    assert re.search("^ExecStart=.* loud( |$)", unit(tmp_path).read_text(), re.MULTILINE)


def test_the_service_for_home_assistant_is_one_of_its_own(service: Run, tmp_path: Path) -> None:
    options = ("loud.pt", "--uri", "tcp://0.0.0.0:10400", "--models", "training", "--zeroconf")
    options += ("--threshold", "loud=0.8", "--threshold", "0.7")
    done = service("install", "--wyoming", *options)
    assert done.returncode == 0, done.stderr
    path = unit(tmp_path).with_name("kwsd-wyoming.service")
    line = next(line for line in path.read_text().splitlines() if line.startswith("ExecStart="))
    models = LOUD.parent / "training"
    assert line == (
        f"ExecStart={KWSD} wyoming {LOUD} --uri tcp://0.0.0.0:10400 --models {models} "
        '--threshold loud=0.8 --threshold 0.7 --zeroconf ""'
    )
    assert "journalctl --user -u kwsd-wyoming -f" in done.stdout
    assert not unit(tmp_path).exists()
    assert service("uninstall").returncode == 2  # the other one is not installed
    assert service("uninstall", "--wyoming").returncode == 0
    assert not path.exists()
    assert (tmp_path / "asked").read_text().splitlines()[-2:] == [
        "--user disable --now kwsd-wyoming.service",
        "--user daemon-reload",
    ]


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (("--uri", "stdio://"), "no client starts it"),
        (("--uri", "nonsense"), "give tcp://ADDRESS:PORT"),
        (("nobody",), "nobody"),
        (("--threshold", "high"), "'high' is not a valid"),
        (("--threshold", "jarvs=0.8"), "no word has this name"),
        (("--no-network",), "hooks, which kwsd wyoming does not have"),
        (("--system", "--uri", "unix:///tmp/x"), "the socket must be in /run/kwsd-wyoming"),
    ],
)
def test_what_the_service_for_home_assistant_cannot_use_is_refused(
    service: Run, tmp_path: Path, options: tuple[str, ...], complaint: str
) -> None:
    done = service("install", "--wyoming", *options)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
    assert complaint in done.stderr
    assert not (tmp_path / "config").exists()


def settings(text: str, key: str) -> list[str]:
    return [line.partition("=")[2] for line in text.splitlines() if line.startswith(f"{key}=")]


@pytest.mark.parametrize(
    ("options", "families", "says"),
    [
        ((), "AF_UNIX", "No hooks, so network access is denied."),
        (("--on-trigger", "true"), HOOK_SOCKETS, "Hooks have network access; --no-network denies it."),
        (("--on-trigger", "true", "--no-network"), "AF_UNIX", "Hooks have no network access."),
        (("--no-network",), "AF_UNIX", "No hooks, so network access is denied."),
    ],
)
def test_hooks_have_a_network_unless_it_is_denied(
    service: Run, tmp_path: Path, options: tuple[str, ...], families: str, says: str
) -> None:
    done = service("install", *options)
    assert done.returncode == 0, done.stderr
    assert settings(unit(tmp_path).read_text(), "RestrictAddressFamilies") == [families]
    assert says in done.stdout.splitlines()


def test_hooks_of_the_configuration_have_a_network_too(service: Run, tmp_path: Path) -> None:
    config = tmp_path / "config/kwsd/config.toml"
    config.parent.mkdir(parents=True)
    config.write_text('on-trigger = ["nosuch", "true"]\n')
    done = service("install")
    assert done.returncode == 0, done.stderr
    assert settings(unit(tmp_path).read_text(), "RestrictAddressFamilies") == [HOOK_SOCKETS]
    assert "hook 'nosuch': 'nosuch' is not in the service's PATH" in done.stderr


def test_hooks_are_looked_for_in_the_path_that_systemd_gives_them(service: Run, tmp_path: Path) -> None:
    folder = tmp_path / "a b"
    folder.mkdir()
    (folder / "lights").write_text("#!/bin/sh\n")
    (folder / "lights").chmod(0o755)
    assert "'lights' is not in the service's PATH" in service("install", "--on-trigger", "lights").stderr
    (tmp_path / "environment").write_text(f"HOME=/\nPATH=$'/usr/bin:{folder}'\n")
    assert service("install", "--on-trigger", "lights").stderr == ""


def test_what_to_do_next_is_said(service: Run) -> None:
    said = service("install").stdout
    for command in (
        "journalctl --user -u kwsd -f",
        "kwsd service status",
        "systemctl --user stop kwsd",
        "systemctl --user restart kwsd",
        "kwsd service uninstall",
    ):
        assert command in said
    assert "journalctl --user -u kwsd -f" in service("status").stdout


def test_the_word_that_cannot_be_encoded_leaves_the_old_unit(service: Run, tmp_path: Path) -> None:
    assert service("install", "--on-trigger", "echo one").returncode == 0
    before = unit(tmp_path).read_bytes()
    done = service("install", "--on-trigger", b"echo caf\351")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.endswith(
        r"'echo caf\udce9' cannot be written to a unit file, which is UTF-8: rename it" + "\n"
    )
    assert done.stderr.count("\n") == 1
    assert unit(tmp_path).read_bytes() == before


def test_it_may_be_installed_again(service: Run, tmp_path: Path) -> None:
    assert service("install", "--on-trigger", "echo one").returncode == 0
    old = tmp_path / "old"
    old.hardlink_to(unit(tmp_path))
    assert service("install", "--on-trigger", "echo two").returncode == 0
    assert "echo two" in unit(tmp_path).read_text()
    assert "echo one" in old.read_text()  # it was replaced, not overwritten
    assert [path.name for path in unit(tmp_path).parent.iterdir()] == ["kwsd.service"]


@pytest.mark.parametrize("command", ["install", "uninstall"])
@pytest.mark.parametrize(
    ("target", "says"),
    [
        ("/dev/null", "is masked: systemctl --user unmask kwsd.service"),
        ("/elsewhere/unit", "is a symbolic link to /elsewhere/unit"),
        ("mine", "is a symbolic link to mine"),
    ],
)
def test_a_link_or_a_masked_unit_is_reported_not_followed(
    service: Run, tmp_path: Path, command: str, target: str, says: str
) -> None:
    path = unit(tmp_path)
    path.parent.mkdir(parents=True)
    path.with_name("mine").write_text("mine")
    path.symlink_to(target)
    done = service(command)
    assert done.returncode == 2
    assert says in done.stderr
    assert path.is_symlink()
    assert path.with_name("mine").read_text() == "mine"


def make_folder(path: Path) -> None:
    path.mkdir(parents=True)


def make_pipe(path: Path) -> None:
    path.parent.mkdir(parents=True)
    os.mkfifo(path)


def make_endless(path: Path) -> None:
    path.parent.mkdir(parents=True)
    with path.open("wb") as file:
        file.truncate(2**40)


@pytest.mark.parametrize("make", [make_folder, make_pipe, make_endless])
@pytest.mark.parametrize("command", ["install", "uninstall"])
def test_what_is_no_unit_file_at_all_is_refused(
    service: Run, tmp_path: Path, command: str, make: Callable[[Path], None]
) -> None:
    make(unit(tmp_path))
    done = service(command)
    assert done.returncode == 2
    assert f"{unit(tmp_path)} is not a unit file: move it away" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_a_home_that_may_not_be_entered_is_one_line(service: Run, tmp_path: Path) -> None:
    (tmp_path / "config").mkdir(mode=0o700)
    for folder in (tmp_path, tmp_path.parent, tmp_path.parent.parent):
        folder.chmod(0o755)
    for command in ("install", "uninstall"):
        done = service(command, before=("setpriv", "--reuid=54321", "--clear-groups"))
        assert done.returncode == 2
        assert done.stderr == f"kwsd: cannot read {unit(tmp_path)}: Permission denied\n"


def test_without_a_working_directory_it_says_so(service: Run) -> None:
    assert service("install", "--model", "happy", cwd=None).returncode == 0
    done = service("install", "--save-clips", "clips", cwd=None)
    assert done.returncode == 2
    assert (
        done.stderr == "kwsd: cannot resolve clips: the working directory does not exist; cd to another one\n"
    )


@pytest.mark.parametrize("text", ["[Service]\nExecStart=/usr/bin/mine\n", "", b"\xff"])
def test_a_unit_of_somebody_else_is_not_touched(service: Run, tmp_path: Path, text: str | bytes) -> None:
    content = text.encode() if isinstance(text, str) else text
    unit(tmp_path).parent.mkdir(parents=True)
    unit(tmp_path).write_bytes(content)
    for command in ("install", "uninstall"):
        done = service(command)
        assert done.returncode == 2
        assert "was not written by kwsd service install: move it away" in done.stderr
        assert unit(tmp_path).read_bytes() == content


def test_an_edited_unit_is_not_replaced_but_may_be_removed(service: Run, tmp_path: Path) -> None:
    assert service("install").returncode == 0
    edited = unit(tmp_path).read_text() + "\n[X-Mine]\n"
    unit(tmp_path).write_text(edited)
    done = service("install", "--on-trigger", "true")
    assert done.returncode == 2
    assert "was changed by hand or written by an older kwsd" in done.stderr
    assert "systemctl --user edit kwsd.service" in done.stderr
    assert unit(tmp_path).read_text() == edited
    assert service("uninstall").returncode == 0
    assert service("install").returncode == 0


def test_uninstall_names_what_it_leaves_and_purge_removes_it(service: Run, tmp_path: Path) -> None:
    assert service("install").returncode == 0
    drop_ins = unit(tmp_path).with_name("kwsd.service.d")
    drop_ins.mkdir()
    (drop_ins / "own.conf").write_text("[Service]\n")
    (tmp_path / "precious").write_text("precious")
    (drop_ins / "link").symlink_to(tmp_path / "precious")
    done = service("uninstall")
    assert done.returncode == 0
    assert f"not removed: {drop_ins}\n" in done.stdout
    assert "--purge removes" in done.stdout
    assert drop_ins.exists()
    done = service("uninstall", "--purge")
    assert (done.returncode, done.stdout) == (0, f"{drop_ins} was removed.\n")
    assert not drop_ins.exists()
    assert (tmp_path / "precious").read_text() == "precious"
    assert service("uninstall", "--purge").returncode == 2


def test_purge_removes_a_link_but_not_what_it_names(service: Run, tmp_path: Path) -> None:
    assert service("install").returncode == 0
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "precious").write_text("precious")
    drop_ins = unit(tmp_path).with_name("kwsd.service.d")
    drop_ins.symlink_to(elsewhere)
    done = service("uninstall", "--purge")
    assert f"{drop_ins} was removed. It was a link; its target remains: {elsewhere}\n" in done.stdout
    assert not drop_ins.is_symlink()
    assert (elsewhere / "precious").exists()


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--run-as", "nobody"), "kwsd service install --system --run-as USER"),
        (("--system", "--run-as", "no such"), "there is no user 'no such' on this machine"),
        (("--system", "--run-as", "root"), "name another user"),
        (("--system", "--run-as", ""), "there is no user ''"),
    ],
)
def test_whom_it_cannot_run_as_is_refused(service: Run, options: tuple[str, ...], says: str) -> None:
    done = service("install", *options)
    assert done.returncode == 2
    assert says in done.stderr


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--bogus", "1"), "No such option '--bogus'"),
        (("--threshold", "3"), "--threshold"),
        (("--model", "nosuch"), "nosuch"),
        (("--input", "-"), "a service cannot use --input"),
        (("--meter",), "a service cannot use --meter"),
        (("--system", "--save-clips", "/tmp/clips"), "--save-clips must be in /var/lib/kwsd"),
    ],
)
def test_what_the_service_could_not_run_with_is_refused(
    service: Run, tmp_path: Path, options: tuple[str, ...], says: str
) -> None:
    done = service("install", *options)
    assert done.returncode == 2
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert not unit(tmp_path).exists()


def test_what_the_system_s_user_cannot_read_is_refused(service: Run, tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    model = closed / "loud.pt"
    model.write_bytes(LOUD.read_bytes())
    done = service("install", "--system", "--model", model)
    assert done.returncode == 2
    assert "the service cannot read" in done.stderr


def test_without_a_manager_nothing_is_written(service: Run, tmp_path: Path) -> None:
    done = service("install", fails="show-environment")
    assert done.returncode == 1
    assert done.stderr == "kwsd: systemctl --user show-environment: Failed to connect to bus\n"
    assert not unit(tmp_path).exists()


def test_a_service_that_does_not_start_is_no_success(service: Run) -> None:
    done = service("install", fails="restart")
    assert done.returncode == 1
    assert "is installed and running" not in done.stdout
    assert "systemctl --user restart kwsd.service" in done.stderr


def test_without_systemctl_it_says_so(service: Run, tmp_path: Path) -> None:
    for command in ("install", "status"):
        done = service(command, path=str(tmp_path))
        assert done.returncode == 1
        assert done.stderr == "kwsd: systemctl is not installed: kwsd service needs systemd\n"


def test_what_is_not_installed_cannot_be_removed(service: Run) -> None:
    done = service("uninstall")
    assert done.returncode == 2
    assert "to uninstall" in done.stderr


def test_the_service_of_a_user_has_that_user_s_configuration(
    service: Run,  # noqa: ARG001 - its systemctl
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    home = tmp_path / "alice"
    (home / ".config/kwsd").mkdir(parents=True)
    (home / ".config/kwsd/config.toml").write_text('on-trigger = ["~/on", "~/bin/nosuch"]\n')
    (home / "on").write_text("#!/bin/sh\n")
    (home / "on").chmod(0o755)
    alice = Account("alice", os.getuid(), frozenset(), home)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "mine"))
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(daemon_service, "SYSTEM_UNITS", tmp_path / "units")
    monkeypatch.setattr(Account, "named", lambda _: replace(alice, uid=4321))
    monkeypatch.setattr(Account, "denied_by", lambda *_: None)
    cli.main(
        ["service", "install", "--system", "--run-as", "alice", "--threshold", "0.7"], standalone_mode=False
    )
    text = (tmp_path / "units/kwsd.service").read_text()
    assert settings(text, "User") == ["alice"]
    assert settings(text, "PrivateNetwork") == []  # the configuration has hooks
    assert settings(text, "ExecStart")[0].endswith(" listen --threshold 0.7")
    printed = capsys.readouterr()
    assert printed.err.splitlines() == [
        f"kwsd: warning: hook '~/bin/nosuch': there is no {home}/bin/nosuch: install it, or correct the path"
    ]
    assert "loginctl enable-linger alice" in printed.out
