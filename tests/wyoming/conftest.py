"""A running ``kwsd wyoming``."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from wyoming_clients import Server

Start = Callable[..., Server]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts a service with these options, on any port."""
    with contextlib.ExitStack() as servers:

        def begin(*options: str | Path, uri: str = "tcp://127.0.0.1:0", **how: Any) -> Server:
            server = Server(tmp_path, "--uri", uri, *options, **how)
            servers.callback(server.close)
            return server

        yield begin


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A service that tests share."""
    running = Server(tmp_path_factory.mktemp("server"), "--uri", "tcp://127.0.0.1:0")
    yield running
    running.close()
