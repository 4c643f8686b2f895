"""mitmproxy's flows → the values of `recorder.wire.exchange`. No state, no I/O."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Mapping

from mitmproxy import http

from recorder.errors import BodyError
from recorder.wire.content_coding import Decoder
from recorder.wire.event_stream import TerminalWatch, is_event_stream
from recorder.wire.exchange import WireFields, WireRequest, WireResponse

REFUSED = "X-Recorder-Error"
"""Marks an answer of our own, for clients and for ourselves."""

_MOST_WATCHED = 32 * 1024 * 1024  # bytes that an event stream is decoded to in passing: that is work on the event loop


def nanoseconds(timestamp: float) -> int:
    """mitmproxy's time stamps are seconds since the epoch; as floats they resolve about 0.2 µs."""
    return int(timestamp * 1_000_000_000)


def request(flow: http.HTTPFlow) -> WireRequest:
    message = flow.request
    # HTTP/2 has the authority beside the headers; in HTTP/1.1 it is the `Host` among them.
    authority = ((b":authority", message.data.authority),) if message.data.authority else ()
    return WireRequest(
        method=message.method,
        # In a transparent mode the destination is an address, and the name stands in the request.
        url=message.pretty_url if _is_address(message.host) else message.url,
        http_version=message.http_version,
        headers=authority + _fields(message.headers),
        body=message.raw_content or b"",
        trailers=_fields(message.trailers),
    )


def response_head(flow: http.HTTPFlow) -> WireResponse:
    message = flow.response
    assert message is not None
    return WireResponse(
        code=message.status_code,
        reason=message.data.reason.decode("utf-8", "surrogateescape"),
        http_version=message.http_version,
        headers=_fields(message.headers),
    )


def trailers(flow: http.HTTPFlow) -> WireFields:
    return _fields(flow.response.trailers if flow.response else None)


def announced_length(flow: http.HTTPFlow) -> int | None:
    """The body's length in bytes as the response announces it; None where the end is told in another way."""
    assert flow.response is not None
    headers = flow.response.headers
    if "transfer-encoding" in headers:
        return None
    value = headers.get("content-length", "")
    return int(value) if value.isdecimal() else None


class _DecodingWatch(TerminalWatch):
    """The watch of a compressed stream. One that cannot be decoded is not watched on; recording it will tell why.

    `start` is always 0: where in a compressed piece an event starts, nobody can say.
    """

    __slots__ = ("_decoder",)

    def __init__(self, decoder: Decoder) -> None:
        super().__init__()
        self._decoder: Decoder | None = decoder

    def feed(self, data: bytes) -> bool:
        if self._decoder is None:
            return False
        try:
            over = super().feed(self._decoder.feed(data))
        except BodyError:
            self._decoder = None
            return False
        self.start = 0
        return over


def terminal_watch(flow: http.HTTPFlow) -> TerminalWatch | None:
    """Of an event stream, in whatever coding; None of all others."""
    assert flow.response is not None
    headers = flow.response.headers
    if not is_event_stream(headers.get("content-type", "")):
        return None
    coding = headers.get("content-encoding", "")
    if coding.strip().lower() in ("", "identity"):
        return TerminalWatch()
    try:
        return _DecodingWatch(Decoder(coding, limit=_MOST_WATCHED))
    except BodyError:  # a coding that nobody knows
        return None


def ends_with_headers(flow: http.HTTPFlow) -> bool:
    """Whether an HTTP/1.1 client knows from the headers alone that nothing follows (RFC 9112, section 6.3)."""
    assert flow.response is not None
    code = flow.response.status_code
    return flow.request.method == "HEAD" or code < 200 or code in (204, 304) or announced_length(flow) == 0


def frame_for_http1(flow: http.HTTPFlow) -> None:
    """Give a body whose end the client could only tell by the connection's an end of its own: chunks.

    mitmproxy hands an HTTP/2 answer without a length to an HTTP/1.1 client unframed. Such a client would take the end
    of the recorder, or of a session that failed, for the end of the response, and would need a connection for each
    request. The framing is hop-by-hop (RFC 9112, section 7); the body's bytes are the same. mitmproxy's upstream side
    goes on with its own copy, by which it tells when the upstream's connection is done.
    """
    assert flow.response is not None
    headers = flow.response.headers
    if flow.request.http_version != "HTTP/1.1" or "content-length" in headers or "transfer-encoding" in headers:
        return
    flow.response = flow.response.copy()
    flow.response.http_version = "HTTP/1.1"  # HTTP/1.0 knows no chunks, and the client would take them for the body
    flow.response.headers["Transfer-Encoding"] = "chunked"
    flow.response.headers.pop("Connection", None)


def refusal(reason: str, *, status: int = 502, more: Mapping[str, object] | None = None) -> http.Response:
    """An answer of our own, in the shape that OpenAI's SDKs read an error from; `more` stands beside the error."""
    error = {"message": f"recorder: {reason}", "type": "recorder_error", "param": None, "code": status}
    body = json.dumps({"error": error, **(more or {})}).encode()
    return http.Response.make(status, body, {"Content-Type": "application/json", REFUSED: "1"})


def json_answer(value: object) -> http.Response:
    """An answer of our own that is no error."""
    return http.Response.make(200, json.dumps(value).encode(), {"Content-Type": "application/json"})


def _is_address(host: str) -> bool:
    if not (host[-1:].isdigit() or ":" in host):  # no name ends in a digit, and to raise takes 10 µs
        return False
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _fields(headers: http.Headers | None) -> WireFields:
    return tuple(headers.fields) if headers else ()
