"""``kwsd wyoming`` as its clients see it, spoken to through the real `wyoming` package."""

import asyncio
import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from harness import KWSD, LOUD, PATIENCE
from wyoming.audio import AudioChunk, AudioStart, AudioStop
from wyoming.client import AsyncClient
from wyoming.event import Event
from wyoming.info import Describe, Info
from wyoming.ping import Ping, Pong
from wyoming.wake import Detect, Detection, NotDetected
from wyoming_clients import NOISE, SILENCE, SPOKEN, Server, answer, connected, detect, pid_of_child, run, send
from zeroconf.asyncio import AsyncServiceInfo, AsyncZeroconf

Start = Callable[..., Server]


async def described(client: AsyncClient) -> Info:
    await client.write_event(Describe().event())
    return Info.from_event(await answer(client))


async def names_at(uri: str) -> list[str]:
    """The words that a new client is offered."""
    async with connected(uri) as client:
        (program,) = (await described(client)).wake
        return [model.name for model in program.models]


async def whole_conversation(client: AsyncClient) -> None:
    """What every client does, on one connection."""
    info = await described(client)
    (program,) = info.wake  # Home Assistant reads no second one
    assert program.installed
    assert [(model.name, model.phrase, model.installed) for model in program.models] == [
        ("loud", "loud", True)
    ]

    await client.write_event(Detect(["loud"], context={"room": "kitchen"}).event())
    start = 7_000_000_000  # monotonic nanoseconds, as wyoming-satellite sends them
    await send(client, SPOKEN, timestamp=lambda number: start + number * 64_000_000)
    heard = Detection.from_event(await answer(client))
    assert (heard.name, heard.context) == ("loud", {"room": "kitchen"})
    assert heard.timestamp is not None
    # of the chunk: "loud" is said from chunk 15 (1.0 s) to 23 (1.5 s)
    assert (heard.timestamp - start) % 64_000_000 == 0
    assert 15 <= (heard.timestamp - start) // 64_000_000 <= 24

    await client.write_event(Event("an-event-of-tomorrow", {"a": 1}))
    await client.write_event(Ping("x").event())
    assert Pong.from_event(await answer(client)).text == "x"

    await client.write_event(Detect(["loud"], context={"room": "hall"}).event())
    await send(client, np.zeros(48_000, np.int16))
    silent = await answer(client)
    assert NotDetected.is_type(silent.type)
    assert NotDetected.from_event(silent).context == {"room": "hall"}

    for _ in range(2):  # rounds on one connection
        assert Detection.is_type((await detect(client, SPOKEN, ["loud"])).type)
    assert (await described(client)).wake


@pytest.mark.parametrize("transport", ["tcp", "unix", "stdio"])
def test_a_client_is_served(transport: str, server: Server, start: Start, tmp_path: Path) -> None:
    uri = {"tcp": server.uri, "unix": f"unix://{tmp_path}/wake.sock", "stdio": "stdio://"}[transport]
    if transport == "unix":
        start(uri=uri)

    async def client() -> None:
        async with connected(uri) as one:
            await whole_conversation(one)

    run(client())


def test_without_timestamps_it_tells_milliseconds_of_audio(server: Server) -> None:
    async def client() -> Detection:
        async with connected(server.uri) as one:
            return Detection.from_event(await detect(one, SPOKEN))

    heard = run(client())
    assert 1_000 <= heard.timestamp <= 1_600


@pytest.mark.parametrize("size", [160, 320, 1_024, 40_000])
def test_chunks_may_have_any_size(server: Server, size: int) -> None:
    async def client() -> tuple[str, str]:
        async with connected(server.uri) as one:
            return (await detect(one, SPOKEN, size=size)).type, (await detect(one, SILENCE, size=size)).type

    assert run(client()) == ("detection", "not-detected")


