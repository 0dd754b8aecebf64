"""The process of the command: its standard streams, its first moments, its way out."""

import itertools
import json
import os
import pty
import shlex
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from harness import KWSD, LOUD, PATIENCE, gone, set_constants, wait_for

SECOND = 16_000
ROOT = Path(__file__).parents[2]
WORD = np.concatenate((np.random.default_rng(0).normal(0, 6_000, 8_000), np.zeros(24_000))).astype(np.int16)
LISTEN = (KWSD, "listen", "--model", LOUD, "--input", "-")


def words(count: int) -> bytes:
    """A burst of noise every two seconds, raw."""
    return WORD.tobytes() * count


def environment(**variables: str) -> dict[str, str]:
    """As a user has it: what Python writes is buffered."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"} | variables


def hear(*options: str | Path, count: int = 2, **how: Any) -> "subprocess.CompletedProcess[bytes]":
    how = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "env": environment()} | how
    return subprocess.run([*LISTEN, *options], input=words(count), check=False, timeout=PATIENCE, **how)


# standard streams


@pytest.mark.parametrize("variables", [{}, {"PYTHONUNBUFFERED": "1"}])
@pytest.mark.parametrize(
    "arguments",
    [
        ("listen", "--model", str(LOUD), "--input", "-", "--format", "json"),
        ("listen", "--model", str(LOUD), "--input", "-", "--format", "text"),
        ("config", "--model", str(LOUD), "--json"),
        ("info", str(LOUD)),
        ("kit", "list"),
        ("--help",),
    ],
)
def test_a_full_disk_under_standard_output_is_one_line(
    arguments: tuple[str, ...], variables: dict[str, str]
) -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [KWSD, *arguments],
            input=words(1),
            stdout=full,
            stderr=subprocess.PIPE,
            env=environment(**variables),
            check=False,
            timeout=PATIENCE,
        )
    assert done.returncode == 1
    lines = [line for line in done.stderr.decode().splitlines() if "listening" not in line]
    assert lines == ["kwsd: cannot write to standard output: No space left on device"]


@pytest.mark.parametrize("variables", [{}, {"PYTHONUNBUFFERED": "1"}])
@pytest.mark.parametrize("form", [(), ("--json",)])
def test_an_evaluation_that_cannot_be_printed_has_failed(
    form: tuple[str, ...], variables: dict[str, str], tmp_path: Path
) -> None:
    soundfile.write(tmp_path / "word.wav", WORD, SECOND)
    line = (KWSD, "evaluate", "--model", LOUD, "--positives", tmp_path, "--negatives", tmp_path, *form)
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            line,
            stdout=full,
            stderr=subprocess.PIPE,
            env=environment(**variables),
            check=False,
            timeout=PATIENCE,
        )
    assert done.returncode == 1
    problem = "kwsd: cannot write to standard output: No space left on device"
    assert done.stderr.decode().splitlines()[-1] == problem


@pytest.mark.parametrize("variables", [{}, {"PYTHONUNBUFFERED": "1"}])
@pytest.mark.parametrize(
    "arguments",
    [
        ("listen", "--model", str(LOUD), "--input", "-", "--format", "json"),
        ("listen", "--model", str(LOUD), "--input", "-", "--format", "text"),
        ("score", "--model", str(LOUD), "docs/sample.flac"),
        ("config", "--model", str(LOUD)),
        ("--help",),
    ],
)
def test_a_reader_that_leaves_is_a_normal_end(arguments: tuple[str, ...], variables: dict[str, str]) -> None:
    output = broken_pipe()
    done = subprocess.run(
        [KWSD, *arguments],
        input=words(1),
        stdout=output,
        stderr=subprocess.PIPE,
        cwd=ROOT,
        env=environment(**variables),
        check=False,
        timeout=PATIENCE,
    )
    os.close(output)
    assert done.returncode == 0
    assert [line for line in done.stderr.splitlines() if b"listening" not in line] == []


@pytest.mark.parametrize("closed", [c for n in (1, 2, 3) for c in itertools.combinations((0, 1, 2), n)])
def test_closed_standard_streams_are_given_to_no_other_file(closed: tuple[int, ...], tmp_path: Path) -> None:
    """Hooks and clips are as with them open, and what is printed is where it belongs, or nowhere."""
    wave = tmp_path / "word.wav"
    soundfile.write(wave, np.tile(WORD, 2), SECOND)
    line = [KWSD, "listen", "--model", LOUD, "--input", wave, "--save-clips", tmp_path / "clips"]
    line += ["--on-trigger", f"echo x >> {tmp_path}/ran; printf '%s hook\\n' from"]
    command = f"{shlex.join(map(str, line))} {' '.join(f'{number}>&-' for number in closed)}"
    done = subprocess.run(
        command.replace("0>&-", "0<&-"),
        shell=True,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        env=environment(),
        check=False,
        timeout=PATIENCE,
    )
    assert done.returncode == 0
    assert (tmp_path / "ran").read_text() == "x\nx\n"
    assert sorted(path.stat().st_size for path in (tmp_path / "clips").iterdir()) > [44, 44]
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(events) == (0 if 1 in closed else 2)
    assert done.stderr.count(b"from hook") == (0 if 2 in closed else 2)


def broken_pipe() -> int:
    """A pipe whose reader has left."""
    reader, writer = os.pipe()
    os.close(reader)
    return writer


def full_pipe() -> int:
    """A pipe that nobody reads."""
    _, writer = os.pipe()
    os.set_blocking(writer, False)
    try:
        while True:
            os.write(writer, bytes(4096))
    except BlockingIOError:
        os.set_blocking(writer, True)
    return writer


def closed_terminal() -> int:
    controller, terminal = pty.openpty()
    os.close(controller)
    return terminal


@pytest.mark.parametrize("log", ["full disk", "broken pipe", "full pipe", "closed terminal"])
def test_a_log_that_cannot_be_written_ends_nothing(log: str, tmp_path: Path) -> None:
    made = {
        "full disk": lambda: os.open("/dev/full", os.O_WRONLY),
        "broken pipe": broken_pipe,
        "full pipe": full_pipe,
        "closed terminal": closed_terminal,
    }[log]()
    done = hear("--on-trigger", f"echo x >> {tmp_path}/ran", count=5, stderr=made)
    os.close(made)
    assert done.returncode == 0
    assert len(done.stdout.splitlines()) == 5
    assert (tmp_path / "ran").read_text() == "x\n" * 5


def test_a_terminal_that_is_closed_under_the_log_ends_nothing() -> None:
    """It is not the one that sends SIGHUP."""
    controller, terminal = pty.openpty()
    process = subprocess.Popen(
        LISTEN, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=terminal, env=environment()
    )
    os.close(terminal)
    shown = b""
    while b"listening" not in shown:
        shown += os.read(controller, 4096)
    os.close(controller)
    printed, _ = process.communicate(words(3), timeout=PATIENCE)
    assert process.returncode == 0
    assert len(printed.splitlines()) == 3


# the first moments

HOLD = """
import sys, time
from pathlib import Path

