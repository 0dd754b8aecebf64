"""``kwsd service`` with a systemctl that does as it is told; tests/systemd has a real one."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from harness import KWSD, LOUD

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def service(tmp_path: Path) -> Run:
    """Runs ``kwsd service``; systemctl logs what it is asked and fails at the command that $FAILS names."""
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "systemctl").write_text(
        f'#!/bin/sh\necho "$@" >>{tmp_path}/asked\n'
        'case "$2" in "$FAILS") echo "Failed to connect to bus" >&2; exit 1;; esac\n'
    )
    (programs / "systemctl").chmod(0o755)

    def run(
        *arguments: str | Path, fails: str = "", path: str = f"{programs}:{os.environ['PATH']}"
    ) -> object:
        return subprocess.run(
            [KWSD, "service", *arguments],
            env=os.environ | {"XDG_CONFIG_HOME": str(tmp_path / "config"), "PATH": path, "FAILS": fails},
            cwd=LOUD.parent,
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
        "--user show-environment",
        "--user daemon-reload",
        "--user enable kwsd.service",
        "--user restart kwsd.service",
        "--user disable --now kwsd.service",
        "--user daemon-reload",
    ]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--bogus", "1"), "No such option '--bogus'"),
        (("--threshold", "3"), "--threshold"),
        (("--model", "nosuch"), "nosuch"),
        (("--input", "-"), "--input is not for a service"),
        (("--meter",), "--meter is not for a service"),
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
    assert "the service's user cannot read" in done.stderr


def test_without_a_manager_nothing_is_written(service: Run, tmp_path: Path) -> None:
    done = service("install", fails="show-environment")
    assert done.returncode == 1
    assert done.stderr == "kwsd: systemctl --user show-environment: Failed to connect to bus\n"
    assert not unit(tmp_path).exists()


def test_a_service_that_does_not_start_is_no_success(service: Run) -> None:
    done = service("install", fails="restart")
    assert done.returncode == 1
    assert "is installed and runs" not in done.stdout
    assert "systemctl --user restart kwsd.service" in done.stderr


def test_without_systemctl_it_says_so(service: Run, tmp_path: Path) -> None:
    for command in ("install", "status"):
        done = service(command, path=str(tmp_path))
        assert done.returncode == 1
        assert done.stderr == "kwsd: there is no systemctl here: kwsd service needs systemd\n"


def test_what_is_not_installed_cannot_be_removed(service: Run) -> None:
    done = service("uninstall")
    assert done.returncode == 2
    assert "to uninstall" in done.stderr
