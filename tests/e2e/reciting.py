"""A cassette acted out over HTTP/2: a server that gives its answers, and a client that makes its requests.

Both do what stood behind such a recording: the client is Go's transport, whose own headers are not in the cassette, and
the server compresses what the cassette has as `uncompressed`, which is what the client asked for.
"""

from __future__ import annotations

import gzip
import random
import socket
import ssl
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import h2.config  # type: ignore[import-untyped, unused-ignore]  # typed from 4.2 on
import h2.connection  # type: ignore[import-untyped, unused-ignore]
import h2.events  # type: ignore[import-untyped, unused-ignore]
import trustme

from recorder.model import Fields, Interaction, Request, Response
from tests.e2e.processes import PATIENCE
from tests.e2e.sockets import KEY, tunnelled

Pairs = list[tuple[bytes, bytes]]

_LONGEST_PIECE = 4000  # bytes; so that events and characters are split anywhere


class _Peer:
    """One end of a connection, on which one stream is open at a time."""

    def __init__(self, link: ssl.SSLSocket, *, client: bool) -> None:
        self._link = link
        self._state = h2.connection.H2Connection(
            h2.config.H2Configuration(client_side=client, header_encoding=None, normalize_inbound_headers=True)
        )
        self._pending: list[h2.events.Event] = []
        self._state.initiate_connection()
        self._flush()

    def next_stream(self) -> int:
        number: int = self._state.get_next_available_stream_id()
        return number

    def send(self, stream: int, headers: Pairs, pieces: Sequence[bytes], trailers: Pairs) -> None:
        self._state.send_headers(stream, headers, end_stream=not pieces and not trailers)
        for piece in pieces:
            self._send_piece(stream, piece)
        if trailers:
            self._state.send_headers(stream, trailers, end_stream=True)
        elif pieces:
            self._state.end_stream(stream)
        self._flush()

    def _send_piece(self, stream: int, piece: bytes) -> None:
        while self._state.local_flow_control_window(stream) < len(piece):
            self._receive()
        self._state.send_data(stream, piece)
        self._flush()

    def receive(self) -> tuple[int, Pairs, bytes] | None:
        """The next message: its stream, its headers, its body. None when the other end has hung up."""
        stream, headers, body = 0, [], bytearray()
        while True:
            while self._pending:
                event = self._pending.pop(0)
                if isinstance(event, (h2.events.RequestReceived, h2.events.ResponseReceived)):
                    stream, headers = event.stream_id or 0, list(event.headers or ())
                elif isinstance(event, h2.events.DataReceived):
                    body += event.data or b""
                    self._state.acknowledge_received_data(event.flow_controlled_length or 0, event.stream_id or 0)
                elif isinstance(event, h2.events.StreamEnded):
                    self._flush()
                    return stream, headers, bytes(body)
                elif isinstance(event, h2.events.StreamReset):
                    raise ConnectionError(f"the stream was reset: {event}")
            if not self._receive():
                return None

    def _receive(self) -> bool:
        self._flush()
        data = self._link.recv(1 << 16)
        self._pending += self._state.receive_data(data)
        return bool(data)

    def _flush(self) -> None:
        self._link.sendall(self._state.data_to_send())


class Reciter:
    """Serves the answers of `interactions`, one after the other. `heard`: method, URL and body of what it was asked."""

    def __init__(self, interactions: Sequence[Interaction], authority: trustme.CA) -> None:
        self.heard: list[tuple[str, str, bytes]] = []
        self._answers = iter(interactions)
        self._chance = random.Random(len(interactions[0].response.body))
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.set_alpn_protocols(["h2"])
        hosts = {urlsplit(each.request.url).netloc for each in interactions}
        authority.issue_cert(*sorted(hosts)).configure_cert(self._context)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive()

    def _serve(self) -> None:
        """One connection after the other: a recorder opens one for each of the client's."""
        while True:
            try:
                link, _ = self._listener.accept()
            except OSError:  # closed
                return
            link.settimeout(PATIENCE)
            with self._context.wrap_socket(link, server_side=True) as secure:
                self._converse(_Peer(secure, client=False))

    def _converse(self, peer: _Peer) -> None:
        while (asked := peer.receive()) is not None:
            stream, headers, body = asked
            told = dict(headers)
            url = b"%b://%b%b" % (told[b":scheme"], told[b":authority"], told[b":path"])
            self.heard.append((told[b":method"].decode(), url.decode(), body))
            peer.send(stream, *self._answer(next(self._answers).response))

    def _answer(self, response: Response) -> tuple[Pairs, list[bytes], Pairs]:
        headers = _fields(response.headers)
        body = response.body
        if response.uncompressed:
            body = gzip.compress(body, mtime=0)
            headers += [(b"content-encoding", b"gzip"), (b"vary", b"accept-encoding")]
            if self._chance.random() < 0.5:  # that it was told cannot be seen from what is recorded of it
                headers.append((b"content-length", b"%d" % len(body)))
        elif response.content_length >= 0:
            headers.append((b"content-length", b"%d" % response.content_length))
        return [(b":status", b"%d" % response.code), *headers], self._pieces(body), _fields(response.trailer)

    def _pieces(self, body: bytes) -> list[bytes]:
        pieces = []
        while body:
            size = self._chance.randint(1, _LONGEST_PIECE)
            pieces.append(body[:size])
            body = body[size:]
        return pieces


@contextmanager
def reciting(interactions: Sequence[Interaction], authority: trustme.CA) -> Iterator[Reciter]:
    server = Reciter(interactions, authority)
    try:
        yield server
    finally:
        server.close()


def ask(port: int, trust: Path, requests: Sequence[Request]) -> None:
    """Make the requests through the proxy at `port`, a new connection where the host changes; answers are read."""
    while requests:
        host = urlsplit(requests[0].url).netloc
        number = next((n for n, each in enumerate(requests) if urlsplit(each.url).netloc != host), len(requests))
        with tunnelled(port, trust, host=host, alpn="h2") as link:
            peer = _Peer(link, client=True)
            for request in requests[:number]:
                peer.send(peer.next_stream(), _sent(request), _frames(request.body), [])
                assert peer.receive() is not None
        requests = requests[number:]


def _sent(request: Request) -> Pairs:
    """The request's headers as Go's transport sends them, and those of an SDK that the cassette was rid of."""
    url = urlsplit(request.url)
    pseudo = {":method": request.method, ":authority": url.netloc, ":scheme": url.scheme}
    path = url.path + (f"?{url.query}" if url.query else "")
    headers = [(name.encode(), value.encode()) for name, value in {**pseudo, ":path": path}.items()]
    headers += _fields(request.headers)
    headers += [(b"accept-encoding", b"gzip"), (b"authorization", f"Bearer {KEY}".encode())]
    if request.content_length >= 0:
        headers.append((b"content-length", b"%d" % request.content_length))
    if not request.host:  # as SDKs made by Stainless leave it
        headers.append((b"x-stainless-lang", b"go"))
    return headers


def _frames(body: bytes) -> list[bytes]:
    size = 1 << 14  # a frame's usual limit: RFC 9113, section 4.2
    return [body[at : at + size] for at in range(0, len(body), size)]


def _fields(fields: Fields) -> Pairs:
    return [(name.lower().encode(), value.encode()) for name, values in fields.items() for value in values]
