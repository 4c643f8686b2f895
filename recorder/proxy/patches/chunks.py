"""mitmproxy reads chunked bodies of HTTP/1.1 so that chunks that came together go on together, and without trailers.

Changes the name `ChunkedReader` in `mitmproxy.proxy.layers.http._http1`, for requests and responses.

Together: all chunks of one read from the upstream are one piece for the client, and nothing waits. Each piece costs
some forty calls in mitmproxy, a TLS record and a write. How a body is cut into chunks is hop-by-hop (RFC 9112, section
7.1); the bytes and their order stay. At full speed a chunk takes 10 µs of CPU instead of 60; in a stream with pauses
each chunk comes alone. Whole chunks in the usual spelling are cut out by one expression each (8 µs instead of 10);
everything else is read, or refused, by h11.

Trailers: mitmproxy has no place for those of HTTP/1.1 and breaks off while the client waits. RFC 9112, section 7.1.2,
lets a recipient discard them. HTTP/2's are passed on and recorded.
"""

from __future__ import annotations

import re
from typing import Any, NoReturn

from h11 import Data, EndOfMessage, ProtocolError
from mitmproxy.proxy.layers.http import _http1

_HEAD = re.compile(rb"([1-9A-Fa-f][0-9A-Fa-f]{0,6})\r\n")  # without extensions and leading zeros
_H11_READER: Any = _http1.ChunkedReader  # type: ignore[attr-defined] # h11's, by the name that mitmproxy has for it


class ChunkReader:
    """Stands in for h11's `ChunkedReader`, with the same calls."""

    def __init__(self) -> None:
        self._reader = _H11_READER()
        self._at_boundary = True  # nothing of a chunk, of its line end or of the trailers has been read by `_reader`
        self._next: EndOfMessage | ProtocolError | None = None
        self._read_to = -1  # bytes left in the buffer when nothing more could be read from it

    def __call__(self, buf: Any) -> Any:
        """The data of all the chunks that are there; what follows it, an end or an error, at the next call."""
        if self._next is None and len(buf) == self._read_to:
            return None
        pieces: list[bytes] = []
        last, self._next = self._next, None
        if last is None:
            last = self._read(buf, pieces)
        if pieces:
            self._next = last
            return Data(data=b"".join(pieces))
        if isinstance(last, ProtocolError):
            raise last
        return last

    def read_eof(self) -> NoReturn:
        self._reader.read_eof()
        raise AssertionError("h11 raises for a body that ends early")

    def _read(self, buf: Any, pieces: list[bytes]) -> EndOfMessage | ProtocolError | None:
        """Read all data into `pieces`; what follows it, None if that is not there yet."""
        while True:
            if self._at_boundary:
                _extract_whole_chunks(buf, pieces)
                if not buf:
                    self._read_to = 0
                    return None
            try:
                event = self._reader(buf)
            except ProtocolError as error:  # what came before it is still the client's
                return error
            if isinstance(event, EndOfMessage):
                return EndOfMessage()
            if event is None:
                self._at_boundary = False  # a part of a line end or of the trailers may have been read
                self._read_to = len(buf)
                return None
            pieces.append(event.data)
            self._at_boundary = False
            if event.chunk_end and bytes(buf).startswith(b"\r\n"):
                buf.maybe_extract_at_most(2)
                self._reader, self._at_boundary = _H11_READER(), True


def _extract_whole_chunks(buf: Any, pieces: list[bytes]) -> None:
    """Move the data of the chunks that the buffer starts with, up to the first that is not whole or not as usual."""
    data, at = bytes(buf), 0
    while head := _HEAD.match(data, at):
        start = head.end()
        end = start + int(head[1], 16)
        if data[end : end + 2] != b"\r\n":
            break
        pieces.append(data[start:end])
        at = end + 2
    if at:
        buf.maybe_extract_at_most(at)


def install() -> None:
    """Idempotent."""
    _http1.ChunkedReader = ChunkReader  # type: ignore[attr-defined, assignment]
