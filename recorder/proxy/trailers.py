"""Trailers of HTTP/1.1 are left behind: mitmproxy has no place for them, and would break with the client still waiting.

RFC 9112, section 7.1.2, lets a recipient discard them. HTTP/2's are passed on and recorded.
"""

from __future__ import annotations

from typing import Any

from h11 import EndOfMessage
from h11._readers import ChunkedReader
from mitmproxy.proxy.layers.http import _http1


class _Chunks(ChunkedReader):
    """What mitmproxy reads a chunked body with, requests' and responses' alike."""

    def __call__(self, buf: Any) -> Any:
        event = super().__call__(buf)
        return EndOfMessage() if isinstance(event, EndOfMessage) else event


def leave_trailers() -> None:
    """Teach mitmproxy to read past them; calling it twice is harmless. `test_trailers.py` holds it in place."""
    _http1.ChunkedReader = _Chunks  # type: ignore[attr-defined] # the seam itself
