"""kwsd on macOS and Windows, which are imitated where the tests run on Linux."""

import os
import subprocess
import sys
from pathlib import Path

IMITATION = Path(__file__).with_name("imitated_system.py")
SYSTEMS = ("darwin", "win32") if sys.platform == "linux" else (sys.platform,)
PATIENCE = 100.0  # seconds that a command may take, torch's import included


def python(system: str) -> list[str]:
    """The interpreter of that system; a file opened with the system's encoding is an error on Linux."""
    imitation = ["-X", "warn_default_encoding", str(IMITATION), system] if sys.platform == "linux" else []
    return [sys.executable, "-P", *imitation]  # the kwsd that is installed


def line(system: str, *arguments: object) -> list[str]:
    """The command line that runs kwsd there."""
    return [*python(system), "-m", "kwsd", *map(str, arguments)]


def environment(**variables: str) -> dict[str, str]:
    """As a user's terminal has it, with these variables."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"} | variables


def kwsd(
    system: str, *arguments: object, code: int = 0, stdin: bytes = b"", **variables: str
) -> "subprocess.CompletedProcess[str]":
    """Run a command there to its end. Asserts its exit code, and that nothing is a traceback."""
    done = subprocess.run(
        line(system, *arguments),
        input=stdin,
        capture_output=True,
        env=environment(**variables),
        timeout=PATIENCE,
        check=False,
    )
    encoding = variables.get("PYTHONIOENCODING", "utf-8")
    texts = [stream.decode(encoding).replace("\r\n", "\n") for stream in (done.stdout, done.stderr)]
    assert "Traceback" not in texts[1], texts[1]
    assert done.returncode == code, texts
    return subprocess.CompletedProcess(done.args, done.returncode, *texts)