folder = Path(__file__).parent


class Hold:
    def find_spec(name, *_):
        if name == "click":
            (folder / "held").touch()
            while not (folder / "go").exists():
                time.sleep(0.01)


sys.meta_path.insert(0, Hold)
"""


@pytest.fixture
def held(tmp_path: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """``kwsd listen`` just before it imports the first thing that takes time."""
    (tmp_path / "sitecustomize.py").write_text(HOLD)
    process = subprocess.Popen(
        LISTEN,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(PYTHONPATH=f"{tmp_path}:{ROOT}"),
        bufsize=0,
    )
    wait_for("the import", (tmp_path / "held").exists)
    yield process
    process.kill()
    process.communicate()


def test_early_signals_are_kept(held: "subprocess.Popen[bytes]", tmp_path: Path) -> None:
    for _ in range(20):
        held.send_signal(signal.SIGUSR1)
        held.send_signal(signal.SIGHUP)
    (tmp_path / "go").touch()
    assert held.stderr is not None
    assert held.stdin is not None
    assert b"listening" in held.stderr.readline()
    held.stdin.write(words(1))
    printed, said = held.communicate(timeout=PATIENCE)
    assert held.returncode == 0
    assert b"stats: " in said
    assert printed.count(b"loud") == 2  # the word, and the model's name


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_an_early_signal_to_end_is_no_failure(
    held: "subprocess.Popen[bytes]", number: signal.Signals
) -> None:
    """Though the main thread may still wait for something, such as a sound server that does not answer."""
    held.send_signal(number)
    assert held.wait(PATIENCE) == 0
    assert held.stderr is not None
    assert held.stderr.read() == b""


# the way out


def test_what_does_not_end_is_ended(tmp_path: Path) -> None:
    """Here the main thread waits for the reader of standard output, and a hook ignores what it is told."""
    set_constants(tmp_path, {"kwsd.daemon.signals.SHUTDOWN_TIMEOUT": 0.5})
    full = full_pipe()
    hook = f"trap '' TERM; echo $$ > {tmp_path}/hook; sleep 1000; sleep 1000"
    process = subprocess.Popen(
        [*LISTEN, "--on-trigger", hook],
        stdin=subprocess.PIPE,
        stdout=full,
        stderr=subprocess.PIPE,
        env=environment(PYTHONPATH=f"{tmp_path}:{ROOT}"),
    )
    os.close(full)
    assert process.stdin is not None
    process.stdin.write(words(1))
    process.stdin.flush()
    wait_for("the hook", lambda: (tmp_path / "hook").exists() and (tmp_path / "hook").read_text())
    process.terminate()
    _, said = process.communicate(timeout=PATIENCE)
    assert process.returncode == 1
    expected = "kwsd: shutdown timeout: kwsd did not finish within 0.5 s, and exits now"
    assert expected in said.decode().splitlines()
    hook_pid = int((tmp_path / "hook").read_text())
    wait_for("the hook's end", lambda: gone(hook_pid))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_ends_it_at_once(number: signal.Signals, tmp_path: Path) -> None:
    """Though a hook has some time left."""
    set_constants(
        tmp_path,
        {"kwsd.daemon.sinks.hooks.SHUTDOWN_GRACE": 1000.0, "kwsd.daemon.signals.SHUTDOWN_TIMEOUT": 1000.0},
    )
    hook = f"trap '' TERM; echo $$ > {tmp_path}/hook; sleep 1000; sleep 1000"
    with subprocess.Popen(
        [*LISTEN, "--on-trigger", hook],
        stdin=subprocess.PIPE,
        env=environment(PYTHONPATH=f"{tmp_path}:{ROOT}"),
    ) as process:
        assert process.stdin is not None
        process.stdin.write(words(1))
        process.stdin.flush()
        wait_for("the hook", lambda: (tmp_path / "hook").exists() and (tmp_path / "hook").read_text())

        def ended() -> bool:
            process.send_signal(number)
            return process.poll() is not None

        wait_for("the end", ended)
        assert process.returncode in (128 + number, -number)  # the latter by a third one, at the very end


@pytest.fixture
def frozen(tmp_path: Path) -> Iterator[Path]:
    """A folder on a disk that ``fsfreeze -f`` freezes; it is thawed at the end."""
    if os.geteuid() != 0 or not all(map(shutil.which, ("mkfs.ext4", "fsfreeze"))):
        pytest.skip("freezing a disk needs root, mkfs.ext4 and fsfreeze")
    image, disk = tmp_path / "image", tmp_path / "disk"
    disk.mkdir()
    with image.open("wb") as file:
        file.truncate(16 << 20)
    subprocess.run(["mkfs.ext4", "-q", "-F", image], check=True)
    if subprocess.run(["mount", "-o", "loop", image, disk], capture_output=True, check=False).returncode:
        pytest.skip("mounting a disk needs root and a loop device")
    yield disk
    subprocess.run(["fsfreeze", "-u", disk], capture_output=True, check=False)
    subprocess.run(["umount", "-l", disk], check=True)


@pytest.mark.parametrize("signals", [1, 2])
def test_clips_on_a_frozen_disk_hold_up_neither_listening_nor_the_end(frozen: Path, signals: int) -> None:
    process = subprocess.Popen(
        [*LISTEN, "--save-clips", frozen / "clips"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(),
        bufsize=0,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(words(1))
    wait_for("the clip", lambda: list((frozen / "clips").glob("*.wav")))
    subprocess.run(["fsfreeze", "-f", frozen], check=True)
    for _ in range(4):
        process.stdout.readline()
        process.stdin.write(words(1))
    process.send_signal(signal.SIGTERM)
    while signals == 2 and process.poll() is None:
        process.send_signal(signal.SIGTERM)
    assert process.wait(PATIENCE) == (143 if signals == 2 else 0)
    assert process.stderr is not None
    if signals == 1:
        assert b"clips were not written" in process.stderr.read()
    process.communicate()


def test_log_and_clips_on_one_full_disk_cost_no_word(tmp_path: Path) -> None:
    line = ["mount", "-t", "tmpfs", "-o", "size=64k", "none", str(tmp_path)]
    if subprocess.run(line, capture_output=True, check=False).returncode:
        pytest.skip("mounting a small disk needs root")
    try:
        with (tmp_path / "log").open("wb") as log:
            (tmp_path / "clips").mkdir()
            process = subprocess.Popen(
                [*LISTEN, "--save-clips", tmp_path / "clips", "--clip-seconds", "1"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env=environment(),
                bufsize=0,
            )
            assert process.stdin is not None
            assert process.stdout is not None
            wait_for("listening", lambda: (tmp_path / "log").stat().st_size)
            with suppress(OSError), (tmp_path / "fill").open("wb", buffering=0) as fill:
                while fill.write(bytes(4096)):
                    pass
            for _ in range(12):
                process.stdin.write(words(1))
                assert b"loud" in process.stdout.readline()
            (tmp_path / "fill").unlink()
            process.stdin.write(words(1))
            assert b"loud" in process.stdout.readline()
            wait_for("a clip", lambda: list((tmp_path / "clips").iterdir()))
            process.terminate()
            assert process.wait(PATIENCE) == 0
            process.communicate()
    finally:
        subprocess.run(["umount", "-l", str(tmp_path)], check=True)


# where nothing may be read


def without_privileges(*line: str | Path) -> list[str | Path]:
    """A command that even as root may not look into a folder that is closed."""
    if os.geteuid() != 0:
        return list(line)
    if shutil.which("setpriv") is None:
        pytest.skip("as root it needs setpriv")
    return ["setpriv", "--bounding-set=-dac_override,-dac_read_search", *line]


@pytest.mark.parametrize("command", ["listen", "config"])
@pytest.mark.parametrize("where", ["home", "cwd", "both", "removed cwd"])
def test_a_home_or_working_directory_that_is_closed_holds_no_files(
    where: str, command: str, tmp_path: Path
) -> None:
    """The one of ``sudo -u USER`` without -H, or of a container's user."""
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o000 if where != "removed cwd" else 0o700)
    variables = environment(HOME=str(closed if where in ("home", "both") else tmp_path))
    variables.pop("XDG_CONFIG_HOME", None)
    line = [KWSD, command, *(["--input", "-"] if command == "listen" else [])]
    enter = "cd {0}; chmod 000 {0}; " if where in ("cwd", "both") else "cd {0}; rmdir {0}; "
    if where == "home":
        enter = ""
    else:
        closed.chmod(0o700)
    script = f"{enter.format(shlex.quote(str(closed)))}exec {shlex.join(map(str, line))}"
    done = subprocess.run(
        without_privileges("sh", "-c", script),
        input=words(1),
        capture_output=True,
        env=variables | ({"PYTHONPATH": os.environ["PYTHONPATH"]} if "PYTHONPATH" in os.environ else {}),
        check=False,
        timeout=PATIENCE,
    )
    if where in ("home", "both") and closed.exists():
        closed.chmod(0o700)
    assert done.returncode == 0, done.stderr.decode()
    assert b"Traceback" not in done.stderr


