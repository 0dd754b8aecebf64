"""How many real-time streams one ``kwsd wyoming`` serves on one core, and how late it answers.

    taskset -c 1 python benchmarks/satellites.py --streams 100 --positive jarvis.wav --negative speech.wav

The files are 16 kHz mono 16-bit WAV. Every stream is --seconds of the negative recording in a loop, then the
positive one, in chunks of 64 ms at real time; the streams begin spread over a second. The service runs on the
core --core, so this program should run on another. It prints the service's CPU time per second of stream, how
long after the chunk in which the word was detected was sent the answer came, how long `info` takes meanwhile,
and the peak memory. On a busy machine run it with `chrt -f 20`, or what is late are these programs.
"""

import argparse
import asyncio
import os
import statistics
import subprocess
import sys
import time
import wave
from pathlib import Path

from wyoming.audio import AudioChunk, AudioStart, AudioStop
from wyoming.client import AsyncClient
from wyoming.info import Describe
from wyoming.wake import Detect, Detection, NotDetected

CHUNK_BYTES = 2_048
CHUNK_SECONDS = 0.064


def samples(path: Path) -> bytes:
    """The samples of a 16 kHz mono 16-bit WAV file."""
    with wave.open(str(path)) as file:
        if (file.getframerate(), file.getsampwidth(), file.getnchannels()) != (16_000, 2, 1):
            raise SystemExit(f"{path}: not 16 kHz mono 16-bit")
        return bytes(file.readframes(file.getnframes()))


def cpu_seconds(pid: int) -> float:
    """The CPU time that a process has used."""
    words = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


def peak_megabytes(pid: int) -> float:
    """The peak resident memory of a process."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))


async def stream(uri: str, word: str, audio: bytes, start: float) -> float | None:
    """Send a stream that begins at this time. Returns how late the first answer came; None without one."""
    sent: list[float] = []
    late: float | None = None

    async with AsyncClient.from_uri(uri) as client:

        async def read() -> None:
            nonlocal late
            while (event := await client.read_event()) and not NotDetected.is_type(event.type):
                if Detection.is_type(event.type):
                    late = time.monotonic() - sent[event.data["timestamp"]]
                    return

        await client.write_event(Detect([word]).event())
        await client.write_event(AudioStart(16_000, 2, 1).event())
        reading = asyncio.create_task(read())
        for number, begin in enumerate(range(0, len(audio), CHUNK_BYTES)):
            await asyncio.sleep(start + (number + 1) * CHUNK_SECONDS - time.monotonic())
            sent.append(time.monotonic())
            part = audio[begin : begin + CHUNK_BYTES]
            await client.write_event(AudioChunk(16_000, 2, 1, part, timestamp=number).event())
        await client.write_event(AudioStop().event())
        await reading
    return late


async def ask_for_info(uri: str, taken: list[float]) -> None:
    """Ask for `info` every half second, on a new connection each time as Home Assistant does."""
    while True:
        await asyncio.sleep(0.5)
        begin = time.monotonic()
        async with AsyncClient.from_uri(uri) as client:
            await client.write_event(Describe().event())
            await client.read_event()
        taken.append(time.monotonic() - begin)


async def measure(pid: int, uri: str, options: argparse.Namespace) -> None:
    """Run all streams, and print what they cost."""
    wanted = options.seconds * 32_000
    negative = samples(options.negative)
    audio = (negative * (wanted // len(negative) + 1))[:wanted] + samples(options.positive) + bytes(32_000)
    info: list[float] = []
    asking = asyncio.create_task(ask_for_info(uri, info))
    before, begin = cpu_seconds(pid), time.monotonic() + 0.5
    late = await asyncio.gather(
        *(
            stream(uri, options.word, audio, begin + number / options.streams)
            for number in range(options.streams)
        )
    )
    asking.cancel()
    used = cpu_seconds(pid) - before
    heard = [one for one in late if one is not None]
    milliseconds = 1_000 * used / (options.streams * len(audio) / 32_000)
    peak = peak_megabytes(pid)
    print(
        f"{options.streams} streams of {len(audio) / 32_000:.0f} s: {len(heard)} heard; "
        f"{milliseconds:.2f} ms of CPU per second of stream; "
        f"answer {1e3 * statistics.median(heard):.0f} ms after its chunk (worst {1e3 * max(heard):.0f}); "
        f"info within {1e3 * max(info):.0f} ms; "
        f"peak {peak:.0f} MB, {peak / options.streams:.1f} a stream"
    )


def main() -> None:
    """Start the service and measure it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--streams", type=int, default=100)
    parser.add_argument("--seconds", type=int, default=20)
    parser.add_argument("--word", default="jarvis")
    parser.add_argument("--core", type=int, default=0)
    parser.add_argument("--positive", type=Path, required=True)
    parser.add_argument("--negative", type=Path, required=True)
    options = parser.parse_args()
    kwsd = [str(Path(sys.executable).with_name("kwsd")), "wyoming", "--max-clients", "1000"]
    with subprocess.Popen(
        ["taskset", "-c", str(options.core), *kwsd, "--uri", "tcp://127.0.0.1:0"],
        stderr=subprocess.PIPE,
        text=True,
    ) as service:
        assert service.stderr is not None
        uri = service.stderr.readline().split()[-1]
        # what it logs later must not fill the pipe
        with subprocess.Popen(["cat"], stdin=service.stderr, stdout=subprocess.DEVNULL):
            try:
                asyncio.run(measure(service.pid, uri, options))
            finally:
                service.terminate()


if __name__ == "__main__":
    main()
