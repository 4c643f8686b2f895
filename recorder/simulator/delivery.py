"""How an answer leaves: in which pieces, how fast, how compressed, and where it breaks off. Knows no API.

Two ways out. `_Asgi` is the server's, for HTTP/1.1 and HTTP/2. `_Raw` writes HTTP/1.1 by hand, for what the server does
not send: a body that only the close ends, and trailers.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Awaitable, Callable, Iterable, Iterator, MutableMapping
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from itertools import islice
from socket import SO_LINGER, SOL_SOCKET
from struct import pack
from typing import Any, Protocol

import brotli  # type: ignore[import-untyped]  # it has no stubs
import zstandard

from recorder.simulator.behaviour import Behaviour
from recorder.simulator.journal import Entry
from recorder.simulator.script import Answer

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Headers = tuple[tuple[bytes, bytes], ...]

TRAILER: Headers = ((b"x-sim-trailer", b"the end"),)
# HTTP/2 frames are sent by a task of their own; what is to arrive before a break gets this long to leave. Seconds.
_SETTLE = 0.02
_TURN = 64  # writes after which other connections, and the news that a client has left, get their turn


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What of the request bears on how its answer is sent."""

    method: str
    http_version: str
    accept_encoding: str


async def deliver(
    answer: Answer,
    behaviour: Behaviour,
    wish: Wish,
    *,
    receive: Receive,
    send: Send,
    writer: asyncio.StreamWriter,
    entry: Entry,
) -> None:
    """Ends when the answer has left, or the client has, or the connection was broken as was asked for."""
    if _plain(answer, behaviour):
        await _at_once(answer, wish, send=send, entry=entry)
        return
    gone = asyncio.ensure_future(_gone(receive))
    sending = asyncio.ensure_future(
        _paced(answer, behaviour, wish, gone=gone, send=send, writer=writer, entry=entry),
    )
    try:
        await asyncio.wait({gone, sending}, return_when=asyncio.FIRST_COMPLETED)
        # hypercorn leaves a write that waits for an HTTP/2 window waiting for ever when the client has gone.
        await asyncio.wait({sending}, timeout=_SETTLE)
        if sending.done():
            await sending
        else:
            entry.end("left")
    finally:
        for task in (gone, sending):
            task.cancel()
        await asyncio.gather(gone, sending, return_exceptions=True)


_USUAL = ("delay_ms", "pace_ms", "write_bytes", "encoding", "framing", "trailers")
_BREAKS = ("cut_events", "cut_bytes", "stall_events", "stall_bytes")
_DEFAULT = Behaviour()


def _plain(answer: Answer, behaviour: Behaviour) -> bool:
    """One body, sent as it is: the way of thousands of small exchanges."""
    if answer.streamed:
        return False
    return all(getattr(behaviour, name) == getattr(_DEFAULT, name) for name in (*_USUAL, *_BREAKS))


async def _at_once(answer: Answer, wish: Wish, *, send: Send, entry: Entry) -> None:
    body = b"".join(answer.events)
    headers = answer.headers
    if answer.status not in {204, 304}:
        headers = (*headers, (b"content-length", b"%d" % len(body)))
    entry.answer(answer.status)
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    if wish.method != "HEAD" and body:
        entry.write(len(body))
    await send({"type": "http.response.body", "body": body})
    entry.end("complete")


async def _paced(
    answer: Answer,
    behaviour: Behaviour,
    wish: Wish,
    *,
    gone: asyncio.Future[None],
    send: Send,
    writer: asyncio.StreamWriter,
    entry: Entry,
) -> None:
    if behaviour.delay_ms:
        await asyncio.wait({gone}, timeout=behaviour.delay_ms / 1000)
    encoding = _accepted(behaviour.encoding, wish.accept_encoding)
    headers = _headers(answer, behaviour, encoding)
    out = _way_out(behaviour, wish, send=send, writer=writer)
    entry.answer(answer.status)
    await out.start(answer.status, headers)
    body = () if wish.method == "HEAD" else _pieces(answer.events, behaviour, encoding)
    if not await _write(body, behaviour, out, gone=gone, entry=entry):
        entry.end("left")
        return
    if behaviour.stall_events is not None or behaviour.stall_bytes is not None:
        await gone
        entry.end("left")
        return
    if behaviour.cut_events is not None or behaviour.cut_bytes is not None:
        await _break(behaviour.cut, wish, send, writer, gone)
        entry.end("cut")
        return
    await out.finish()
    if out.closes:
        await gone
    entry.end("complete")


