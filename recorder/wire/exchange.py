"""One exchange as it goes over the wire, from the request's head to the response's end. Sans-IO.

What is kept here is what stood on the wire, unscrubbed and still encoded; `cassette/go_http.py` turns it into what a Go
client would have seen. `chunk` is on the path of every streamed byte, so it does nothing but remember.

Times are nanoseconds: `began` since the epoch, all others since `began`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

WireFields = tuple[tuple[bytes, bytes], ...]
"""Header or trailer fields in the order, the case and the bytes of the wire."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WireRequest:
    """`url` is the one that the client meant: `https://openrouter.ai/…`, through whichever door it came in."""

    method: str
    url: str
    http_version: str
    headers: WireFields = field(repr=False)
    body: bytes = field(default=b"", repr=False)
    trailers: WireFields = field(default=(), repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class WireResponse:
    """`body` is as it was sent: a compressed one is still compressed. `reason` is empty where HTTP/2 has none."""

    code: int
    reason: str
    http_version: str
    headers: WireFields = field(repr=False)
    body: bytes = field(default=b"", repr=False)
    trailers: WireFields = field(default=(), repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """What one capture came to. Without `response`, nothing of an answer had arrived.

    `duration`: request sent to the response's headers. `chunks`: when each piece of the body came, and its size in
    bytes; empty where the body did not come in pieces (stored flows). `ended`: when the last byte came, or the break.
    `broken`: why the exchange ended before its end, in words for a person; None if it did not.
    """

    request: WireRequest
    response: WireResponse | None
    began: int
    duration: int
    chunks: tuple[tuple[int, int], ...]
    ended: int
    broken: str | None = None


class Capture:
    """The exchange under way. `respond` at most once, then `chunk` for each piece, then `end` or `abort`."""

    __slots__ = ("_head", "_pieces", "_times", "began", "duration", "request")

    def __init__(self, request: WireRequest, *, began: int) -> None:
        self.request = request
        self.began = began
        self.duration = 0
        self._head: WireResponse | None = None
        self._pieces: list[bytes] = []
        self._times: list[int] = []

    def respond(self, head: WireResponse, *, at: int) -> None:
        """The response's headers have come; `head` has no body and no trailers yet."""
        self._head = head
        self.duration = max(0, at)

    def chunk(self, data: bytes, *, at: int) -> None:
        self._pieces.append(data)
        self._times.append(at)

    def end(self, *, at: int, body: bytes = b"", trailers: WireFields = ()) -> Exchange:
        """The message is whole. `body` is only given where it did not come in pieces (stored flows)."""
        return self._exchange(at, body, trailers, None)

    def abort(self, reason: str, *, at: int) -> Exchange:
        return self._exchange(at, b"", (), reason)

    def _exchange(self, at: int, body: bytes, trailers: WireFields, broken: str | None) -> Exchange:
        head = self._head
        response = head and WireResponse(
            code=head.code,
            reason=head.reason,
            http_version=head.http_version,
            headers=head.headers,
            body=b"".join(self._pieces) or body,
            trailers=trailers,
        )
        return Exchange(
            request=self.request,
            response=response,
            began=self.began,
            duration=self.duration,
            chunks=tuple(zip(self._times, map(len, self._pieces), strict=True)),
            ended=max(0, at),
            broken=broken,
        )
