"""Runs ``kwsd wyoming`` with the options of the add-on, and tells Home Assistant where it is."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

OPTIONS = Path(os.environ.get("ADDON_OPTIONS", "/data/options.json"))  # what the user has chosen
WORDS = Path(os.environ.get("ADDON_WORDS", "/share/kwsd"))  # the user's own models
SUPERVISOR = os.environ.get("ADDON_SUPERVISOR", "http://supervisor")
PORT = int(os.environ.get("ADDON_PORT", "10400"))


def command(options: dict[str, Any]) -> list[str]:
    """The command line for these options."""
    line = [str(Path(sys.executable).with_name("kwsd")), "wyoming", *options.get("words", [])]
    line += ["--uri", f"tcp://0.0.0.0:{PORT}", "--models", str(WORDS)]
    for name in ("threshold", "max_clients"):
        if options.get(name) is not None:
            line += [f"--{name.replace('_', '-')}", str(options[name])]
    for one in options.get("thresholds", []):
        line += ["--threshold", one]
    return line


def listens() -> bool:
    """Whether the service takes clients."""
    try:
        socket.create_connection(("127.0.0.1", PORT), timeout=1).close()
    except OSError:
        return False
    return True


def announce() -> None:
    """Tell Home Assistant about the service. It can also be added by hand, so a failure is only reported."""
    service = {"service": "wyoming", "config": {"uri": f"tcp://{socket.gethostname()}:{PORT}"}}
    request = urllib.request.Request(
        f"{SUPERVISOR}/discovery",
        data=json.dumps(service).encode(),
        headers={
            "Authorization": f"Bearer {os.environ.get('SUPERVISOR_TOKEN', '')}",
            "Content-Type": "application/json",
        },
    )
    try:
        urllib.request.urlopen(request, timeout=10).close()
    except OSError as error:
        print(
            f"not announced to Home Assistant: {error}; add the Wyoming integration by hand", file=sys.stderr
        )


def main() -> int:
    """Run until the service ends. Returns its exit code."""
    WORDS.mkdir(parents=True, exist_ok=True)
    service = subprocess.Popen(command(json.loads(OPTIONS.read_text("utf-8"))))
    signal.signal(signal.SIGTERM, lambda *_: service.terminate())
    while service.poll() is None and not listens():
        time.sleep(0.2)
    if service.poll() is None:
        announce()
    return service.wait()


if __name__ == "__main__":
    sys.exit(main())