async def _write(
    pieces: Iterable[bytes], behaviour: Behaviour, out: _Out, *, gone: asyncio.Future[None], entry: Entry
) -> bool:
    """False if the client went away. The pace is the clock's: a late piece does not delay those behind it."""
    loop = asyncio.get_running_loop()
    began, pace = loop.time(), behaviour.pace_ms / 1000
    for number, piece in enumerate(pieces):
        if pace and number:
            # Not asyncio.sleep: a client that leaves is noticed at once.
            await asyncio.wait({gone}, timeout=max(0.0, began + number * pace - loop.time()))
        elif number % _TURN == _TURN - 1:
            await asyncio.sleep(0)  # a write to a client that keeps up never waits by itself
        if gone.done():
            return False
        entry.write(len(piece))
        await out.write(piece)
    return not gone.done()


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _break(cut: str, wish: Wish, send: Send, writer: asyncio.StreamWriter, gone: asyncio.Future[None]) -> None:
    await asyncio.sleep(_SETTLE)
    while writer.transport.get_write_buffer_size() and not gone.done():  # all of it is to arrive, at the client's pace
        await asyncio.wait({gone}, timeout=_SETTLE)
    if cut == "stream" and wish.http_version == "2":
        await _reset_stream(send)
        return
    if cut == "reset":
        # SO_LINGER with a time of zero: close(2) sends RST.
        if link := writer.get_extra_info("socket"):  # none is left where the client has gone already
            link.setsockopt(SOL_SOCKET, SO_LINGER, pack("ii", 1, 0))
    else:
        writer.close()
        await asyncio.wait({gone}, timeout=_SETTLE)  # TLS would wait for the client's half of the goodbye
    writer.transport.abort()
    # Until the server has seen it, too: else it would mend the half answer with a 500.
    await gone


async def _reset_stream(send: Any) -> None:
    """ASGI has no word for it: `send` is a method of hypercorn's stream, whose own `send` is one of its protocol."""
    stream = send.__self__
    protocol = stream.send.__self__
    protocol.connection.reset_stream(stream.stream_id, error_code=2)  # INTERNAL_ERROR: RFC 9113, section 7
    await protocol._flush()  # noqa: SLF001 - the only way out for a frame that hypercorn did not make


def _headers(answer: Answer, behaviour: Behaviour, encoding: str) -> Headers:
    headers = answer.headers
    if encoding != "identity":
        return (*headers, (b"content-encoding", encoding.encode()), (b"vary", b"Accept-Encoding"))
    known = isinstance(answer.events, tuple) and not answer.streamed
    if known and behaviour.framing == "length" and not behaviour.trailers:
        return (*headers, (b"content-length", b"%d" % sum(map(len, answer.events))))
    return headers


def _accepted(encoding: str, accept: str) -> str:
    """The encoding, if the client takes it: RFC 9110, section 12.5.3, as far as clients use it."""
    for item in accept.lower().split(","):
        name, _, weight = item.partition(";")
        refused = weight.replace(" ", "") in {"q=0", "q=0.0", "q=0.00", "q=0.000"}
        if name.strip() in {encoding, "*"} and not refused:
            return encoding
    return "identity"


# --- pieces: events → compressed → cut to size -----------------------------------------------------------------------


def _pieces(events: Iterable[bytes], behaviour: Behaviour, encoding: str) -> Iterator[bytes]:
    few = _least(behaviour.cut_events, behaviour.stall_events)
    pieces = iter(events) if few is None else islice(events, few)
    if encoding != "identity":
        pieces = _compressed(pieces, encoding)
    if behaviour.write_bytes:
        pieces = _resized(pieces, behaviour.write_bytes)
    size = _least(behaviour.cut_bytes, behaviour.stall_bytes)
    return pieces if size is None else _shortened(pieces, size)


def _least(*limits: int | None) -> int | None:
    return min((limit for limit in limits if limit is not None), default=None)


