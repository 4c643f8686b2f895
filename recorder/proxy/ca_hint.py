"""The addon that says so when a client does not trust our CA: the one thing that a user can do nothing about unseen.

Nothing here touches a connection. Clients tell it in two ways: by an alert (OpenSSL, Go), or by leaving when they have
seen the certificate, in the handshake (Node) or right after it. The second may mean something else.
Each client is told of once, not once for each connection that it tries.
"""

from __future__ import annotations

import logging
from collections import Counter

from mitmproxy import connection, http
from mitmproxy.addonmanager import Loader
from mitmproxy.proxy import server
from mitmproxy.tls import TlsData

logger = logging.getLogger(__name__)

# Alerts of RFC 8446, section 6.2, in OpenSSL's words, by which a client says that it is our certificate. "decrypt
# error" is what a CA of the same name and another key comes to.
_DISTRUST = ("unknown ca", "bad certificate", "certificate unknown", "certificate expired", "decrypt error")
_LEFT = "The client disconnected during the handshake"  # mitmproxy's words
_LONGEST_AGENT = 60  # characters of what a client calls itself


class TrustHints:
    """`quiet`: keep mitmproxy's own line for each such connection out of the log, which ours stands for."""

    def __init__(self, *, quiet: bool = False) -> None:
        self._quiet = quiet
        self._agents: dict[str, str] = {}
        self._unasked: dict[str, str] = {}
        self._trusting: set[str] = set()
        self._told: Counter[str] = Counter()

    def load(self, loader: Loader) -> None:  # noqa: ARG002 - mitmproxy's signature
        if self._quiet:
            server.logger.addFilter(_is_not_ours)

    def done(self) -> None:
        server.logger.removeFilter(_is_not_ours)
        self._unasked.clear()  # from now on it is we who leave
        for hint, times in self._told.items():
            if times > 1:
                logger.warning("recorder: %d connections in all: %s", times, hint)

    def http_connect(self, flow: http.HTTPFlow) -> None:
        """Where a client says what it is: at the proxy, before TLS."""
        agent = flow.request.headers.get("User-Agent", "")[:_LONGEST_AGENT]
        self._agents[flow.client_conn.id] = "".join(filter(str.isprintable, agent))

    def tls_failed_client(self, data: TlsData) -> None:
        error = data.conn.error or ""
        if _is_distrust(error):
            self._tell(data.conn, f"does not trust the recorder's CA for {_host(data)}")
        elif error.startswith(_LEFT):
            self._tell_left(data.conn, _host(data))

    def tls_established_client(self, data: TlsData) -> None:
        self._unasked[data.conn.id] = _host(data)

    def requestheaders(self, flow: http.HTTPFlow) -> None:
        if self._unasked.pop(flow.client_conn.id, None):
            self._trusting.add(self._name(flow.client_conn))

    def client_disconnected(self, client: connection.Client) -> None:
        if host := self._unasked.pop(client.id, None):
            self._tell_left(client, host)
        self._agents.pop(client.id, None)

    def _tell_left(self, client: connection.Connection, host: str) -> None:
        """Who has asked before may as well have opened a connection too many."""
        if self._name(client) not in self._trusting:
            self._tell(client, f"left without a request to {host}: it may not trust the recorder's CA")

    def _tell(self, client: connection.Connection, what: str) -> None:
        hint = f"a client ({self._name(client)}) {what}; see `recorder ca`"
        self._told[hint] += 1
        if self._told[hint] == 1:
            logger.warning("recorder: %s", hint)

    def _name(self, client: connection.Connection) -> str:
        """What it calls itself, and its address: never its port, which is another one each time."""
        address = client.peername[0] if client.peername else "unknown"
        agent = self._agents.get(client.id)
        return f"{agent}, {address}" if agent else address


def _is_distrust(error: str) -> bool:
    return any(words in error for words in _DISTRUST)


def _is_not_ours(record: logging.LogRecord) -> bool:
    message = record.getMessage()
    return not (message.startswith("Client TLS handshake failed.") and _is_distrust(message))


def _host(data: TlsData) -> str:
    address = data.context.server.address
    return data.conn.sni or (address[0] if address else "a recorded host")
