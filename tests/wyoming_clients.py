"""A running ``kwsd wyoming``, and clients that speak to it through the real `wyoming` package."""

import asyncio
import contextlib
import re
import signal
import subprocess
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Any

import numpy as np
from harness import KWSD, LOUD, PATIENCE, wait_for
from wyoming.audio import AudioChunk, AudioStart, AudioStop
from wyoming.client import AsyncClient
from wyoming.event import Event
from wyoming.wake import Detect, Detection, NotDetected

SILENCE = np.zeros(16_000, np.int16)
NOISE = (6_000 * np.random.default_rng(0).standard_normal(8_000)).astype(np.int16)
SPOKEN = np.concatenate([SILENCE, NOISE, SILENCE])  # "loud", from 1.0 to 1.5 s


class Server:
    """A running ``kwsd wyoming``."""

    def __init__(self, folder: Path, *options: str | Path, words: tuple[str | Path, ...] = (LOUD,)) -> None:
        self._errors = (folder / "errors").open("w+")
        self.process = subprocess.Popen(
            [KWSD, "wyoming", *words, *options], stdin=subprocess.DEVNULL, stderr=self._errors, text=True
        )

        def listens() -> bool:
            assert self.process.poll() is None, self.log()
            return "listening on" in self.log()

        wait_for("the service", listens)
        (self.uri,) = re.findall(r"listening on (\S+)", self.log())

    def log(self) -> str:
        """What it has written to standard error so far."""
        return Path(self._errors.name).read_text()

    def wait_for_line(self, wanted: str) -> None:
        """Until standard error contains `wanted`."""
        wait_for(wanted, lambda: wanted in self.log())

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Send a signal. Returns the exit code."""
        self.process.send_signal(number)
        return self.process.wait(PATIENCE)

    def close(self) -> None:
        if self.process.poll() is None:
            self.stop(signal.SIGKILL)
        self._errors.close()


class StdioClient(AsyncClient):
    """Starts the service and speaks to it on its standard input and output."""

    async def connect(self) -> None:
        self.process = await asyncio.create_subprocess_exec(
            KWSD, "wyoming", LOUD, "--uri", "stdio://", stdin=-1, stdout=-1, stderr=subprocess.DEVNULL
        )
        self._reader, self._writer = self.process.stdout, self.process.stdin

    async def disconnect(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        assert await asyncio.wait_for(self.process.wait(), PATIENCE) == 0


def run(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """The result of what a client does."""
    return asyncio.run(asyncio.wait_for(coroutine, PATIENCE))


@contextlib.asynccontextmanager
async def connected(uri: str) -> AsyncIterator[AsyncClient]:
    """A client of the service at this URI."""
    async with StdioClient() if uri == "stdio://" else AsyncClient.from_uri(uri) as client:
        yield client


async def send(
    client: AsyncClient,
    samples: np.ndarray[Any, Any],
    rate: int = 16_000,
    *,
    size: int = 1_024,
    timestamp: Callable[[int], int | None] = lambda _: None,
) -> None:
    """Send a stream of int16 samples, shape (n,) or (n, channels), from audio-start to audio-stop.

    size: samples of a chunk. timestamp: of the chunk with this number.
    """
    channels = 1 if samples.ndim == 1 else samples.shape[1]
    await client.write_event(AudioStart(rate, 2, channels).event())
    for number, begin in enumerate(range(0, len(samples), size)):
        audio = samples[begin : begin + size].tobytes()
        await client.write_event(AudioChunk(rate, 2, channels, audio, timestamp(number)).event())
    await client.write_event(AudioStop().event())


async def answer(client: AsyncClient) -> Event:
    """The next message of the service."""
    event = await client.read_event()
    assert event is not None, "the service has disconnected"
    return event


async def detect(
    client: AsyncClient, samples: np.ndarray[Any, Any], names: list[str] | None = None, **how: Any
) -> Event:
    """The answer of the service to this audio."""
    await client.write_event(Detect(names).event())
    await send(client, samples, **how)
    event = await answer(client)
    assert Detection.is_type(event.type) or NotDetected.is_type(event.type)
    return event


def pid_of_child(parent: int) -> int:
    """A child process that runs Python code for multiprocessing."""
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError, ValueError):
            words = (entry / "stat").read_text().rsplit(")", 1)[1].split()
            if int(words[1]) == parent and b"spawn_main" in (entry / "cmdline").read_bytes():
                return int(entry.name)
    raise AssertionError(f"process {parent} has no child")
