"""Clients that know the very moment at which a byte came, and that do nothing at all between the end and their return.

Over HTTP/1.1 and HTTP/2, through either door. HTTP/2 is offered alone: where a client offers HTTP/1.1 too and names it
first, as httpx does, mitmproxy takes that.
"""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import h2.connection  # type: ignore[import-untyped, unused-ignore]  # typed from 4.2 on
import h2.events  # type: ignore[import-untyped, unused-ignore]
import h2.settings  # type: ignore[import-untyped, unused-ignore]
import h11
import pytest

from tests.e2e.processes import PATIENCE, RecorderProcess

HOST = "openrouter.ai"
KEY = "sk-or-v1-" + "0123456789abcdef" * 4
_READ = 1 << 16
_WINDOW = 1 << 30  # HTTP/2 never waits for us


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """`arrived`: for each read that brought some of the body, when (`time.monotonic_ns`) and how much there was then.

    `whole`: False where the connection or the stream broke before the end of the message.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    arrived: tuple[tuple[int, int], ...]
    whole: bool

    def when(self, size: int) -> int:
        """When the first `size` bytes of the body were there."""
        return next(at for at, total in self.arrived if total >= size)


@dataclass(slots=True)
class _Arriving:
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    pieces: list[bytes] = field(default_factory=list)
    arrived: list[tuple[int, int]] = field(default_factory=list)
    size: int = 0
    over: bool = False
    whole: bool = False

    def piece(self, data: bytes, at: int) -> None:
        if data:
            self.pieces.append(data)
            self.size += len(data)
            self.arrived.append((at, self.size))

    def end(self, *, whole: bool) -> None:
        self.over = True
        self.whole = whole

    def answer(self) -> Answer:
        return Answer(
            status=self.status,
            headers=self.headers,
            body=b"".join(self.pieces),
            arrived=tuple(self.arrived),
            whole=self.whole,
        )


class Http1:
    """One connection, one request after the other."""

    def __init__(self, link: socket.socket, *, authority: str = HOST) -> None:
        self._link = link
        self._authority = authority
        self._state = h11.Connection(h11.CLIENT)

    def send(self, method: str, target: str, body: bytes = b"", headers: Mapping[str, str] | None = None) -> None:
        fields = {"Host": self._authority, "Content-Length": str(len(body)), **(headers or {})}
        if self._state.our_state is not h11.IDLE:
            self._state.start_next_cycle()
        request = h11.Request(method=method, target=target, headers=list(fields.items()))
        parts = (request, h11.Data(body), h11.EndOfMessage())
        self._link.sendall(b"".join(self._state.send(part) or b"" for part in parts))

    def receive(self, until: Callable[[int], bool] = lambda _: False) -> Answer:
        """The answer; or what there is of it when `until(bytes of the body so far)` is true."""
        arriving = _Arriving()
        at = time.monotonic_ns()
        while not arriving.over and not until(arriving.size):
            event = self._next_event()
            if event is h11.NEED_DATA:
                try:
                    data = self._link.recv(_READ)
                except ConnectionError:
                    data = b""
                    arriving.end(whole=False)
                at = time.monotonic_ns()
                if not arriving.over:
                    self._state.receive_data(data)
            elif isinstance(event, h11.Response):
                arriving.status = event.status_code
                arriving.headers = {name.decode().lower(): value.decode() for name, value in event.headers}
            elif isinstance(event, h11.Data):
                arriving.piece(bytes(event.data), at)
            elif event is None:
                arriving.end(whole=False)
            else:
                arriving.end(whole=isinstance(event, h11.EndOfMessage))
        return arriving.answer()

    def ask(self, method: str, target: str, body: bytes = b"", headers: Mapping[str, str] | None = None) -> Answer:
        """Send a request, and return the moment its answer is over."""
        self.send(method, target, body, headers)
        return self.receive()

    def _next_event(self) -> object:
        """None for an answer that broke off."""
        try:
            return self._state.next_event()
        except h11.RemoteProtocolError:
            return None


class Http2:
    """One connection, as many requests at once as are sent."""

    def __init__(self, link: socket.socket, *, authority: str = HOST) -> None:
        self._link = link
        self._authority = authority
        self._state = h2.connection.H2Connection()
        self._state.initiate_connection()
        self._state.increment_flow_control_window(_WINDOW)
        self._state.update_settings({h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: _WINDOW})
        self._flush()

    def send(self, method: str, target: str, body: bytes = b"", headers: Mapping[str, str] | None = None) -> int:
        """The stream's number."""
        stream: int = self._state.get_next_available_stream_id()
        pseudo = {":method": method, ":scheme": "https", ":authority": self._authority, ":path": target}
        fields = {name.lower(): value for name, value in (headers or {}).items()}
        self._state.send_headers(stream, [*pseudo.items(), *fields.items()], end_stream=not body)
        if body:
            self._state.send_data(stream, body, end_stream=True)
        self._flush()
        return stream

    def receive(self, *streams: int, until: Callable[[int], bool] = lambda _: False) -> list[Answer]:
        """The answers to all of them; of the first, what there is when `until(bytes of its body so far)` is true."""
        arriving = {stream: _Arriving() for stream in streams}
        while not all(each.over for each in arriving.values()) and not until(arriving[streams[0]].size):
            data = self._link.recv(_READ)
            at = time.monotonic_ns()
            if not data:
                break
            for event in self._state.receive_data(data):
                if isinstance(event, h2.events.ConnectionTerminated):
                    return [each.answer() for each in arriving.values()]
                one = arriving.get(getattr(event, "stream_id", 0) or 0)
                if one is not None:
                    self._take(event, one, at)
            if not all(each.over for each in arriving.values()):
                self._flush()
        return [each.answer() for each in arriving.values()]

    def ask(self, method: str, target: str, body: bytes = b"", headers: Mapping[str, str] | None = None) -> Answer:
        """Send a request, and return the moment its answer is over."""
        return self.receive(self.send(method, target, body, headers))[0]

    def reset(self, stream: int) -> None:
        self._state.reset_stream(stream, 8)  # CANCEL: RFC 9113, section 7
        self._flush()

    def _take(self, event: h2.events.Event, one: _Arriving, at: int) -> None:
        if isinstance(event, h2.events.ResponseReceived):
            fields = {_text(name): _text(value) for name, value in event.headers or ()}
            one.status = int(fields.pop(":status"))
            one.headers = fields
        elif isinstance(event, h2.events.DataReceived):
            one.piece(event.data or b"", at)
        elif isinstance(event, h2.events.StreamEnded):
            one.end(whole=True)
        elif isinstance(event, h2.events.StreamReset):
            one.end(whole=False)

    def _flush(self) -> None:
        self._link.sendall(self._state.data_to_send())


