"""mitmproxy reads past interim answers of HTTP/1.1 (100, 103, …); by itself it takes the first for the answer, and the
client waits for ever for the real one. Those of HTTP/2 it reads past by itself.

Changes `Http1Client.__init__`. A client's own `Expect: 100-continue` is answered by mitmproxy. RFC 9110, section 15.2,
has a proxy forward interim answers that it did not ask for; a client has to do without them anyway. 101 is no interim
answer: it ends HTTP on the connection.
"""

from __future__ import annotations

import re
from typing import Any

from mitmproxy.proxy.context import Context
from mitmproxy.proxy.layers.http import _http1

_INTERIM = re.compile(rb"HTTP/1\.[0-9] 1(?!01)[0-9][0-9](?: |\Z)")
_H11_BUFFER: Any = _http1.ReceiveBuffer  # type: ignore[attr-defined] # h11's, by the name that mitmproxy has for it


class HeadBuffer(_H11_BUFFER):  # type: ignore[misc] # h11 does not export the class
    """The buffer that mitmproxy reads the heads of responses from."""

    def maybe_extract_lines(self) -> list[bytearray] | None:
        lines: list[bytearray] | None = super().maybe_extract_lines()
        while lines and _INTERIM.match(lines[0]):
            lines = super().maybe_extract_lines()
        return lines


_init = _http1.Http1Client.__init__


def _init_with_head_buffer(self: _http1.Http1Client, context: Context) -> None:
    _init(self, context)
    self.buf = HeadBuffer()


def install() -> None:
    """Idempotent."""
    _http1.Http1Client.__init__ = _init_with_head_buffer  # type: ignore[method-assign]
