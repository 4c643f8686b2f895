"""Answers from a tape → mitmproxy's responses: head and framing for the client that asked. No state, no I/O."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import MappingProxyType
from typing import Final

from mitmproxy import http

from recorder.model import Response
from recorder.proxy import flow_values
from recorder.proxy.patches.paced_answer import Player
from recorder.replay.matching import Miss
from recorder.session.playback import Answer
from recorder.wire import event_stream

# What belongs to the connection that it came over (RFC 9110, section 7.6.1), and what the framing here says anew.
_NOT_REPLAYED: Final = frozenset(
    (
        "connection",
        "content-length",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authentication-info",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    )
)
_LINE_ENDS: Final = MappingProxyType(str.maketrans("\r\n\0", "   "))


def respond(flow: http.HTTPFlow, answer: Answer, *, clock: Callable[[], int]) -> None:
    """Answer the flow as the tape says; or break its connection, where a fault says so.

    `clock`: nanoseconds since the request began.
    """
    if answer.delivery is None:
        flow.kill()
        return
    if not 200 <= answer.response.code <= 599:
        words = f"#{answer.id} was recorded with status {answer.response.code}, which is no answer"
        flow.response = flow_values.refusal(words)
        return
    bodiless = flow.request.method == "HEAD" or answer.response.code in (204, 304)
    delivery = answer.delivery if not bodiless else type(answer.delivery)(headers=answer.delivery.headers, pieces=())
    flow.response = http.Response(
        http_version=b"HTTP/1.1",
        status_code=answer.response.code,
        reason=_reason(answer.response),
        headers=_headers(flow, answer.response, bodiless=bodiless),
        content=None,
        trailers=_trailers(flow, answer.response) if not bodiless else None,
        timestamp_start=time.time(),
        timestamp_end=None,
    )
    flow.response.stream = Player(delivery, clock=clock)


def missed(miss: Miss) -> http.Response:
    """404 with the explanation, in the shape that OpenAI's SDKs read an error from."""
    return flow_values.refusal(str(miss), status=404, more={"miss": miss.as_json()})


def _reason(response: Response) -> bytes:
    return _bytes(response.status.removeprefix(str(response.code)).strip())


def _headers(flow: http.HTTPFlow, response: Response, *, bodiless: bool) -> http.Headers:
    """The recorded ones, and how long the body is: chunks for an event stream, as servers have it, else its length."""
    fields = [
        (_bytes(name), _bytes(value))
        for name, values in response.headers.items()
        for value in values
        if name.lower() not in _NOT_REPLAYED
    ]
    headers = http.Headers(fields)
    if bodiless:
        if flow.request.method == "HEAD" and response.content_length >= 0:
            headers["Content-Length"] = str(response.content_length)
        return headers
    if (
        not event_stream.is_event_stream(response.headers.first("Content-Type"))
        or flow.request.http_version == "HTTP/1.0"
    ):
        headers["Content-Length"] = str(len(response.body))
    elif flow.request.http_version == "HTTP/1.1":
        headers["Transfer-Encoding"] = "chunked"
    return headers


def _trailers(flow: http.HTTPFlow, response: Response) -> http.Headers | None:
    """Only HTTP/2 carries them: mitmproxy has no place for those of HTTP/1.1."""
    fields = [(_bytes(name), _bytes(value)) for name, values in response.trailer.items() for value in values]
    return http.Headers(fields) if fields and flow.request.is_http2 else None


def _bytes(text: str) -> bytes:
    """Of a cassette that somebody edited: nothing in it may end a line of the head."""
    return text.translate(_LINE_ENDS).encode("utf-8", "surrogateescape")
