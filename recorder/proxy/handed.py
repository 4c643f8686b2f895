"""Connections that one process accepts and hands to another, each as a file descriptor over a socket pair.

Why not a port that several processes listen at: with SO_REUSEPORT any program of the same user could listen there as
well, a second recorder among them, and the kernel would give each some of the connections; and from one listening
socket in all of them the first to wake takes all that wait. Handed out in turn they are even, on macOS, too.

The giver keeps each one open until it hears that it has come: macOS drops one whose sender closes it before.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from typing import Any

from mitmproxy.proxy.mode_servers import AsyncioServerInstance

_LIMIT = 2**16  # bytes that a stream reader holds; asyncio's own default
_Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Taking:
    """The end that takes. Connections of a door for which there is no server (any more) are closed."""

    def __init__(self, pair: socket.socket) -> None:
        self._pair = pair
        self._doors: dict[int, _Door] = {}
        self._arriving: set[asyncio.Task[Any]] = set()

    def start(self) -> None:
        """Stand in for all listening of mitmproxy's in this process."""
        taking = self

        async def listen(server: AsyncioServerInstance[Any], host: str, port: int) -> list[_Door]:
            door = taking._doors[port] = _Door(host, port, server.handle_stream, lambda: taking._doors.pop(port, None))
            return [door]

        AsyncioServerInstance.listen = listen  # type: ignore[assignment,method-assign] # the seam itself
        self._pair.setblocking(False)
        asyncio.get_running_loop().add_reader(self._pair, self._take)

    def _take(self) -> None:
        try:
            told, descriptors, _, _ = socket.recv_fds(self._pair, 2, 1)
        except (BlockingIOError, InterruptedError):
            return
        if not told:  # the giver is gone, which its link tells as well
            asyncio.get_running_loop().remove_reader(self._pair)
            return
        self._pair.send(b".")
        door = self._doors.get(int.from_bytes(told, "big"))
        for descriptor in descriptors:
            connection = socket.socket(fileno=descriptor)
            if door is None:
                connection.close()
                continue
            arriving = asyncio.get_running_loop().create_task(door.welcome(connection))
            self._arriving.add(arriving)
            arriving.add_done_callback(self._arriving.discard)


class _Door:
    """What of `asyncio.Server` mitmproxy uses; it is its own only socket."""

    def __init__(self, host: str, port: int, serve: _Serve, closed: Callable[[], object]) -> None:
        self._address = host, port
        self._serve = serve
        self.close = closed

    @property
    def sockets(self) -> tuple[_Door, ...]:
        return (self,)

    def getsockname(self) -> tuple[str, int]:
        return self._address

    async def welcome(self, connection: socket.socket) -> None:
        """As `asyncio.start_server` does with a connection that it has accepted itself."""
        loop = asyncio.get_running_loop()
        connection.setblocking(False)
        protocol = asyncio.StreamReaderProtocol(asyncio.StreamReader(_LIMIT, loop), self._serve, loop)
        await loop.connect_accepted_socket(lambda: protocol, connection)
