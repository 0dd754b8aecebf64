"""How the tests run, and what many of them need: recordings, a fake microphone, a running daemon."""

import os

# for torch, here and in every kwsd that a test starts: threads that wait for each other make small networks
# ten times slower wherever something else runs beside them
os.environ.setdefault("OMP_NUM_THREADS", "1")

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from fake_card import FakeCards, compile_plugin
from harness import LOUD, Daemon, FakeMicrophone, Spoken, speak
from hypothesis import HealthCheck, settings

from kwsd.cli import progress

TIMEOUT = 300  # seconds that a test may take on a slow and busy machine, where pytest-timeout is installed

# no test depends on how fast the machine is; all else is as hypothesis has it, here or in CI
settings.register_profile(
    "kwsd", settings.default, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("kwsd")
progress.EVERY_SECONDS = 1e6  # no lines about long stages among those that a test expects


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Begin with the tests that train, which take longest; limit the time of every test without a limit."""
    items.sort(key=lambda item: "training" not in item.path.parts)
    if config.pluginmanager.hasplugin("timeout"):
        for item in items:
            if item.get_closest_marker("timeout") is None:
                item.add_marker(pytest.mark.timeout(TIMEOUT, func_only=True))  # fixtures train models


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Count the tests that did not run because the user is root, or is not."""
    reasons = [report.longrepr[2] for report in terminalreporter.getreports("skipped")]
    count = sum("root" in reason for reason in reasons)
    if count:
        who = "root" if sys.platform == "win32" or os.geteuid() else "an ordinary user"
        terminalreporter.write_line(f"{count} not run: run them as {who}", yellow=True)


@pytest.fixture(autouse=True)
def no_configuration(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Whoever runs the tests may have a configuration and a cache of kwsd."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path_factory.getbasetemp() / "none"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.getbasetemp() / "cache"))


@pytest.fixture(scope="session")
def recordings() -> Path:
    """The folder of real recordings (docs/recordings.md)."""
    if "KWSD_DATA" not in os.environ:
        pytest.skip("KWSD_DATA names no folder of recordings")
    return Path(os.environ["KWSD_DATA"])


@pytest.fixture(scope="session")
def loud(tmp_path_factory: pytest.TempPathFactory) -> Spoken:
    """A burst of noise, for the model whose keyword is loudness."""
    noise = 0.2 * np.random.default_rng(0).standard_normal(8_000)
    return speak("loud", str(LOUD), [noise], tmp_path_factory.mktemp("spoken"))


@pytest.fixture(scope="session")
def happy(recordings: Path, tmp_path_factory: pytest.TempPathFactory) -> Spoken:
    """Three people saying "happy", for the shipped student."""
    import soundfile

    tree = recordings / "speech_commands_v0.01"
    listed = (tree / "validation_list.txt").read_text().split()
    stems = [tree / name.removesuffix(".wav") for name in listed if name.startswith("happy/")][:3]
    clips = [soundfile.read(path)[0] for stem in stems for path in stem.parent.glob(stem.name + ".*")]
    return speak("happy", "student", clips, tmp_path_factory.mktemp("spoken"))


@pytest.fixture(scope="session", params=["loud", "happy"])
def spoken(request: pytest.FixtureRequest) -> Spoken:
    found: Spoken = request.getfixturevalue(request.param)
    return found


@pytest.fixture(scope="session")
def microphone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FakeMicrophone]:
    for program in ("pulseaudio", "paplay", "pactl"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed")
    fake = FakeMicrophone(tmp_path_factory.mktemp("mic"))
    yield fake
    fake.close()


@pytest.fixture(scope="session")
def fake_card_plugin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    try:
        return compile_plugin(tmp_path_factory.mktemp("plugin"))
    except (FileNotFoundError, subprocess.CalledProcessError):
        pytest.skip("gcc and libasound2-dev are not installed")


@pytest.fixture
def fake_cards(fake_card_plugin: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeCards:
    """No sound card, until a test adds some: for this process and for others, by its environment."""
    folder = tmp_path / "cards"
    folder.mkdir()
    fake = FakeCards(folder, fake_card_plugin)
    for name in ("ALSA_CONFIG_PATH", "XDG_RUNTIME_DIR", "HOME"):
        monkeypatch.setenv(name, fake.environment[name])
    return fake


@pytest.fixture
def listen(microphone: FakeMicrophone, tmp_path: Path) -> Iterator[Callable[..., Daemon]]:
    """Starts ``kwsd listen`` with options, on the fake microphone, and returns once it is ready."""
    started = []

    def start(*options: str) -> Daemon:
        daemon = Daemon(tmp_path, microphone.environment, *options)
        started.append(daemon)
        daemon.wait_for_notification("READY=1")
        return daemon

    yield start
    for daemon in started:
        daemon.close()


@pytest.fixture
def own_microphone(
    microphone: FakeMicrophone,  # noqa: ARG001 - it skips where there can be none
    tmp_path: Path,
) -> Iterator[FakeMicrophone]:
    """One that a test may break."""
    fake = FakeMicrophone(tmp_path)
    yield fake
    fake.close()


@pytest.fixture
def daemon(own_microphone: FakeMicrophone, tmp_path: Path) -> Iterator[Callable[..., Daemon]]:
    started = []

    def start(*options: str) -> Daemon:
        daemon = Daemon(tmp_path, own_microphone.environment, "--model", str(LOUD), *options)
        started.append(daemon)
        return daemon

    yield start
    for one in started:
        one.close()
