"""When a response counts as whole."""

from __future__ import annotations

import pytest

from recorder.wire import completeness
from recorder.wire.exchange import Exchange, WireRequest, WireResponse

LENGTH = (("Content-Length", "7"),)
DONE = b'data: {"a":1}\n\ndata: [DONE]\n\n'
CUT = "the connection was closed before the end of the body"


def exchange(*headers: tuple[str, str], broken: str | None = None, version: str = "HTTP/1.1") -> Exchange:
    fields = tuple((name.encode(), value.encode()) for name, value in headers)
    asked = WireRequest(method="GET", url="http://openrouter.ai/", http_version=version, headers=())
    answered = WireResponse(code=200, reason="OK", http_version=version, headers=fields)
    return Exchange(request=asked, response=answered, began=0, duration=0, chunks=(), ended=0, broken=broken)


@pytest.mark.parametrize(
    ("given", "body", "kind", "fault"),
    [
        (exchange(*LENGTH), b'{"a":1', "application/json", ""),  # its framing says that it is whole
        (exchange(), b'{"a":1}', "application/json", ""),
        (exchange(), b'{"a":1', "application/json", CUT),
        (exchange(version="HTTP/2.0"), b'{"a":1', "application/json", ""),  # frames have an end of their own
        (exchange(), b"any text", "text/plain", ""),
        (exchange(), DONE, "text/event-stream", ""),
        (exchange(broken="Client disconnected."), DONE, "text/event-stream", ""),
        (exchange(broken="Client disconnected."), DONE[:20], "text/event-stream", "Client disconnected."),
    ],
)
def test_a_response_is_whole_by_its_framing_its_terminal_frame_or_its_content(
    given: Exchange, body: bytes, kind: str, fault: str
) -> None:
    assert fault == completeness.fault(given, body=body, content_type=kind)
