"""How mitmproxy reads bodies in chunks (HTTP/1.1): chunks that came together go on together, trailers are left behind.

Together: what one read from the upstream brought is one piece for the client, and nothing waits for anything. A piece
passes some forty calls of mitmproxy's on its way, and is a TLS record and a write of its own; a chunk of a few hundred
bytes is not worth that. How a body is cut into chunks is hop-by-hop (RFC 9112, section 7.1); the bytes and their order
are the same. At full speed it took a chunk from 60 µs of CPU to 10; in a stream with pauses each chunk comes alone.
Chunks that are there as a whole, and spelled as all servers spell them, are cut out by one expression each; whatever is
more than that is h11's to read, and to refuse. That took it from 10 to 8.

Trailers: mitmproxy has no place for those of HTTP/1.1, and would break with the client still waiting. RFC 9112, section
7.1.2, lets a recipient discard them. HTTP/2's are passed on and recorded.
"""

from __future__ import annotations

import re
from typing import Any, NoReturn

from h11 import Data, EndOfMessage, ProtocolError
from h11._readers import ChunkedReader
from mitmproxy.proxy.layers.http import _http1

_HEAD = re.compile(rb"([1-9A-Fa-f][0-9A-Fa-f]{0,6})\r\n")  # without extensions and zeros in front


class _Chunks:
    """What mitmproxy reads a chunked body with, requests' and responses' alike."""

    def __init__(self) -> None:
        self._reader = ChunkedReader()  # held and not inherited from: it calls itself
        self._next: EndOfMessage | ProtocolError | None = None
        self._read_to = -1  # how much was left in the buffer when there was nothing more to be read in it

    def __call__(self, buf: Any) -> Any:
        """The data of all the chunks that are there; what follows it, an end or an error, at the next call."""
        if self._next is None and len(buf) == self._read_to:
            return None
        last: Data | EndOfMessage | ProtocolError | None = self._next
        pieces: list[bytes] = []
        self._next = None
        if last is None:
            pieces = self._whole_chunks(buf)
            last = self._read(buf) if buf or not pieces else None
        while isinstance(last, Data):
            pieces.append(last.data)
            last = self._read(buf)
        if last is None:
            self._read_to = len(buf)
        if pieces:
            self._next = last
            return Data(data=b"".join(pieces))
        if isinstance(last, ProtocolError):
            raise last
        return last

    def read_eof(self) -> NoReturn:
        self._reader.read_eof()

    def _whole_chunks(self, buf: Any) -> list[bytes]:
        """The data of the chunks that the buffer starts with, up to the first one that is not whole or not as usual."""
        reader = self._reader
        if reader._bytes_in_chunk or reader._bytes_to_discard or reader._reading_trailer:  # noqa: SLF001 - its state
            return []
        data, at = bytes(buf), 0
        found = []
        while head := _HEAD.match(data, at):
            start = head.end()
            end = start + int(head[1], 16)
            if data[end : end + 2] != b"\r\n":
                break
            found.append(data[start:end])
            at = end + 2
        if at:
            buf.maybe_extract_at_most(at)
        return found

    def _read(self, buf: Any) -> Data | EndOfMessage | ProtocolError | None:
        try:
            event = self._reader(buf)
        except ProtocolError as error:  # what came before it is still the client's
            return error
        return EndOfMessage() if isinstance(event, EndOfMessage) else event


def read_chunks_together() -> None:
    """Teach mitmproxy to; calling it twice is harmless. `test_chunks.py` holds it in place."""
    _http1.ChunkedReader = _Chunks  # type: ignore[attr-defined, assignment] # the seam itself