@pytest.mark.parametrize(("rate", "channels"), [(48_000, 2), (44_100, 1), (8_000, 4)])
def test_audio_may_have_any_rate_and_channels(server: Server, rate: int, channels: int) -> None:
    times = np.arange(0, len(SPOKEN), 16_000 / rate).astype(int)
    audio = np.repeat(SPOKEN[times][:, None], channels, axis=1)

    async def client() -> Detection:
        async with connected(server.uri) as one:
            return Detection.from_event(await detect(one, audio, rate=rate))

    assert 1_000 <= run(client()).timestamp <= 1_600


def test_audio_without_a_start_or_a_request_is_searched_for_all_words(server: Server) -> None:
    async def client() -> tuple[str, str]:
        async with connected(server.uri) as one:
            await one.write_event(AudioChunk(16_000, 2, 1, SPOKEN.tobytes()).event())
            first = (await answer(one)).type
            await one.write_event(AudioStop().event())
            await one.write_event(AudioStop().event())  # without audio: nothing was detected in it
            return first, (await answer(one)).type

    assert run(client()) == ("detection", "not-detected")


def test_a_word_at_the_very_end_is_detected(server: Server) -> None:
    async def client() -> str:
        async with connected(server.uri) as one:
            return (await detect(one, np.concatenate([SILENCE, NOISE[:3_200]]))).type

    assert run(client()) == "detection"


def test_a_connection_may_begin_inside_the_word(server: Server) -> None:
    async def client() -> str:
        async with connected(server.uri) as one:
            return (await detect(one, np.concatenate([NOISE, SILENCE[:1_600]]))).type

    assert run(client()) == "detection"


def test_a_word_that_is_not_offered_is_never_detected_and_named_once(start: Start) -> None:
    server = start()

    async def client() -> list[str]:
        async with connected(server.uri) as one:
            unknown = await detect(one, SPOKEN, ["marvin"])
            return [unknown.type, (await detect(one, SPOKEN, ["marvin", "loud"])).type]

    assert run(client()) == ["not-detected", "detection"]
    lines = [line for line in server.log().splitlines() if "'marvin'" in line]
    assert len(lines) == 2
    assert lines[0].endswith("asks for 'marvin', which is not offered; offered: loud")


def chunk(data: str, payload: bytes = b"") -> bytes:
    return f'{{"type": "audio-chunk", "data": {data}, "payload_length": {len(payload)}}}\n'.encode() + payload


BAD_CLIENTS = {
    b"GET / HTTP/1.0\r\n\r\n": "not a message",
    b"[" * 60_000 + b"\n": "not a message",
    b'{"type": 1}\n': "not a message",
    b'{"type": "ping", "data": []}\n{"type": "ping", "data": [1]}\n': "not a message",
    b"\xff" * 100_000: "no message within 65,536 bytes",
    b'{"type": "x", "payload_length": 1048577}\n': "payload_length must be a number of bytes up to 1,048,576",
    b'{"type": "x", "payload_length": -1}\n': "payload_length",
    b'{"type": "x", "data_length": true}\n': "data_length",
    b'{"type": "x", "data_length": 3}\n[1]': "not the data of a message",
    b'{"type": "audio-chunk", "payload_length": 1000000}\nshort': "it left in the middle of a message",
    b'{"type": "audio-chunk"}\n': "audio with rate None",
    chunk('{"rate": 0, "width": 2, "channels": 1}', b"ab"): "audio with rate 0",
    chunk('{"rate": 16000, "width": 7, "channels": 1}', b"ab"): "audio with width 7",
    chunk('{"rate": 16000, "width": 2, "channels": 99}', b"ab"): "audio with channels 99",
    chunk('{"rate": 16000, "width": 2, "channels": 1}', b"abc"): "3 bytes of audio, in frames of 2 bytes",
    chunk('{"rate": 16000, "width": 2, "channels": 1, "timestamp": "x"}', b"ab"): "timestamp 'x'",
    b'{"type": "detect", "data": {"names": "jarvis"}}\n': "names 'jarvis', which is not a list",
    b'{"type": "detect", "data": {"context": "kitchen"}}\n': "context 'kitchen', which is not an object",
}