Client = Http1 | Http2


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value


@contextmanager
def dialled(port: int) -> Iterator[socket.socket]:
    """A plain connection to a port of loopback."""
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as link:
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        yield link


def connect(link: socket.socket, authority: str) -> int:
    """Ask a proxy for a tunnel; the status it answers with."""
    link.sendall(f"CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n\r\n".encode())
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        byte = link.recv(1)  # not one more: what follows is TLS
        if not byte:
            break
        head += byte
    return int(head.split(b" ", 2)[1])


@contextmanager
def tunnelled(
    port: int, trust: Path, *, host: str = HOST, to_port: int = 443, alpn: str = "http/1.1"
) -> Iterator[ssl.SSLSocket]:
    """TLS with `host` through the proxy at `port`; whoever answers must be one that `trust` vouches for."""
    context = ssl.create_default_context(cafile=trust)
    context.set_alpn_protocols([alpn])
    with dialled(port) as link:
        assert 200 == connect(link, f"{host}:{to_port}")
        with context.wrap_socket(link, server_hostname=host) as secure:
            assert alpn == secure.selected_alpn_protocol()
            yield secure


@contextmanager
def proxy_http1(recorder: RecorderProcess) -> Iterator[Http1]:
    with tunnelled(recorder.port, recorder.bundle) as link:
        yield Http1(link)


@contextmanager
def proxy_http2(recorder: RecorderProcess) -> Iterator[Http2]:
    with tunnelled(recorder.port, recorder.bundle, alpn="h2") as link:
        yield Http2(link)


@contextmanager
def base_url_http1(recorder: RecorderProcess) -> Iterator[Http1]:
    with dialled(recorder.base_url_port) as link:
        yield Http1(link, authority=f"127.0.0.1:{recorder.base_url_port}")


Way = Callable[[RecorderProcess], AbstractContextManager[Client]]
"""A door and a version of HTTP. The base-URL door is plain, and plain clients speak HTTP/1.1."""

WAYS: dict[str, Way] = {
    "proxy, HTTP/1.1": proxy_http1,
    "proxy, HTTP/2": proxy_http2,
    "base URL, HTTP/1.1": base_url_http1,
}

through_each_way = pytest.mark.parametrize("way", WAYS.values(), ids=WAYS.keys())

_numbers = count()


def fresh(target: str) -> str:
    """`target` with a query that nothing else in this process has, to find the request by."""
    return f"{target}?n={next(_numbers)}"
