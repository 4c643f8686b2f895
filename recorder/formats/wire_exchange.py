"""What another program kept of an exchange → the exchange as it was on the wire, for the way of all that is recorded.

Two things differ from the wire, and are put back: some programs keep bodies decoded beside the header that says how
they were encoded, and most leave out how the body's end was told.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterable
from dataclasses import dataclass, field

from recorder.errors import BodyError
from recorder.model import Interaction
from recorder.wire.content_coding import codings, decode
from recorder.wire.exchange import Exchange, WireFields, WireRequest, WireResponse

Found = Interaction | Exchange
"""What a file holds: an interaction that we have put there, or an exchange that another program has recorded."""

Pairs = Iterable[tuple[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """`body` None: it was not kept. `decoded`: it is plain, whatever the headers say."""

    code: int
    reason: str
    http_version: str
    headers: Pairs
    body: bytes | None = field(repr=False)
    decoded: bool


def exchange(
    *,
    method: str,
    url: str,
    http_version: str,
    headers: Pairs,
    body: bytes,
    answer: Answer | None,
    began: int,
    duration: int = 0,
    ended: int = 0,
    broken: str | None = None,
) -> Exchange:
    """Times as in `Exchange`."""
    request = WireRequest(
        method=method,
        url=url,
        http_version=_version(http_version),
        headers=_framed(_wire(headers), body) if body else _wire(headers),
        body=body,
    )
    if answer is not None and answer.body is None:
        broken = broken or "the file does not hold the body of the answer"
    return Exchange(
        request=request,
        response=None if answer is None else _response(answer),
        began=began,
        duration=duration,
        chunks=(),
        ended=max(ended, duration),
        broken=broken,
    )


def _response(answer: Answer) -> WireResponse:
    headers, body = _wire(answer.headers), answer.body or b""
    coding = ", ".join(value.decode("latin-1") for name, value in headers if name.lower() == b"content-encoding")
    if body and (answer.decoded or _is_decoded(body, coding)) and _codings(coding):
        # The coding that every reader of ours undoes stands for the one that was there.
        body = gzip.compress(body, compresslevel=1, mtime=0)
        headers = (*_without(headers, b"content-encoding", b"content-length"), (b"Content-Encoding", b"gzip"))
    return WireResponse(
        code=answer.code,
        reason=answer.reason,
        http_version=_version(answer.http_version),
        headers=_framed(headers, body) if answer.body is not None else headers,
        body=body,
    )


def _is_decoded(body: bytes, coding: str) -> bool:
    """Whether a body is text although its header says that it is encoded."""
    try:
        decode(body, coding)
    except BodyError:
        return _is_text(body)
    return False


def _is_text(body: bytes) -> bool:
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return True


def _codings(coding: str) -> bool:
    try:
        return bool(codings(coding))
    except BodyError:  # one that nobody knows
        return True


def _framed(headers: WireFields, body: bytes) -> WireFields:
    """With the length of the body, where nothing tells its end: what is in a file was whole to whoever wrote it."""
    names = {name.lower() for name, _ in headers}
    if not names.isdisjoint((b"content-length", b"transfer-encoding")):
        return headers
    return (*headers, (b"Content-Length", b"%d" % len(body)))


def _without(headers: WireFields, *names: bytes) -> WireFields:
    return tuple((name, value) for name, value in headers if name.lower() not in names)


def _wire(pairs: Pairs) -> WireFields:
    return tuple((_encoded(name), _encoded(value)) for name, value in pairs)


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _version(text: str) -> str:
    """Browsers write `h2`, `http/2.0` or `HTTP/2`; what nobody knows is HTTP/1.1."""
    told = text.upper()
    if told in ("H2", "HTTP/2", "HTTP/2.0"):
        return "HTTP/2.0"
    if told in ("H3", "HTTP/3", "HTTP/3.0") or told.startswith(("H3-", "HTTP/3+")):
        return "HTTP/3.0"
    return told if told in ("HTTP/1.0", "HTTP/1.1") else "HTTP/1.1"
