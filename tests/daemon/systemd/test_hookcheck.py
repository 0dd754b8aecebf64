"""Whether hooks can be executed, asked before the service is installed: nothing is reported that may work."""

import os
import stat
from pathlib import Path

import pytest

from kwsd.daemon.systemd.account import Account
from kwsd.daemon.systemd.hookcheck import Sandbox, problems

PATH = "/usr/local/bin:/usr/bin:/bin"


def program(path: Path, text: str = "#!/bin/sh\n", mode: int = 0o755) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)
    return path


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """With a program, closed to others."""
    program(tmp_path / "home/bin/lights")
    (tmp_path / "home").chmod(0o700)
    return tmp_path / "home"


@pytest.fixture
def mine(home: Path) -> Sandbox:
    """The user's service."""
    account = Account("me", os.getuid(), frozenset(os.getgroups()), home)
    return Sandbox(account, PATH, home)


@pytest.fixture
def others(home: Path) -> Sandbox:
    """The service of somebody without a home."""
    opened = home.parent
    while opened != Path("/"):
        if opened.stat().st_uid == os.getuid() and not opened.stat().st_mode & 1:
            opened.chmod(0o711)
        opened = opened.parent
    return Sandbox(Account("other", 54321, frozenset(), None), PATH, Path("/"))


@pytest.mark.parametrize(
    "hook",
    [
        "true",
        "echo heard",
        "~/bin/lights on",
        "$HOME/bin/lights on",
        '"${HOME}/bin/lights" on',
        "bin/lights",  # from the home, where the service runs
        "./bin/lights & ~/bin/lights; wait",
        "cd /somewhere && ./on.sh",
        "cat | sed s/a/b/ >/dev/null 2>&1",
        "A=1 B='x y' env >&2 </dev/null",
        "! true",
        "exec ~/bin/lights",
        "nosuch || true",
        "true && nosuch || true",
        "command -v nosuch >/dev/null && nosuch",
        "[ -x /nosuch ] && /nosuch",
        "test -x /nosuch && /nosuch | cat",
        "if [ -x /nosuch ]; then /nosuch; fi",
        "for i in 1 2; do nosuch; done",
        "{ nosuch; }",
        "(nosuch)",
        "f() { true; }; f",
        "$PROGRAM on",
        "$(which ls) /",
        "`which ls`",
        "/usr/bin/l*",
        ". ~/.profile; nosuch",
        "PATH=$PATH:~/bin lights on",
        "export PATH=$PATH:~/bin; lights on",
        "alias x=true; x",
        "true # nosuch; /nosuch",
        "true\ntrue",
        "true \\\n nosuch",
        "echo 'nosuch; nosuch' \"; nosuch\" \\; nosuch",
        "cat <<E\nnosuch\nE",
        "echo 'unfinished",
        "sh -c 'nosuch'",
        "sh -c /nosuch",
        "python3 -m nosuch",
        "find here /nosuch/x",
        "mosquitto_pub -t /nosuch -m on || true",
        "",
        "  ;",
    ],
)
def test_what_may_work_is_not_reported(hook: str, mine: Sandbox) -> None:
    assert problems(hook, mine) == []