def test_a_bad_client_costs_one_line(start: Start) -> None:
    server = start()
    host, port = server.uri.removeprefix("tcp://").split(":")

    def spoil(message: bytes) -> None:
        with socket.create_connection((host, int(port)), PATIENCE) as client:
            client.sendall(message)
            client.shutdown(socket.SHUT_WR)
            try:
                while client.recv(4_096):
                    pass
            except ConnectionError:  # it was cut off
                pass

    for message in BAD_CLIENTS:
        spoil(message)
    assert run(names_at(server.uri)) == ["loud"]
    assert server.stop() == 0  # everything is logged
    lines = [line for line in server.log().splitlines() if "was disconnected" in line]
    assert len(server.log().splitlines()) == len(lines) + 1  # it listens
    assert len(lines) == len(BAD_CLIENTS), lines
    for line, reason in zip(lines, BAD_CLIENTS.values(), strict=True):
        assert reason in line, line
        assert line.startswith("kwsd: 127.0.0.1:"), line


def test_a_client_that_leaves_costs_nothing(start: Start) -> None:
    server = start()

    async def leave() -> None:
        async with connected(server.uri) as client:
            await client.write_event(Detect().event())
            await client.write_event(AudioStart(16_000, 2, 1).event())
            await client.write_event(AudioChunk(16_000, 2, 1, SILENCE.tobytes()).event())

    before = server.log()
    run(leave())
    assert run(names_at(server.uri)) == ["loud"]
    assert server.log() == before


def test_a_client_that_does_not_read_is_disconnected(start: Start) -> None:
    server = start()
    host, port = server.uri.removeprefix("tcp://").split(":")
    with socket.create_connection((host, int(port)), PATIENCE) as client:
        with suppress(ConnectionError):  # whose answers would fill every buffer on the way
            client.sendall(b'{"type": "describe"}\n' * 100_000)
        server.wait_for_line("was disconnected: it does not read its answers")
    assert run(names_at(server.uri)) == ["loud"]


def test_more_clients_than_allowed_are_refused(start: Start) -> None:
    server = start("--max-clients", "2")

    async def clients() -> None:
        async with connected(server.uri) as one, connected(server.uri) as two:
            await described(one)
            await described(two)
            async with connected(server.uri) as three:
                assert await three.read_event() is None
            assert Detection.is_type((await detect(two, SPOKEN)).type)
        server.wait_for_line("was refused: 2 clients are connected (--max-clients)")

    run(clients())
    assert run(names_at(server.uri)) == ["loud"]  # they have left, and others may come


def test_eight_clients_have_a_detector_each(server: Server) -> None:
    async def one(samples: np.ndarray[tuple[int], np.dtype[np.int16]]) -> str:
        async with connected(server.uri) as client:
            return (await detect(client, samples)).type

    async def all_of_them() -> list[str]:
        return await asyncio.gather(*(one(audio) for audio in (SPOKEN, np.zeros(64_000, np.int16)) * 4))

    assert run(all_of_them()) == ["detection", "not-detected"] * 4


def test_own_models_are_offered_without_a_restart(start: Start, tmp_path: Path) -> None:
    folder = tmp_path / "models"
    folder.mkdir()
    shutil.copy(LOUD, folder / "shout.pt")
    server = start("--models", folder)
    assert run(names_at(server.uri)) == ["loud", "shout"]

    (folder / "broken.pt").write_text("not a model")
    shutil.copy(LOUD, folder / "part")
    (folder / "part").rename(folder / "cry.pt")
    server.wait_for_line("offered: cry ('loud') from")
    server.wait_for_line("broken.pt: ")
    assert run(names_at(server.uri)) == ["loud", "shout", "cry"]

    async def client() -> Detection:
        async with connected(server.uri) as one:
            return Detection.from_event(await detect(one, SPOKEN, ["cry"]))

    assert run(client()).name == "cry"

    (folder / "shout.pt").unlink()
    server.wait_for_line("no longer offered: shout")
    assert run(names_at(server.uri)) == ["loud", "cry"]
    assert server.log().count("broken.pt") == 1


