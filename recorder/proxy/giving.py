"""The giving end of `handed.py`: accepts connections and hands them out in turn. Without mitmproxy."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections import deque
from contextlib import suppress

logger = logging.getLogger(__name__)

_AT_ONCE = 64  # connections that are accepted in one turn of the loop
_PAUSE = 0.02  # seconds until it is tried again, when all are busy or the process has no descriptor left


class Taker:
    """One process that takes connections; `pair` is our end of the socket pair to it."""

    def __init__(self, pair: socket.socket) -> None:
        self._pair = pair
        self._on_the_way: deque[socket.socket] = deque()
        pair.setblocking(False)
        asyncio.get_running_loop().add_reader(pair, self._heard)

    def give(self, port: int, connection: socket.socket) -> bool:
        """False if it has more to take than it can, or is gone."""
        try:
            socket.send_fds(self._pair, [port.to_bytes(2, "big")], [connection.fileno()])
        except OSError:
            return False
        self._on_the_way.append(connection)
        return True

    def close(self) -> None:
        """What it has not taken is closed."""
        if self._pair.fileno() >= 0:
            asyncio.get_running_loop().remove_reader(self._pair)
        self._pair.close()
        while self._on_the_way:
            self._on_the_way.popleft().close()

    def _heard(self) -> None:
        try:
            heard = self._pair.recv(_AT_ONCE)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            heard = b""
        for _ in heard:
            self._on_the_way.popleft().close()
        if not heard:
            self.close()


class Giving:
    """Accepts at `listeners` from `start` to `close`. The takers may become fewer meanwhile."""

    def __init__(self, listeners: list[socket.socket], takers: list[Taker]) -> None:
        self._listeners = {listener.getsockname()[1]: listener for listener in listeners}
        self._takers = deque(takers)
        self._pausing: asyncio.TimerHandle | None = None
        self._kept: tuple[int, socket.socket] | None = None

    def start(self) -> None:
        loop = asyncio.get_running_loop()
        self._pausing = None
        if self._kept:
            port, connection = self._kept
            self._kept = None
            if not self._give(port, connection):
                return
        for port, listener in self._listeners.items():
            loop.add_reader(listener, self._accept, port, listener)

    def leave_out(self, taker: Taker) -> None:
        with suppress(ValueError):
            self._takers.remove(taker)

    def close(self) -> None:
        self._rest()
        if self._pausing:
            self._pausing.cancel()
        if self._kept:
            self._kept[1].close()
        for listener in self._listeners.values():
            listener.close()

    def _accept(self, port: int, listener: socket.socket) -> None:
        for _ in range(_AT_ONCE):
            try:
                connection, _ = listener.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                logger.warning("recorder: expected to accept a connection, found %s", error)
                self._pause()
                return
            if not self._give(port, connection):
                return

    def _give(self, port: int, connection: socket.socket) -> bool:
        for _ in range(len(self._takers)):
            taker = self._takers[0]
            self._takers.rotate(-1)
            if taker.give(port, connection):
                return True
        self._kept = port, connection
        self._pause()
        return False

    def _pause(self) -> None:
        self._rest()
        self._pausing = asyncio.get_running_loop().call_later(_PAUSE, self.start)

    def _rest(self) -> None:
        for listener in self._listeners.values():
            if listener.fileno() >= 0:
                asyncio.get_running_loop().remove_reader(listener)
