"""Sends a command to a running kwsd."""

import json
import socket
import sys
from pathlib import Path
from typing import Any

from kwsd.daemon.control.address import candidates
from kwsd.errors import KwsdError, UsageError

TIMEOUT = 15.0  # seconds to wait for each part of the answer; a reload may take 10
MAX_BYTES = 1_000_000  # of an answer


def ask(request: dict[str, Any], path: Path | None = None) -> dict[str, Any]:
    """Send a request to a running kwsd, and return its answer, without the field "ok".

    path: its control socket; None tries the usual places. Raises UsageError for a request that it refuses,
    and KwsdError if there is no answer.
    """
    paths = [path] if path else candidates()
    with _connect(paths) as connection:
        try:
            connection.sendall(json.dumps(request).encode() + b"\n")
            answer = json.loads(_line(connection))
        except (OSError, ValueError) as error:  # TimeoutError is an OSError; ValueError: half an answer
            raise KwsdError(f"kwsd has not answered: {error}") from error
    if answer.pop("ok"):
        return dict(answer)
    usage_error = UsageError(answer["error"])
    raise usage_error if answer["exit_code"] == usage_error.exit_code else KwsdError(answer["error"])


def _connect(paths: list[Path]) -> socket.socket:
    """A connection to the first of these sockets on which a kwsd listens. Raises KwsdError if none does."""
    if sys.platform == "win32":
        raise UsageError("kwsd ctl needs Unix sockets, which Python does not have on Windows")
    refusals = []
    for path in paths:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.settimeout(TIMEOUT)
        try:
            connection.connect(str(path))
        except (FileNotFoundError, ConnectionRefusedError):  # refused: left behind by a kwsd that was killed
            connection.close()
        except OSError as error:  # it belongs to another user, or its path is too long
            connection.close()
            refusals.append(f"cannot connect to {path}: {error.strerror or error}")
        else:
            return connection
    places = " or ".join(map(str, paths))
    raise KwsdError(
        refusals[0] if refusals else f"no kwsd listens to commands at {places}; see kwsd listen --control"
    )


def _line(connection: socket.socket) -> bytes:
    """The answer. Raises OSError or ValueError if it does not come, or is too long."""
    received = b""
    while not received.endswith(b"\n"):
        part = connection.recv(65_536)
        if not part:
            raise ValueError("it has ended, or has closed this connection because there are too many")
        received += part
        if len(received) > MAX_BYTES:
            raise ValueError(f"the answer has more than {MAX_BYTES:,} bytes")
    return received
