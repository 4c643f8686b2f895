"""An upstream on plain HTTP/1.1 that answers each request with the very bytes that the test has laid out for it.

The request says which by its header `X-Case`, which no recorder keeps.
"""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

_CASE = re.compile(rb"(?i)\r\nx-case: *(\d+)\r\n")
_LENGTH = re.compile(rb"(?i)\r\ncontent-length: *(\d+)\r\n")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """`parts` are written one by one; after a `cut` one the connection is closed, in the middle of the body."""

    parts: tuple[bytes, ...]
    cut: bool = False


@dataclass(slots=True, kw_only=True)
class Canned:
    """`received`: for each case the request as it came, head and body."""

    port: int
    replies: Mapping[int, Reply]
    received: dict[int, bytes] = field(default_factory=dict)

    def serve(self, link: socket.socket) -> None:
        buffer = b""
        with link, suppress(ConnectionError):
            while True:
                while b"\r\n\r\n" not in buffer:
                    if not (data := link.recv(1 << 16)):
                        return
                    buffer += data
                head, _, rest = buffer.partition(b"\r\n\r\n")
                announced = _LENGTH.search(head + b"\r\n")
                size = int(announced[1]) if announced else 0
                while len(rest) < size:
                    rest += link.recv(1 << 16)
                found = _CASE.search(head + b"\r\n")
                assert found, head
                number = int(found[1])
                self.received[number] = head + b"\r\n\r\n" + rest[:size]
                buffer = rest[size:]
                reply = self.replies[number]
                for part in reply.parts:
                    link.sendall(part)
                if reply.cut:
                    return


@contextmanager
def serving(replies: Mapping[int, Reply]) -> Iterator[Canned]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        canned = Canned(port=listener.getsockname()[1], replies=replies)

        def accept() -> None:
            with suppress(OSError):  # the end: the listener is closed
                while True:
                    link, _ = listener.accept()
                    link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    threading.Thread(target=canned.serve, args=(link,), daemon=True).start()

        accepting = threading.Thread(target=accept, daemon=True)
        accepting.start()
        yield canned
        listener.shutdown(socket.SHUT_RDWR)
        accepting.join()
