"""A client that floods the service does not delay the others. Nothing here depends on the machine's speed."""

import asyncio
import socket
from typing import Any, cast

import pytest
from harness import LOUD
from wyoming.audio import AudioChunk
from wyoming.event import Event
from wyoming.info import Describe

from kwsd.wyoming import turns
from kwsd.wyoming.address import Address
from kwsd.wyoming.connection import Connection
from kwsd.wyoming.protocol import MessageReader, encoded
from kwsd.wyoming.service import WakeService, WyomingOptions


class Pipe(asyncio.Transport):
    """Remembers what the service does with a client's connection."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.reading = True

    def write(self, data: Any) -> None:
        self.written += bytes(data)

    def get_write_buffer_size(self) -> int:
        return 0

    def is_closing(self) -> bool:
        return False

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True


def service() -> WakeService:
    address = Address.parse("tcp://127.0.0.1:0")
    return WakeService(WyomingOptions(address, (str(LOUD),), None, {}, 10, None, 1))


def connected(to: WakeService) -> tuple[Connection, Pipe]:
    connection, pipe = to.connection(), Pipe()
    connection.connection_made(pipe)
    return connection, pipe


def answers(pipe: Pipe) -> list[str]:
    return [message.type for message in MessageReader().push(pipe.written)]


AUDIO = encoded(AudioChunk(16_000, 2, 1, bytes(32_000)).event())  # 1 s
STOP = encoded(Event("audio-stop"))


def test_info_is_answered_while_others_have_audio_to_work_on() -> None:
    async def scenario() -> None:
        shared = service()
        flood, full = connected(shared)
        flood.data_received(AUDIO * 10 + STOP)
        assert not full.reading  # until it has caught up
        asks, pipe = connected(shared)
        asks.data_received(encoded(Describe().event()))
        assert answers(pipe) == ["info"]
        assert answers(full) == []
        while not answers(full):
            await asyncio.sleep(0)
        assert answers(full) == ["not-detected"]
        assert full.reading

    asyncio.run(scenario())


def test_a_client_in_real_time_is_served_between_the_pieces_of_a_flood() -> None:
    async def scenario() -> None:
        shared = service()
        flood, full = connected(shared)
        flood.data_received(AUDIO * 100 + STOP)
        calm, pipe = connected(shared)
        calm.data_received(STOP)
        while not answers(pipe):
            await asyncio.sleep(0)
        assert answers(full) == []

    asyncio.run(scenario())


def test_a_satellite_without_power_does_not_keep_its_place() -> None:
    async def scenario() -> tuple[int, ...]:
        shared = service()
        made: list[Connection] = []

        def connection() -> Connection:
            made.append(shared.connection())
            return made[-1]

        server = await asyncio.get_running_loop().create_server(connection, "127.0.0.1", 0)
        _, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        while not made:
            await asyncio.sleep(0)
        ours = made[0]._output.get_extra_info("socket")
        kept = ours.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        idle = ours.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE)
        writer.close()
        server.close()
        return kept, idle

    assert asyncio.run(scenario()) == (1, 60)  # seconds


def test_messages_are_read_between_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    class Endless:
        count = 0

        def take_turn(self) -> bool:
            self.count += 1
            return True

    async def scenario() -> int:
        monkeypatch.setattr(turns, "TURN_SECONDS", 0.001)
        worker, shared = Endless(), turns.Turns()
        shared.add(cast(turns.Worker, worker))
        for _ in range(10):
            await asyncio.sleep(0)  # returns at all
        return worker.count

    assert asyncio.run(scenario()) > 0