def test_a_closed_home_is_no_matter_of_libraries_either(tmp_path: Path) -> None:
    """libpulse, and ALSA's plugin with it, would print a line at each try to find a microphone."""
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o000)
    variables = environment(HOME=str(closed))
    for name in ("XDG_CONFIG_HOME", "XDG_RUNTIME_DIR", "PULSE_SERVER"):
        variables.pop(name, None)
    done = subprocess.run(
        without_privileges(KWSD, "listen", "--exit-on-loss"),
        capture_output=True,
        text=True,
        env=variables | ({"PYTHONPATH": os.environ["PYTHONPATH"]} if "PYTHONPATH" in os.environ else {}),
        check=False,
        timeout=PATIENCE,
    )
    closed.chmod(0o700)
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1, done.stderr


def test_as_pid_1_it_reaps_what_hooks_leave(tmp_path: Path) -> None:
    """In a container without an init."""
    inside = ["unshare", "--pid", "--fork", "--mount", "--mount-proc"]
    if subprocess.run([*inside, "true"], capture_output=True, check=False).returncode:
        pytest.skip("a process namespace needs root, and unshare")
    leave = f"test -e {tmp_path}/enough || {{ sleep 0.1 & echo >> {tmp_path}/left; }}; exit 3"
    look = f"cd {tmp_path}; ps -eo comm= > new; mv new seen"
    process = subprocess.Popen(
        [
            *inside,
            *LISTEN,
            "--on-trigger",
            leave,
            "--on-trigger",
            look,
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env=environment(),
        bufsize=0,
    )
    assert process.stdin is not None
    process.stdin.write(words(3))
    wait_for("the hooks", lambda: (tmp_path / "left").exists() and (tmp_path / "left").stat().st_size == 3)
    (tmp_path / "enough").touch()

    def reaped() -> bool:
        """Seen by a hook at the next word: a zombie has its name, too."""
        assert process.stdin is not None
        process.stdin.write(words(1))
        seen = tmp_path / "seen"
        return seen.exists() and "kwsd" in seen.read_text() and "sleep" not in seen.read_text()

    wait_for("no zombie", reaped)
    _, said = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0
    assert b"exit code 3" in said