@pytest.mark.parametrize(
    ("hook", "says"),
    [
        ("nosuch on", "'nosuch' is not in the service's PATH"),
        ("nosuch", "install it, or write its full path"),
        ("/nosuch/x on", "there is no /nosuch/x"),
        ("~/bin/nosuch", "there is no {home}/bin/nosuch"),
        ("'~/bin/lights'", "there is no {home}/~/bin/lights"),
        ("$HOME/bin/nosuch", "there is no {home}/bin/nosuch"),
        ("./lights", "there is no {home}/lights"),
        ("~/bin", "{home}/bin is not a file"),
        ("true; nosuch", "'nosuch'"),
        ("true && nosuch", "'nosuch'"),
        ("true | nosuch", "'nosuch'"),
        ("true & nosuch", "'nosuch'"),
        ("true\nnosuch", "'nosuch'"),
        ("A=1 nosuch", "'nosuch'"),
        ("! nosuch", "'nosuch'"),
        ("exec nosuch", "'nosuch'"),
        (">/dev/null nosuch", "'nosuch'"),
        ("python3 /nosuch/on.py", "there is no /nosuch/on.py: correct the path"),
        ("sh {home}/bin/nosuch", "there is no {home}/bin/nosuch"),
        ("{home}/plain", "me may not execute {home}/plain: chmod +x {home}/plain"),
        ("{home}/crlf", r"there is no '/bin/sh\r', which {home}/crlf names in its first line"),
        ("{home}/venv", "there is no '/nosuch/python'"),
    ],
)
def test_what_is_certain_to_fail_is_reported_with_its_fix(
    hook: str, says: str, mine: Sandbox, home: Path
) -> None:
    program(home / "plain", mode=0o644)
    program(home / "crlf", "#!/bin/sh\r\n")
    program(home / "venv", "#! /nosuch/python -u\n")
    (found,) = problems(hook.replace("{home}", str(home)), mine)
    assert says.format(home=home) in found


def test_a_program_in_the_caller_s_path_alone_is_named(
    mine: Sandbox, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", f"{home}/bin:{PATH}")
    (found,) = problems("lights on", mine)
    assert f"write its full path, {home}/bin/lights" in found


def test_another_s_closed_home_is_reported(others: Sandbox, home: Path) -> None:
    (home / "on.py").touch()
    for hook in (f"{home}/bin/lights", f"python3 {home}/on.py", f"sh {home}/bin/lights"):
        (found,) = problems(hook, others)
        assert f"other may not enter {home}" in found
    home.chmod(0o755)
    assert problems(f"{home}/bin/lights", others) == []


@pytest.mark.parametrize("hook", ["~/bin/lights", "$HOME/on.sh", "cat ~", "aplay ~/ding.wav | cat"])
def test_without_a_home_the_tilde_is_reported(hook: str, others: Sandbox) -> None:
    assert "the service has no home folder: write full paths, or install it with --run-as USER" in problems(
        hook, others
    )


def test_what_the_unit_hides_is_reported(others: Sandbox, home: Path) -> None:
    home.chmod(0o755)
    hardened = Sandbox(others.account, PATH, Path("/"), hidden=(home,))
    for hook in (f"{home}/bin/lights", f"sh {home}/bin/lights"):
        (found,) = problems(hook, hardened)
        assert f"cannot see {home}/bin/lights" in found
        assert "--run-as USER" in found
    link = home.parent / "link"
    link.symlink_to(home / "bin/lights")
    assert "cannot see" in problems(str(link), hardened)[0]
    assert problems(f"touch {home}/bin/lights", hardened) == []  # it may be a /tmp of the service's own
    assert problems("echo \\$HOME '$HOME' '~'", hardened) == []


def test_a_program_that_needs_privileges_is_reported(home: Path, others: Sandbox) -> None:
    home.chmod(0o755)
    sudo = program(home / "sudo", mode=0o4755)
    (found,) = problems(f"{sudo} reboot", others)
    assert found == f"{sudo} cannot gain privileges in this service: install it with --system --run-as USER"
    assert problems(f"{sudo} reboot", Sandbox(others.account, PATH, Path("/"), privileges=True)) == []


def test_the_rights_of_owner_group_and_others_count(tmp_path: Path) -> None:
    path = program(tmp_path / "x", mode=0o710)
    status = path.stat()
    for folder in (tmp_path, tmp_path.parent, tmp_path.parent.parent):
        folder.chmod(0o755)
    owner = Account("owner", status.st_uid, frozenset(), None)
    member = Account("member", 54321, frozenset((status.st_gid,)), None)
    other = Account("other", 54321, frozenset(), None)
    execute, read = stat.S_IXOTH, stat.S_IROTH
    assert [one.denied_by(path, execute) for one in (owner, member, other)] == [None, None, path]
    assert [one.denied_by(path, read) for one in (owner, member, other)] == [None, path, path]
    tmp_path.chmod(0o750)
    assert other.denied_by(path, 0) == tmp_path
