"""The installed command controls another one that runs."""

import json
import os
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from harness import KWSD, LOUD, PATIENCE, SILENCE, WORD, Daemon, FakeMicrophone, Piped, Spoken

Done = subprocess.CompletedProcess[str]


def ctl(*arguments: str | Path, environment: dict[str, str] | None = None) -> Done:
    return subprocess.run(
        [KWSD, "ctl", *arguments],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )


class Controlled(Piped):
    """``kwsd listen`` on a pipe, with a control socket: it handles a command with the next audio."""

    def __init__(self, folder: Path, *options: str | Path) -> None:
        self.socket = folder / "control"
        super().__init__(folder / "log", "--control", self.socket, *options)
        self.wait_for("listening for")

    def ctl(self, *arguments: str) -> Done:
        """Run a command while there is silence to listen to."""
        line = [KWSD, "ctl", *arguments, "--control", self.socket]
        with subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            while True:
                with suppress(subprocess.TimeoutExpired):
                    output, error = process.communicate(timeout=0.05)
                    return Done(line, process.returncode, output, error)
                self.say(SILENCE)

    def answer(self, *arguments: str) -> dict[str, Any]:
        done = self.ctl(*arguments, "--json")
        assert done.returncode == 0, done.stderr
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer

    def request(self, request: dict[str, object]) -> dict[str, Any]:
        """The answer to a JSON line."""
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(0.05)
            client.connect(str(self.socket))
            client.sendall(json.dumps(request).encode() + b"\n")
            while True:
                with suppress(TimeoutError):
                    answer: dict[str, Any] = json.loads(client.recv(65_536))
                    return answer
                self.say(SILENCE)


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Controlled]:
    config = tmp_path / "mine.toml"
    config.write_text(f'model = "{LOUD}"\nthreshold = 0.6\n')
    daemon = Controlled(tmp_path, "--config", config)
    yield daemon
    daemon.process.kill()
    daemon.process.communicate()


def test_paused_it_hears_nothing_and_resumed_everything(daemon: Controlled) -> None:
    assert daemon.answer("pause") == {"resumes_in": None}
    daemon.say(SILENCE, WORD, SILENCE)
    assert daemon.answer("status")["state"] == "paused"
    assert daemon.ctl("resume").returncode == 0
    daemon.say(SILENCE, SILENCE, WORD, SILENCE)
    status = daemon.answer("status")
    assert (status["state"], status["words"], status["source"]) == ("listening", ["loud"], "standard input")
    assert [event["keyword"] for event in status["triggers"]] == ["loud"]
    assert status["counters"]["triggers"] == 1
    assert status["level"] == pytest.approx(-120, abs=0.1)  # silence
    assert daemon.finish().count(b"\n") == 1
    assert not daemon.socket.exists()


def test_a_threshold_holds_until_the_next_reload(daemon: Controlled) -> None:
    assert daemon.ctl("threshold", "loud", "1").returncode == 0
    assert daemon.answer("words")["words"][0]["threshold"] == 1.0
    daemon.say(SILENCE, WORD, SILENCE)
    assert daemon.answer("status")["counters"]["triggers"] == 0
    assert daemon.answer("reload") == {}
    assert daemon.wait_for("now listens").endswith("threshold 0.6")
    daemon.say(SILENCE, WORD, SILENCE)
    assert daemon.finish().count(b"\n") == 1