def test_it_is_announced_on_the_network(start: Start) -> None:
    if all(name == "lo" for _, name in socket.if_nameindex()):
        pytest.skip("there is no network")
    name = f"kwsd test {os.getpid()}"
    server = start("--zeroconf", name, uri="tcp://0.0.0.0:0")

    async def find() -> int | None:
        async with AsyncZeroconf() as zeroconf:
            found = AsyncServiceInfo("_wyoming._tcp.local.", f"{name}._wyoming._tcp.local.")
            assert await found.async_request(zeroconf.zeroconf, 1_000 * PATIENCE)
            assert "127.0.0.1" not in found.parsed_addresses()
            return found.port

    assert run(find()) == int(server.uri.rpartition(":")[2])
    assert f"announced as {name!r}" in server.log()
    assert server.stop() == 0


def test_the_shipped_words_are_offered_if_none_is_named(start: Start) -> None:
    server = start(words=())
    names = ["jarvis", "hey-jarvis", "alexa", "computer", "hey-computer", "marvin", "happy"]
    assert run(names_at(server.uri)) == names


def test_several_processes_serve_one_port(start: Start) -> None:
    server = start("--workers", "2", "--max-clients", "5")

    async def clients() -> list[str]:
        async with connected(server.uri) as idle:  # has the first worker
            await described(idle)
            kept = [await asyncio.create_task(open_client()) for _ in range(4)]
            types = [(await detect(client, SPOKEN)).type for client in kept]
            async with connected(server.uri) as sixth:
                assert await sixth.read_event() is None
            for client in kept:
                await client.disconnect()
            return types

    async def open_client() -> AsyncClient:
        client = AsyncClient.from_uri(server.uri)
        await client.connect()
        return client

    assert run(clients()) == ["detection"] * 4
    assert server.stop() == 0


def test_the_end_of_a_worker_is_an_error(start: Start) -> None:
    server = start("--workers", "2")
    os.kill(pid_of_child(server.process.pid), signal.SIGKILL)
    assert server.process.wait(PATIENCE) == 1
    assert "ended unexpectedly, with exit code -9" in server.log()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it(start: Start, tmp_path: Path, number: int) -> None:
    path = tmp_path / "wake.sock"
    server = start(uri=f"unix://{path}")

    async def client() -> None:
        async with connected(server.uri) as one:
            await described(one)
            assert server.stop(number) == 0
            assert await one.read_event() is None

    run(client())
    assert not path.exists()


def test_a_socket_that_a_killed_process_has_left_is_replaced(start: Start, tmp_path: Path) -> None:
    uri = f"unix://{tmp_path}/wake.sock"
    start(uri=uri).stop(signal.SIGKILL)
    assert run(names_at(start(uri=uri).uri)) == ["loud"]


def test_an_address_that_others_reach_is_said(start: Start) -> None:
    assert "firewall" not in start().log()
    public = start(uri="tcp://0.0.0.0:0").log()
    assert public.count("every machine that reaches this one can connect") == 1


def refused(*options: str | Path) -> tuple[int, str]:
    """Exit code and the only line of standard error."""
    done = subprocess.run(
        [KWSD, "wyoming", *options],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )
    (line,) = done.stderr.splitlines()
    return done.returncode, line


def test_options_that_cannot_be_are_refused(server: Server, tmp_path: Path) -> None:
    code, line = refused(LOUD, LOUD)
    assert (code, "given twice" in line) == (2, True), line
    code, line = refused(LOUD, "--uri", "stdio://")  # /dev/null is not a pipe
    assert (code, "needs pipes" in line) == (2, True), line
    code, line = refused(LOUD, "--zeroconf")
    assert (code, "other machines cannot reach this address" in line) == (2, True), line
    code, line = refused(LOUD, "--uri", server.uri)
    assert (code, "is in use" in line) == (1, True), line
    (tmp_path / "file").touch()
    code, line = refused(LOUD, "--uri", f"unix://{tmp_path}/file")
    assert (code, "it is not a socket" in line) == (2, True), line
    assert (tmp_path / "file").exists()
