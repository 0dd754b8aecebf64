"""Word to systemd, heard on sockets that stand in for its own."""

import logging
import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kwsd.daemon.systemd import notify
from kwsd.daemon.systemd.notify import Notifier

Make = Callable[[], Notifier]


@pytest.fixture(params=["path", "abstract"])
def manager(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[socket.socket]:
    """The manager's end of NOTIFY_SOCKET."""
    address = str(tmp_path / "notify") if request.param == "path" else f"@kwsd-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as bound:
        bound.bind(address.replace("@", "\0"))
        bound.setblocking(False)
        monkeypatch.setenv("NOTIFY_SOCKET", address)
        yield bound


@pytest.fixture
def notifier() -> Iterator[Make]:
    """Makes the process's notifier, which would keep its socket until the end."""
    made = []

    def make() -> Notifier:
        made.append(Notifier())
        return made[-1]

    yield make
    for each in made:
        if each._socket:
            each._socket.close()


def heard(manager: socket.socket) -> list[str]:
    messages = []
    try:
        while True:
            messages.append(manager.recv(4096).decode())
    except BlockingIOError:
        return messages


def test_it_is_heard_and_leaves_no_child_a_voice(
    manager: socket.socket, notifier: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "1000000")
    monkeypatch.setenv("WATCHDOG_PID", str(os.getpid()))
    notifier().send("STATUS=for one")
    assert heard(manager) == ["STATUS=for one"]
    assert not {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"} & os.environ.keys()


def test_the_watchdog_is_fed_at_half_its_time(
    manager: socket.socket, notifier: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "10000000")
    now = 100.0
    monkeypatch.setattr(notify.time, "monotonic", lambda: now)
    made = notifier()
    fed = []
    for now in range(100, 120):
        made.feed_watchdog()
        fed += [now] * len(heard(manager))
    assert fed == [100, 105, 110, 115]


def test_a_watchdog_of_another_process_is_not_fed(
    manager: socket.socket, notifier: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "1")
    monkeypatch.setenv("WATCHDOG_PID", str(os.getpid() + 1))
    notifier().feed_watchdog()
    assert heard(manager) == []


def test_a_manager_that_is_gone_is_told_of_and_not_fatal(
    manager: socket.socket, notifier: Make, caplog: pytest.LogCaptureFixture
) -> None:
    made = notifier()
    manager.close()
    with caplog.at_level(logging.WARNING):
        made.send("READY=1")
    assert "cannot notify systemd" in caplog.text


def fill(manager: socket.socket) -> None:
    """Send datagrams until the manager's socket takes no more."""
    while True:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other:  # each has a send buffer of its own
            other.setblocking(False)
            try:
                other.sendto(b"other", manager.getsockname())
            except BlockingIOError:
                return


def test_a_manager_that_does_not_read_is_not_waited_for_and_misses_nothing(
    manager: socket.socket, notifier: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "10000000")
    now = 100.0
    monkeypatch.setattr(notify.time, "monotonic", lambda: now)
    made = notifier()
    fill(manager)
    made.send("READY=1")
    made.send("STATUS=first")
    made.send("STATUS=second")
    made.feed_watchdog()
    assert set(heard(manager)) == {"other"}
    now = 100.2
    made.feed_watchdog()
    assert heard(manager) == ["READY=1", "STATUS=second", "WATCHDOG=1"]
    now = 100.4
    made.feed_watchdog()
    assert heard(manager) == []


def test_without_a_manager_nothing_is_said(notifier: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    monkeypatch.setenv("WATCHDOG_USEC", "1")
    made = notifier()
    made.send("READY=1")
    made.feed_watchdog()


def test_a_watchdog_interval_that_is_no_number_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", "abc")
    Notifier().feed_watchdog()