def _shortened(pieces: Iterable[bytes], size: int) -> Iterator[bytes]:
    for piece in pieces:
        if size <= len(piece):
            yield piece[:size]
            return
        size -= len(piece)
        yield piece


def _resized(pieces: Iterable[bytes], size: int) -> Iterator[bytes]:
    """The same bytes, `size` at a time; events and characters are split wherever that falls."""
    rest = b""
    for piece in pieces:
        data = rest + piece
        whole = len(data) - len(data) % size
        for start in range(0, whole, size):
            yield data[start : start + size]
        rest = data[whole:]
    if rest:
        yield rest


def _compressed(pieces: Iterable[bytes], encoding: str) -> Iterator[bytes]:
    """Flushed at each piece, so that a client can read every event as it comes."""
    step, finish = _COMPRESSORS[encoding]()
    for piece in pieces:
        yield step(piece)
    if last := finish():
        yield last


Compressor = tuple[Callable[[bytes], bytes], Callable[[], bytes]]


def _zlib(window: int) -> Compressor:
    made = zlib.compressobj(wbits=window)
    return lambda data: made.compress(data) + made.flush(zlib.Z_SYNC_FLUSH), made.flush


def _brotli() -> Compressor:
    made = brotli.Compressor(quality=4)  # what servers use on the way; 11, the default, is for files
    return lambda data: made.process(data) + made.flush(), made.finish


def _zstd() -> Compressor:
    made = zstandard.ZstdCompressor().compressobj()
    return lambda data: made.compress(data) + made.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK), made.flush


_COMPRESSORS: dict[str, Callable[[], Compressor]] = {
    "gzip": lambda: _zlib(31),  # zlib's manual: 15 bits of window, and 16 for the gzip wrapper
    "deflate": lambda: _zlib(15),  # "deflate" is the zlib format: RFC 9110, section 8.4.1.2
    "br": _brotli,
    "zstd": _zstd,
}


# --- the two ways out ------------------------------------------------------------------------------------------------


class _Out(Protocol):
    closes: bool

    async def start(self, status: int, headers: Headers) -> None: ...
    async def write(self, piece: bytes) -> None: ...
    async def finish(self) -> None: ...


def _way_out(behaviour: Behaviour, wish: Wish, *, send: Send, writer: asyncio.StreamWriter) -> _Out:
    by_hand = behaviour.framing == "close" or behaviour.trailers
    if by_hand and wish.http_version == "1.1":
        return _Raw(writer, chunked=behaviour.trailers)
    return _Asgi(send)


class _Asgi:
    closes = False

    def __init__(self, send: Send) -> None:
        self._send = send

    async def start(self, status: int, headers: Headers) -> None:
        await self._send({"type": "http.response.start", "status": status, "headers": headers})

    async def write(self, piece: bytes) -> None:
        await self._send({"type": "http.response.body", "body": piece, "more_body": True})

    async def finish(self) -> None:
        await self._send({"type": "http.response.body"})


class _Raw:
    """RFC 9112: a body without a length ends with the connection (6.3), a chunked one with its trailers (7.1.2)."""

    closes = True

    def __init__(self, writer: asyncio.StreamWriter, *, chunked: bool) -> None:
        self._writer = writer
        self._chunked = chunked

    async def start(self, status: int, headers: Headers) -> None:
        lines = [b"HTTP/1.1 %d %s" % (status, HTTPStatus(status).phrase.encode())]
        lines += [name + b": " + value for name, value in headers]
        if self._chunked:
            lines += [b"transfer-encoding: chunked", b"trailer: " + b", ".join(name for name, _ in TRAILER)]
        await self._put(b"\r\n".join([*lines, b"connection: close", b"", b""]))

    async def write(self, piece: bytes) -> None:
        if piece:
            await self._put(b"%x\r\n%s\r\n" % (len(piece), piece) if self._chunked else piece)

    async def finish(self) -> None:
        if self._chunked:
            await self._put(b"0\r\n" + b"".join(b"%s: %s\r\n" % field for field in TRAILER) + b"\r\n")
        self._writer.close()

    async def _put(self, data: bytes) -> None:
        self._writer.write(data)
        with suppress(ConnectionError):  # the client has left; `gone` says so
            await self._writer.drain()
