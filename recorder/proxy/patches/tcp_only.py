"""mitmproxy opens no UDP port beside a `reverse:https` listener; by itself it does, for HTTP/3.

Changes `transport_protocol` of the mode objects, which mitmproxy caches: the server is given these very objects. Nobody
has a use for the port on loopback. The runtime that serves it (tokio) outlives the interpreter, which now and then was
a segmentation fault at exit (seen with 11.0.2 and 12.2.3).
"""

from __future__ import annotations

from collections.abc import Iterable

from mitmproxy.proxy.mode_specs import ProxyMode, ReverseMode


def keep_to_tcp(modes: Iterable[str]) -> None:
    for mode in map(ProxyMode.parse, modes):
        if isinstance(mode, ReverseMode):
            mode.transport_protocol = "tcp"
