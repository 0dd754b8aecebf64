"""Notifies systemd of readiness, status and watchdog (sd_notify(3)). Does nothing outside of a service."""

import logging
import math
import os
import socket
import sys
import time

EXTENSION = 10.0  # seconds of start-up time that each request asks for

log = logging.getLogger(__name__)


class Notifier:
    """Sends notifications to systemd. No method waits, even if systemd has stopped reading them.

    It removes systemd's variables from the environment, so that hooks cannot send notifications.
    """

    def __init__(self) -> None:
        address = os.environ.pop("NOTIFY_SOCKET", "")
        microseconds = os.environ.pop("WATCHDOG_USEC", "")
        timeout = int(microseconds) / 1e6 if microseconds.isdecimal() else 0  # seconds; 0 without a watchdog
        is_for_us = os.environ.pop("WATCHDOG_PID", None) in (None, str(os.getpid()))
        self._address = "\0" + address[1:] if address.startswith("@") else address  # @: an abstract socket
        self._interval = timeout / 2 if timeout and is_for_us else math.inf  # see sd_watchdog_enabled(3)
        self._last_sent = 0.0  # on the monotonic clock
        self._unsent: dict[str, str] = {}  # by name; what systemd could not take so far
        self._socket: socket.socket | None = None
        if sys.platform != "win32" and address:
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            self._socket.setblocking(False)

    @property
    def is_service(self) -> bool:
        """Whether systemd started this process and expects notifications."""
        return self._socket is not None

    def send(self, assignment: str) -> None:
        """Send an assignment such as ``STATUS=...``.

        If systemd has too many unread notifications, it is kept until the next call of any method, or until
        a new value replaces it.
        """
        self._unsent[assignment.partition("=")[0]] = assignment
        self._send_unsent()

    def extend_start(self) -> None:
        """Ask for more time to become ready. Call it often until the service is ready."""
        self._send_every(EXTENSION / 2, f"EXTEND_TIMEOUT_USEC={round(EXTENSION * 1e6)}")

    def feed_watchdog(self) -> None:
        """Tell the watchdog that the service works. Call it often; it sends only as often as required."""
        self._send_every(self._interval, "WATCHDOG=1")

    def _send_every(self, interval: float, assignment: str) -> None:
        """Send an assignment unless one was sent less than `interval` seconds ago."""
        now = time.monotonic()
        if now - self._last_sent >= interval:
            self.send(assignment)
            self._last_sent = now
        elif self._unsent:
            self._send_unsent()

    def _send_unsent(self) -> None:
        for name, assignment in list(self._unsent.items()):
            if self._socket is not None:
                try:
                    self._socket.sendto(assignment.encode(errors="replace"), self._address)
                except BlockingIOError:
                    return
                except OSError as error:
                    log.warning("cannot notify systemd: %s", error)
            del self._unsent[name]
