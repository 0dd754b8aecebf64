"""What the installed command does on a signal, and where it says so."""

import os
import pty
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from harness import KWSD, LOUD, PATIENCE, SILENCE, WORD, Piped


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Holds a model and a configuration that names it."""
    shutil.copy(LOUD, tmp_path / "mine.pt")
    (tmp_path / "mine.toml").write_text('model = "mine.pt"\nthreshold = 0.6\n')
    return tmp_path


@pytest.fixture
def daemon(folder: Path) -> Iterator[Piped]:
    daemon = Piped(folder / "log", "--config", folder / "mine.toml", "--on-trigger", "exit 3")
    daemon.wait_for("listening for")
    yield daemon
    daemon.process.kill()
    daemon.process.communicate()


def test_sighup_loads_the_configuration_anew(daemon: Piped, folder: Path) -> None:
    daemon.say(WORD, SILENCE)
    (folder / "mine.toml").write_text('model = "mine.pt"\nthreshold = 0.7\n')
    daemon.send(signal.SIGHUP)
    assert daemon.wait_for("now listens").endswith("mine.pt now listens for 'loud', threshold 0.7")
    daemon.say(WORD, SILENCE)
    assert daemon.finish().count(b"\n") == 2


def test_what_a_reload_does_not_change_is_named(daemon: Piped, folder: Path) -> None:
    (folder / "mine.toml").write_text('model = "mine.pt"\nthreshold = 0.7\nhook-timeout = 5\n')
    daemon.send(signal.SIGHUP)
    line = daemon.wait_for("these changed options")
    assert line.endswith("take effect after a restart: --hook-timeout")
    daemon.say(WORD, SILENCE)
    assert daemon.finish().count(b"\n") == 1


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("mine.toml", "model = 'mine.pt'\nthreshold = 2", "threshold: 2.0 is not in the range"),
        ("mine.toml", "model = 'none.pt'", "none.pt: No such file or directory"),
        ("mine.pt", "damaged", "mine.pt: not a model file"),
    ],
)
def test_what_cannot_be_loaded_is_told_of_and_the_old_goes_on(
    daemon: Piped, folder: Path, name: str, content: str, says: str
) -> None:
    (folder / name).write_text(content)
    daemon.send(signal.SIGHUP)
    assert says in daemon.wait_for("reload failed, the previous model stays in use: ")
    daemon.say(WORD, SILENCE)
    assert daemon.finish().count(b"\n") == 1


def nested(path: Path) -> None:
    path.write_text("a = " + "[" * 100_000)


def dotted(path: Path) -> None:
    path.write_text("model" + ".a" * 400_000 + " = 1")


def endless(path: Path) -> None:
    path.unlink()
    path.symlink_to("/dev/zero")


def fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def folder_instead(path: Path) -> None:
    path.unlink()
    path.mkdir()


def large(path: Path) -> None:
    with path.open("r+b") as file:
        file.truncate(30_000_000)


def text(content: str) -> Callable[[Path], None]:
    """Gives the file this content, in which other bytes than UTF-8 are surrogates."""
    return lambda path: path.write_bytes(content.encode(errors="surrogateescape")) and None


@pytest.mark.parametrize(
    ("name", "spoil", "says"),
    [
        ("mine.toml", nested, "nested too deep"),
        ("mine.toml", dotted, "too many dots"),
        ("mine.toml", endless, "not a file"),
        ("mine.toml", fifo, "not a file"),
        ("mine.toml", folder_instead, "Is a directory"),
        ("mine.toml", large, "larger than 1,000,000 bytes"),
        ("mine.toml", Path.unlink, "No such file or directory"),
        ("mine.toml", text('model = "~nobodyhere/x.pt"'), "model: '~nobodyhere/x.pt': there is no such user"),
        ("mine.toml", text('save-clips = "~nobodyhere/c"'), "save-clips: '~nobodyhere/c': there is no such"),
        ("mine.toml", text(f'model = "{"a" * 5_000}.pt"'), "File name too long"),
        ("mine.toml", text('model = "a\\u0000b"'), "model must not contain a NUL"),
        ("mine.toml", text('on-trigger = ["a\\u0000b"]'), "on-trigger must not contain a NUL"),
        ("mine.toml", text('model = "caf\udce9"'), "is not TOML: "),
        ("mine.toml", text(f"refractory = {'9' * 400}"), "mine.toml: refractory"),
        ("mine.toml", text(f"window = 0x{'9' * 100_000}"), "window must be a whole number"),
        ("mine.pt", endless, "mine.pt: not a file"),
        ("mine.pt", fifo, "mine.pt: not a file"),
        ("mine.pt", folder_instead, "mine.pt: a folder"),
        ("mine.pt", large, "mine.pt: "),
    ],
)
def test_whatever_the_files_are_what_was_loaded_listens_on(
    daemon: Piped, folder: Path, name: str, spoil: Callable[[Path], None], says: str
) -> None:
    spoil(folder / name)
    daemon.send(signal.SIGHUP)
    line = daemon.wait_for("reload failed, the previous model stays in use: ")
    assert says in line
    daemon.say(WORD, SILENCE)
    assert daemon.finish().count(b"\n") == 1


def test_a_storm_of_signals_loses_no_word(daemon: Piped) -> None:
    """Reloads among them; and it is stopped and goes on again and again."""
    for _ in range(20):
        daemon.say(WORD)
        for number in (signal.SIGHUP, signal.SIGUSR1, signal.SIGSTOP, signal.SIGCONT) * 5:
            daemon.send(number)
        daemon.say(SILENCE, SILENCE)  # a trigger empties the window, which takes 1.5 s to fill
    assert daemon.finish().count(b"\n") == 20


def test_sigusr1_logs_the_counters(daemon: Piped) -> None:
    daemon.say(SILENCE, WORD, SILENCE)
    daemon.wait_for("exit code 3")
    daemon.send(signal.SIGUSR1)
    line = daemon.wait_for("stats: ")
    counters = dict(pair.split("=") for pair in line.partition("stats: ")[2].split())
    assert int(counters.pop("frames")) >= 250
    assert float(counters.pop("worst_step").removesuffix("ms")) > 0
    assert counters == {
        "overruns": "0",
        "lost": "0.0s",
        "gaps": "0",
        "triggers": "1",
        "hooks_run": "1",
        "hooks_failed": "1",
        "hooks_dropped": "0",
    }
    daemon.finish()


def test_counters_are_logged_as_often_as_asked(folder: Path) -> None:
    daemon = Piped(folder / "log", "--model", LOUD, "--stats-every", "1")
    daemon.wait_for("stats: ")
    daemon.finish()


def test_a_terminal_that_is_closed_ends_it() -> None:
    controller, terminal = pty.openpty()
    process = subprocess.Popen(
        [KWSD, "listen", "--model", LOUD, "--input", "-"],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=terminal,
    )
    os.close(terminal)
    shown = b""
    while b"listening" not in shown:
        shown += os.read(controller, 4096)
    assert b"INFO" in shown
    process.send_signal(signal.SIGHUP)
    process.communicate(timeout=PATIENCE)
    assert process.returncode == 0
    os.close(controller)


def test_the_journal_is_told_priorities(tmp_path: Path) -> None:
    """In it a line that begins with <3> is an error, <4> a warning."""

    def logged(data: bytes, *options: str) -> list[str]:
        with (tmp_path / "journal").open("w+") as journal:
            status = os.fstat(journal.fileno())
            subprocess.run(
                [KWSD, "listen", "--model", LOUD, "--input", *options],
                input=data,
                stdout=subprocess.DEVNULL,
                stderr=journal,
                env=os.environ | {"JOURNAL_STREAM": f"{status.st_dev}:{status.st_ino}"},
                check=False,
                timeout=PATIENCE,
            )
            journal.seek(0)
            return journal.read().splitlines()

    assert logged(b"", "none.wav") == ["<3>kwsd: there is no file 'none.wav'"]
    said = logged(SILENCE + WORD + SILENCE, "-", "--on-trigger", "exit 3")
    assert said[0] == "kwsd: listening for 'loud' on standard input"
    assert said[1].startswith("<4>kwsd: hook 'exit 3': exit code 3")
