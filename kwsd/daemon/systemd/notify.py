"""Word to systemd: ready, status, watchdog (sd_notify(3)). Says nothing where systemd does not listen."""

import logging
import os
import socket
import sys
import time

EXTENSION = 10.0  # seconds of patience asked for at a time

log = logging.getLogger(__name__)


class Notifier:
    """Takes what it needs from the environment and removes it there, so that no hook speaks in our name."""

    def __init__(self) -> None:
        address = os.environ.pop("NOTIFY_SOCKET", "")
        microseconds = os.environ.pop("WATCHDOG_USEC", "")
        interval = int(microseconds) / 1e6 if microseconds.isdecimal() else 0.0  # seconds
        watched = os.environ.pop("WATCHDOG_PID", None) in (None, str(os.getpid()))
        self._address = "\0" + address[1:] if address.startswith("@") else address  # @: an abstract socket
        self._pace = interval / 2 if watched else 0.0  # sd_watchdog_enabled(3) asks for half the interval
        self._fed = 0.0
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
    def heard(self) -> bool:
        """Whether this is a service that systemd awaits word of."""
        return self._socket is not None

    def extend_start(self) -> None:
        """It starts, but not yet: to be called often until it is ready."""
        now = time.monotonic()
        if now - self._fed >= EXTENSION / 2:
            self.send(f"EXTEND_TIMEOUT_USEC={round(EXTENSION * 1e6)}")
            self._fed = now

    def feed_watchdog(self) -> None:
        """All is well. To be called often: it sends at the pace that systemd asks for."""
        now = time.monotonic()
        if self._pace and now - self._fed >= self._pace:
            self.send("WATCHDOG=1")
            self._fed = now
