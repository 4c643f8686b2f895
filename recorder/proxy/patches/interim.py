"""Interim answers of HTTP/1.1 (100, 103, …) are left behind: mitmproxy takes the first for the answer, and the client
then waits for ever for the real one. Those of HTTP/2 it leaves behind by itself.

A client's own `Expect: 100-continue` is answered by mitmproxy. RFC 9110, section 15.2, has a proxy forward what it did
not ask for; a client has to do without them anyway. 101 is no interim answer: it ends HTTP on the connection.
"""

from __future__ import annotations

import re

from h11._receivebuffer import ReceiveBuffer
from mitmproxy.proxy.context import Context
from mitmproxy.proxy.layers.http import _http1

_INTERIM = re.compile(rb"HTTP/1\.[0-9] 1(?!01)[0-9][0-9](?: |\Z)")


class _Heads(ReceiveBuffer):
    """What mitmproxy reads the heads of responses from."""

    def maybe_extract_lines(self) -> list[bytearray] | None:
        lines = super().maybe_extract_lines()
        while lines and _INTERIM.match(lines[0]):
            lines = super().maybe_extract_lines()
        return lines


_init = _http1.Http1Client.__init__


def _init_with_heads(self: _http1.Http1Client, context: Context) -> None:
    _init(self, context)
    self.buf = _Heads()


def leave_interim() -> None:
    """Teach mitmproxy to read past them; calling it twice is harmless. `test_interim.py` holds it in place."""
    _http1.Http1Client.__init__ = _init_with_heads  # type: ignore[method-assign] # the seam itself
