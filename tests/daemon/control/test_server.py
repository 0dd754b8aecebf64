"""The control socket, with requests that are answered at once, late or never, and clients of every kind."""

import json
import socket
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from typing import Any

import pytest
from harness import PATIENCE, wait_for

from kwsd.daemon.control import server
from kwsd.daemon.control.client import ask
from kwsd.daemon.control.server import MAX_CLIENTS, MAX_LINE, ControlSocket
from kwsd.errors import KwsdError, UsageError

Answer = Future[dict[str, Any]]


def echo(request: dict[str, Any]) -> Answer:
    """Answers with the request; "huge" with a lot, "fail" with an error, "wait" never."""
    answer: Answer = Future()
    match request.get("command"):
        case "huge":
            answer.set_result({"text": "x" * 900_000})
        case "fail":
            answer.set_exception(KwsdError("out of order"))
        case "unknown":
            raise UsageError("there is no command 'unknown'")
        case "wait":
            pass
        case _:
            answer.set_result(request)
    return answer


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "kwsd.sock"


@pytest.fixture
def running(path: Path) -> Iterator[ControlSocket]:
    with ControlSocket(path, echo) as control:
        yield control


def connect(path: Path) -> socket.socket:
    client = socket.socket(socket.AF_UNIX)
    client.settimeout(PATIENCE)
    client.connect(str(path))
    return client


def talk(path: Path, *parts: bytes) -> list[dict[str, Any]]:
    """What is answered to these bytes, and nothing after them."""
    with closing(connect(path)) as client:
        for part in parts:
            client.sendall(part)
        client.shutdown(socket.SHUT_WR)
        answers = b"".join(iter(lambda: client.recv(65_536), b""))
    return [json.loads(line) for line in answers.splitlines()]


def descriptors() -> int:
    """How many this process has open."""
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.mark.usefixtures("running")
def test_answers_and_errors(path: Path) -> None:
    assert path.stat().st_mode & 0o777 == 0o600
    assert ask({"command": "a", "word": "b"}, path) == {"command": "a", "word": "b"}
    assert len(ask({"command": "huge"}, path)["text"]) == 900_000
    with pytest.raises(KwsdError, match="out of order") as failed:
        ask({"command": "fail"}, path)
    assert failed.value.exit_code == 1
    with pytest.raises(UsageError, match="no command 'unknown'"):
        ask({"command": "unknown"}, path)


@pytest.mark.usefixtures("running")
def test_requests_are_answered_in_order_however_they_are_cut(path: Path) -> None:
    lines = b"".join(b'{"n": %d}\n' % n for n in range(1_000)).removesuffix(b"\n")
    expected = [{"ok": True, "n": n} for n in range(1_000)]
    assert talk(path, lines) == expected
    *answers, refusal = talk(path, *(lines[at : at + 1] for at in range(205)))  # 21 lines and a half
    assert answers == expected[:21]
    assert "not JSON" in refusal["error"]


@pytest.mark.usefixtures("running")
@pytest.mark.parametrize(
    ("line", "says"),
    [
        (b"status", "this is not JSON"),
        (b"", "this is not JSON"),
        (b"\xff\xfe", "this is not JSON"),
        (b"[" * MAX_LINE, "this is not JSON"),
        (b"[1]", "a request is an object"),
        (b"null", "a request is an object"),
        (b'{"word": "' + b"x" * MAX_LINE, "a request has at most 4096 bytes"),
        (b"x" * 1_000_000, "a request has at most 4096 bytes"),
    ],
)
def test_what_is_no_request_is_refused(path: Path, line: bytes, says: str) -> None:
    """With one line, after which the connection ends."""
    with closing(connect(path)) as client:
        with suppress(OSError):  # it ends before everything is sent
            client.sendall(line + b'\n{"n": 1}\n')
        answer = client.recv(65_536)
        with suppress(ConnectionResetError):  # it did not read all
            assert client.recv(65_536) == b""
    assert answer.count(b"\n") == 1
    assert json.loads(answer)["ok"] is False
    assert says in json.loads(answer)["error"]
    assert ask({"n": 2}, path) == {"n": 2}


@pytest.mark.usefixtures("running")
def test_slow_and_many_clients_do_not_keep_others_waiting(path: Path) -> None:
    """Those who say nothing, say half a line, or do not read their answer."""
    clients = [connect(path) for _ in range(5)]
    clients[1].sendall(b'{"command": ')
    for client in clients[2:]:
        client.sendall(b'{"command": "huge"}\n' * 200)
    assert ask({"n": 1}, path) == {"n": 1}
    before = descriptors()
    clients += [connect(path) for _ in range(4 * MAX_CLIENTS)]
    assert ask({"n": 2}, path) == {"n": 2}
    assert descriptors() - before - 4 * MAX_CLIENTS <= MAX_CLIENTS  # those of the other end
    for client in clients:
        client.close()
    assert ask({"n": 3}, path) == {"n": 3}


def test_who_does_not_read_is_dropped(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "WRITE_TIMEOUT", 0.0)
    monkeypatch.setattr(server, "TICK", 0.01)
    with ControlSocket(path, echo) as control, closing(connect(path)) as client:
        client.sendall(b'{"command": "huge"}\n')
        wait_for("the connection", lambda: len(control._clients) == 0)


def test_a_command_that_nobody_runs_is_given_up(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And is not run later, when its client was told that it failed."""
    monkeypatch.setattr(server, "COMMAND_TIMEOUT", 0.0)
    monkeypatch.setattr(server, "TICK", 0.01)
    given: list[Answer] = []

    def submit(_: dict[str, Any]) -> Answer:
        given.append(Future())
        return given[-1]

    with ControlSocket(path, submit), pytest.raises(KwsdError, match="waits for audio, or hangs"):
        ask({"command": "pause"}, path)
    assert not given[0].set_running_or_notify_cancel()


def killed(path: Path) -> None:
    """What a killed kwsd leaves."""
    left = socket.socket(socket.AF_UNIX)
    left.bind(str(path))
    left.close()


def test_a_socket_that_was_left_behind_is_replaced(path: Path) -> None:
    killed(path)
    with pytest.raises(KwsdError, match=f"no kwsd listens to commands at {path}"):
        ask({}, path)
    with ControlSocket(path, echo):
        assert ask({"n": 1}, path) == {"n": 1}
    assert not path.exists()


def test_the_second_takes_over_when_the_first_ends(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "TICK", 0.01)

    def second(_: dict[str, Any]) -> Answer:
        return echo({"number": 2})

    def answered() -> bool:
        try:
            return ask({}, path) == {"number": 2}
        except KwsdError:
            return False

    with ExitStack() as first:
        first.enter_context(ControlSocket(path, echo))
        with ControlSocket(path, second):
            assert ask({}, path) == {}
            first.close()
            wait_for("the second", answered)


def test_the_socket_of_another_program_is_not_replaced(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(path))
        other.listen()
        with pytest.raises(UsageError, match="it is in use by another program"):
            ControlSocket(path, echo)
    assert path.exists()


def test_no_other_file_is_replaced(path: Path) -> None:
    path.write_text("mine")
    with pytest.raises(UsageError, match="is not a socket"):
        ControlSocket(path, echo)
    assert path.read_text() == "mine"


@pytest.mark.parametrize(("name", "says"), [("x" * 200, "path too long"), ("none/kwsd.sock", "No such file")])
def test_where_no_socket_can_be_made(tmp_path: Path, name: str, says: str) -> None:
    with pytest.raises(UsageError, match=f"cannot make the control socket .*{says}"):
        ControlSocket(tmp_path / name, echo)
