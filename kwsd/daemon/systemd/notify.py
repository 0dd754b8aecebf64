"""Notifies systemd of readiness, status and watchdog (sd_notify(3)). Does nothing outside of a service."""

import logging
import os
import socket
import sys
import time

EXTENSION = 10.0  # seconds of start-up time that each request asks for

log = logging.getLogger(__name__)


class Notifier:
    """Sends notifications to systemd.

    It removes systemd's variables from the environment, so that hooks cannot send notifications.
    """

    def __init__(self) -> None:
        address = os.environ.pop("NOTIFY_SOCKET", "")
        microseconds = os.environ.pop("WATCHDOG_USEC", "")
        timeout = int(microseconds) / 1e6 if microseconds.isdecimal() else 0.0  # seconds
        is_for_us = os.environ.pop("WATCHDOG_PID", None) in (None, str(os.getpid()))
        self._address = "\0" + address[1:] if address.startswith("@") else address  # @: an abstract socket
        self._interval = timeout / 2 if is_for_us else 0.0  # as sd_watchdog_enabled(3) recommends
        self._last_sent = 0.0  # on the monotonic clock
        self._socket: socket.socket | None = None
        if sys.platform != "win32" and address:
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)

    def send(self, message: str) -> None:
        """Send an assignment such as ``STATUS=...``."""
        if self._socket is not None:
            try:
                self._socket.sendto(message.encode(errors="replace"), self._address)
            except OSError as error:
                log.warning("cannot notify systemd: %s", error)

    @property
    def is_service(self) -> bool:
        """Whether systemd started this process and expects notifications."""
        return self._socket is not None

    def extend_start(self) -> None:
        """Ask for more time to become ready. Call it often until the service is ready."""
        now = time.monotonic()
        if now - self._last_sent >= EXTENSION / 2:
            self.send(f"EXTEND_TIMEOUT_USEC={round(EXTENSION * 1e6)}")
            self._last_sent = now

    def feed_watchdog(self) -> None:
        """Tell the watchdog that the service works. Call it often; it sends only as often as required."""
        now = time.monotonic()
        if self._interval and now - self._last_sent >= self._interval:
            self.send("WATCHDOG=1")
            self._last_sent = now
