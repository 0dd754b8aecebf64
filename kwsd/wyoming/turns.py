"""Shares the processor between the clients of one process."""

import asyncio
from collections import deque
from typing import Protocol

TURN_SECONDS = 0.01  # of work, after which new messages are read


class Worker(Protocol):
    """Somebody who has work to do."""

    def take_turn(self) -> bool:
        """Do a small piece of it. Returns whether more is due."""


class Turns:
    """Lets those who have work take turns, in small pieces.

    So a client that sends audio faster than real time does not delay the others, and a request for `info` is
    answered at once even under load.
    """

    def __init__(self) -> None:
        self._waiting: deque[Worker] = deque()
        self._members: set[Worker] = set()  # of the queue
        self._scheduled = False

    def add(self, worker: Worker) -> None:
        """Let somebody take a turn soon, once, however often this is called before."""
        if worker not in self._members:
            self._members.add(worker)
            self._waiting.append(worker)
            self._schedule()

    def _schedule(self) -> None:
        if not self._scheduled:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self._work)

    def _work(self) -> None:
        self._scheduled = False
        now = asyncio.get_running_loop().time
        end = now() + TURN_SECONDS
        try:
            while self._waiting and now() < end:
                worker = self._waiting.popleft()
                self._members.discard(worker)
                if worker.take_turn():
                    self.add(worker)
        finally:
            if self._waiting:
                self._schedule()
