"""The add-on for Home Assistant: its program, with a supervisor that is played here, and its version."""

import http.server
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import threading
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from harness import KWSD, LOUD, PATIENCE, wait_for

ROOT = Path(__file__).parents[1]


def test_it_has_the_version_of_kwsd() -> None:
    (version,) = re.findall(r'^version: "(.*)"$', (ROOT / "addon/config.yaml").read_text(), re.MULTILINE)
    assert version == tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]


@pytest.fixture
def supervisor() -> Iterator[tuple[str, list[tuple[str, str, Any]]]]:
    """Its address, and what it was told: path, authorization and content."""
    told: list[tuple[str, str, Any]] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            content = self.rfile.read(int(self.headers["Content-Length"]))
            told.append((self.path, self.headers["Authorization"], json.loads(content)))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", told
        server.shutdown()
        thread.join()


def test_it_serves_the_chosen_words_and_is_announced(
    tmp_path: Path, supervisor: tuple[str, list[tuple[str, str, Any]]]
) -> None:
    address, told = supervisor
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (tmp_path / "options.json").write_text(
        '{"words": ["jarvis"], "threshold": 0.7, "thresholds": ["shout=0.9"]}'
    )
    (tmp_path / "words").mkdir()
    shutil.copy(LOUD, tmp_path / "words" / "shout.pt")
    environment = {
        "ADDON_OPTIONS": str(tmp_path / "options.json"),
        "ADDON_WORDS": str(tmp_path / "words"),
        "ADDON_SUPERVISOR": address,
        "ADDON_PORT": str(port),
        "SUPERVISOR_TOKEN": "secret",
    }
    line = [KWSD.with_name("python"), ROOT / "addon/run.py"]
    with subprocess.Popen(line, env=os.environ | environment, stderr=subprocess.PIPE, text=True) as addon:
        try:
            wait_for("the announcement", lambda: told or addon.poll() is not None)
            uri = f"tcp://{socket.gethostname()}:{port}"
            content = {"service": "wyoming", "config": {"uri": uri}}
            assert told == [("/discovery", "Bearer secret", content)]
            with socket.create_connection(("127.0.0.1", port), PATIENCE) as client:
                client.sendall(b'{"type": "describe"}\n')
                client.shutdown(socket.SHUT_WR)
                info = client.makefile().read()
            assert re.findall(r'"phrase": "(\w+)"', info) == ["jarvis", "loud"]
        finally:
            addon.send_signal(signal.SIGTERM)
        assert addon.wait(PATIENCE) == 0
