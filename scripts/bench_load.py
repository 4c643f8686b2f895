"""The clients of `scripts/bench`: plain sockets, a thread for each connection, in a process of their own.

Orders come as lines of JSON on standard input, each is answered by a line. `open` makes connections through a door,
`exchanges` and `stream` use them, `connect` makes new ones one after the other, `close` closes what is open.
"""

from __future__ import annotations

import json
import re
import socket
import ssl
import statistics
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

_STAMP = re.compile(rb'"sent":\[1(\d+),1(\d{9})\]')
_BODY = json.dumps(
    {"model": "x-ai/grok-code-fast-1", "messages": [{"role": "user", "content": "How is the weather in Florence?"}]}
).encode()
_REQUEST = (
    b"POST %b HTTP/1.1\r\nHost: %b\r\nAuthorization: Bearer sk-or-v1-%b\r\nAccept: application/json\r\n"
    b"Content-Type: application/json\r\nUser-Agent: bench\r\nContent-Length: %d\r\n\r\n%b"
)
_KEY = b"0123456789abcdef" * 4
_TIMEOUT = 120.0  # seconds


class Connection:
    """One connection through a door: `proxy` a port to CONNECT at, `plain` a base URL's port, neither: direct."""

    def __init__(self, door: dict[str, Any], context: ssl.SSLContext) -> None:
        authority = f"localhost:{door['upstream']}"
        port = door.get("proxy") or door.get("plain") or door["upstream"]
        self._link: socket.socket = socket.create_connection(("127.0.0.1", port), timeout=_TIMEOUT)
        self._link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._authority = authority.encode()
        if door.get("proxy"):
            self._link.sendall(b"CONNECT %b HTTP/1.1\r\nHost: %b\r\n\r\n" % (self._authority, self._authority))
            answer = self._link.recv(4096)  # nothing follows before our ClientHello
            assert answer.startswith(b"HTTP/1.1 200"), answer
        if not door.get("plain"):
            self._link = context.wrap_socket(self._link, server_hostname="localhost")

    def ask(self, target: str) -> tuple[int, list[int]]:
        """One exchange; nanoseconds until the first byte of the body, and of each stamped chunk how late it came."""
        began = time.monotonic_ns()
        self._link.sendall(_REQUEST % (target.encode(), self._authority, _KEY, len(_BODY), _BODY))
        late: list[int] = []
        data = b""
        while b"\r\n\r\n" not in data:
            data += self._receive()
        head, _, body = data.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200"), data
        chunked = b"chunked" in head.lower()
        left = 0 if chunked else int(re.search(rb"(?i)content-length: *(\d+)", head)[1]) - len(body)  # type: ignore[index]
        first = body or self._receive()
        now = time.monotonic_ns()
        to_first = now - began
        left -= 0 if body else len(first)
        piece = first
        while True:
            late += [now - int(seconds + rest) for seconds, rest in _STAMP.findall(piece)]
            if piece.endswith(b"0\r\n\r\n") if chunked else left <= 0:
                return to_first, late
            piece = self._receive()
            now = time.monotonic_ns()
            left -= len(piece)

    def _receive(self) -> bytes:
        data = self._link.recv(65536)
        if not data:
            raise ConnectionError("the answer broke off")
        return data

    def close(self) -> None:
        self._link.close()


class Clients:
    def __init__(self) -> None:
        self._open: list[Connection] = []
        self._threads = ThreadPoolExecutor(128)
        self._contexts: dict[str, ssl.SSLContext] = {}

    def open(self, *, door: dict[str, Any], connections: int) -> dict[str, Any]:
        """Each has had one exchange, so that its way upstream is there as well."""
        self._open = self._each(lambda _: self._connect(door), range(connections))
        self._each(lambda connection: connection.ask("/small"), self._open)
        return {}

    def exchanges(self, *, count: int, target: str) -> dict[str, Any]:
        share = count // len(self._open)
        began = time.monotonic()
        self._each(lambda connection: [connection.ask(target) for _ in range(share)], self._open)
        return {"seconds": time.monotonic() - began, "count": share * len(self._open)}

    def stream(self, *, target: str) -> dict[str, Any]:
        """One stream on each connection; times in microseconds."""
        began = time.monotonic()
        answers = self._each(lambda connection: connection.ask(target), self._open)
        seconds = time.monotonic() - began
        late = sorted(each for _, lates in answers for each in lates)
        return {
            "seconds": seconds,
            "count": len(late),
            "first": statistics.median(first for first, _ in answers) / 1e3,
            "late": late[len(late) // 2] / 1e3,
            "late99": late[len(late) * 99 // 100] / 1e3,
        }

    def connect(self, *, door: dict[str, Any], count: int) -> dict[str, Any]:
        """New connections, each with its TLS and one exchange."""
        began = time.monotonic()
        for _ in range(count):
            connection = self._connect(door)
            connection.ask("/small")
            connection.close()
        return {"seconds": time.monotonic() - began, "count": count}

    def first(self, *, door: dict[str, Any]) -> dict[str, Any]:
        """The first exchange with a proxy that is just starting."""
        while True:
            try:
                connection = self._connect(door)
                connection.ask("/small")
            except OSError:
                time.sleep(0.002)
            else:
                connection.close()
                return {}

    def close(self) -> dict[str, Any]:
        for connection in self._open:
            connection.close()
        self._open = []
        return {}

    def _connect(self, door: dict[str, Any]) -> Connection:
        return Connection(door, self._context(door["ca"]))

    def _context(self, ca: str) -> ssl.SSLContext:
        if ca not in self._contexts:
            self._contexts[ca] = ssl.create_default_context(cafile=ca)
        return self._contexts[ca]

    def _each(self, do: Callable[[Any], Any], items: Any) -> list[Any]:
        return list(self._threads.map(do, items))


def main() -> None:
    clients = Clients()
    for line in sys.stdin:
        order = json.loads(line)
        print(json.dumps(getattr(clients, order.pop("do"))(**order)), flush=True)


if __name__ == "__main__":
    main()
