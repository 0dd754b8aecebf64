"""A booted systemd, and a microphone for it."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from booted import Systemd
from harness import FakeMicrophone

SYSTEMD = Path("/lib/systemd/systemd")


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("share")
    folder.chmod(0o755)  # every user inside may read it
    return folder


@pytest.fixture(scope="session")
def open_microphone(
    microphone: FakeMicrophone,  # noqa: ARG001 - it skips where there can be none
    shared: Path,
) -> Iterator[FakeMicrophone]:
    """One that every user may hear."""
    fake = FakeMicrophone(shared, "auth-anonymous=1")
    (shared / "open").hardlink_to(shared / "run/pulse/native")  # whose folder clients close to others
    yield fake
    fake.close()


@pytest.fixture(scope="session")
def systemd(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Systemd]:
    if os.geteuid() != 0:
        pytest.skip("booting a systemd needs root")
    if not SYSTEMD.exists() or not shutil.which("nsenter"):
        pytest.skip("systemd or nsenter is not installed")
    booted = Systemd(tmp_path_factory.mktemp("systemd"), shared)
    yield booted
    booted.close()