def test_a_reload_that_fails_says_why(daemon: Controlled, tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text('model = "none.pt"')
    done = daemon.ctl("reload")
    assert (done.returncode, done.stdout) == (1, "")
    assert "reload failed, the previous model stays in use: " in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_trigger_on_command_runs_everything(tmp_path: Path) -> None:
    clips = tmp_path / "clips"
    daemon = Controlled(tmp_path, "--model", LOUD, "--on-trigger", "cat >&2; env >&2", "--save-clips", clips)
    assert daemon.ctl("trigger", "loud").returncode == 0
    (line,) = daemon.finish().splitlines()
    event = json.loads(line)
    assert (event["keyword"], event["posterior"]) == ("loud", 1.0)
    log = (tmp_path / "log").read_text()
    assert line.decode() in log
    assert f"KWSD_CONTROL={daemon.socket}" in log
    assert len(list(clips.iterdir())) == 1


def test_what_cannot_be_done_is_one_line(daemon: Controlled) -> None:
    for says, *arguments in (
        ("kwsd does not listen for 'jarvis'; it does for: loud", "trigger", "jarvis"),
        ("2.0 is not in the range 0.001<=x<=1", "threshold", "loud", "2"),
        ("0.0 is not in the range 0.001<=x<=1", "threshold", "loud", "0"),
        ("not a finite number", "pause", "nan"),
        ("No such command 'sing'", "sing"),
    ):
        done = ctl(*arguments) if arguments == ["sing"] else daemon.ctl(*arguments)
        assert (done.returncode, done.stdout) == (2, "")
        assert says in done.stderr
        assert done.stderr.count("\n") == 1


def test_a_request_with_a_mistake_changes_nothing(daemon: Controlled) -> None:
    before = daemon.answer("words")
    for says, request in (
        ("pause: got an unexpected keyword argument 'secs'", {"command": "pause", "secs": 5}),
        ("threshold: missing a required argument: 'threshold'", {"command": "threshold", "word": "loud"}),
        ("seconds must be a number from 0 to 86,400, not '5'", {"command": "pause", "seconds": "5"}),
        ("threshold must be a num", {"command": "threshold", "word": "loud", "threshold": True}),
        ("kwsd does not listen for a value of type list", {"command": "trigger", "word": ["loud"]}),
        ("there is no command a value of type list; the commands are: status, ", {"command": ["status"]}),
        ("there is no command None", {}),
    ):
        answer = daemon.request(request)
        assert (answer["ok"], answer["exit_code"]) == (False, 2)
        assert answer["error"].startswith(says)
    assert daemon.answer("status")["state"] == "listening"
    assert daemon.answer("words") == before


def test_without_a_kwsd_it_says_what_to_do(tmp_path: Path) -> None:
    done = ctl("status", environment=os.environ | {"XDG_RUNTIME_DIR": str(tmp_path), "KWSD_CONTROL": ""})
    assert done.returncode == 1
    assert done.stderr == (
        f"kwsd: no kwsd listens to commands at {tmp_path}/kwsd.sock or /run/kwsd/kwsd.sock; "
        "see kwsd listen --control\n"
    )


def torment(path: Path, until: threading.Event) -> None:
    """Connect and send all sorts of things, until told to stop."""
    words = [b'{"command": "status"}\n' * 100, b"\n" * 5_000, b'{"command": ', os.urandom(5_000), b""]
    while not until.is_set():
        clients = []
        for word in words * 10:
            client = socket.socket(socket.AF_UNIX)
            client.settimeout(0.01)
            clients.append(client)
            with suppress(OSError):
                client.connect(str(path))
                client.sendall(word)
        for client in clients:
            client.close()


def test_bad_clients_cost_no_word(daemon: Controlled) -> None:
    until = threading.Event()
    tormentors = [threading.Thread(target=torment, args=(daemon.socket, until)) for _ in range(2)]
    for each in tormentors:
        each.start()
    try:
        for _ in range(20):
            daemon.say(SILENCE, SILENCE, WORD, SILENCE)
    finally:
        until.set()
        for each in tormentors:
            each.join()
    assert daemon.ctl("status").returncode == 0
    assert daemon.finish().count(b"\n") == 20


@pytest.mark.microphone
def test_a_speaker_mutes_it_while_it_talks(
    listen: Callable[..., Daemon], microphone: FakeMicrophone, loud: Spoken
) -> None:
    daemon = listen("--model", loud.model)
    environment = microphone.environment | {"KWSD_CONTROL": ""}
    for command in ("pause", "resume"):
        done = ctl(command, environment=environment)
        assert done.returncode == 0, done.stderr
        microphone.play(loud.path)
    assert daemon.event()["stream_time"] > 2
    assert daemon.stop()[0] == 0
    assert daemon.rest() == []


@pytest.mark.microphone
def test_a_hook_pauses_the_kwsd_that_runs_it(
    listen: Callable[..., Daemon], microphone: FakeMicrophone, loud: Spoken, tmp_path: Path
) -> None:
    """Not one that has the usual socket, as a service may have."""
    own = tmp_path / "own"
    daemon = listen("--model", loud.model, "--control", str(own), "--on-trigger", f"{KWSD} ctl pause")
    microphone.play(loud.path)
    daemon.event()
    daemon.wait_for_line("exit code 0")
    microphone.play(loud.path)
    done = ctl("status", "--control", own)
    assert done.stdout.splitlines()[0].split() == ["state", "paused"]
    assert daemon.stop()[0] == 0
    assert daemon.rest() == []
