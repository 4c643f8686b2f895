"""Flows that mitmproxy has saved (`mitmdump -w`, mitmweb's Save) → exchanges, as the recorder would have seen them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

from mitmproxy import http
from mitmproxy.exceptions import FlowReadException
from mitmproxy.io import FlowReader

from recorder import humanize
from recorder.errors import CassetteError
from recorder.proxy import flow_values
from recorder.wire.exchange import Capture, Exchange

_HAR = b"{", b"\xef\xbb\xbf{"  # mitmproxy's reader takes one, too, and drops most of what is in it


def loads(file: BinaryIO, name: str) -> Iterator[Exchange]:
    """The file's exchanges over HTTP, in its order; what became a WebSocket is none. CassetteError."""
    start = file.read(4)
    file.seek(0)
    if start.startswith(_HAR):
        raise CassetteError(
            name=name, line=0, expected="flows of mitmproxy's", found="JSON", advice="try --from har or --from vcrpy"
        )
    count = 0
    try:
        for flow in FlowReader(file).stream():
            count += 1
            if isinstance(flow, http.HTTPFlow) and (flow.response is None or flow.response.status_code != 101):
                yield _exchange(flow)
    except (FlowReadException, KeyError, TypeError, ValueError, AttributeError) as error:  # its state is of any shape
        found = humanize.printable(" ".join(str(error).split()) or type(error).__name__)
        raise CassetteError(
            name=name, line=0, expected="flows of mitmproxy's", found=f"behind {count} of them: {found[:200]}"
        ) from error


def _exchange(flow: http.HTTPFlow) -> Exchange:
    began = flow_values.nanoseconds(flow.request.timestamp_start)
    capture = Capture(flow_values.request(flow), began=began)
    response = flow.response
    if response is None:
        return capture.abort(flow.error.msg if flow.error else "no response", at=_ended(flow, began))
    capture.respond(flow_values.response_head(flow), at=flow_values.nanoseconds(response.timestamp_start) - began)
    body = response.raw_content
    if body is None:
        return capture.abort("the stored flow has no body", at=_ended(flow, began))
    if flow.error:
        capture.chunk(body, at=_ended(flow, began))
        return capture.abort(flow.error.msg, at=_ended(flow, began))
    return capture.end(at=_ended(flow, began), body=body, trailers=flow_values.trailers(flow))


def _ended(flow: http.HTTPFlow, began: int) -> int:
    """When it ended or broke, in nanoseconds since it began."""
    response = flow.response
    ended = flow.error.timestamp if flow.error else (response and response.timestamp_end)
    return max(0, flow_values.nanoseconds(ended) - began) if ended else 0
