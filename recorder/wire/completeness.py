"""Whether a response came to its end: by its framing (RFC 9112, section 6.3), its terminal frame, or its content."""

from __future__ import annotations

import json

from recorder.wire.event_stream import has_terminal_frame, is_event_stream, lacks_terminal_frame
from recorder.wire.exchange import Exchange, WireResponse


def fault(exchange: Exchange, *, body: bytes, content_type: str) -> str:
    """Why an exchange did not come to its end; "" if it did. `body`: the response's, decoded."""
    sent = exchange.response
    if sent is None:
        return exchange.broken or "no response"
    if has_terminal_frame(body, content_type):  # SDKs hang up right after it, which is an end as good as any
        return ""
    if exchange.broken is None and _ends_with_connection(sent) and _is_cut(body, content_type):
        return "the connection was closed before the end of the body"
    return exchange.broken or ""


def _ends_with_connection(response: WireResponse) -> bool:
    """Whether a body that was cut looks like a whole one: nothing but its content tells (RFC 9112, section 6.3)."""
    names = {name.lower() for name, _ in response.headers}
    return response.http_version.startswith("HTTP/1") and names.isdisjoint((b"content-length", b"transfer-encoding"))


def _is_cut(body: bytes, content_type: str) -> bool:
    if is_event_stream(content_type):
        return lacks_terminal_frame(body)
    if not body or content_type.partition(";")[0].strip().lower() != "application/json":
        return False
    try:
        json.loads(body)
    except RecursionError:
        return False
    except ValueError:
        return True
    return False
