"""mitmproxy's own HTTP layer without a socket: what it would send, and which hooks it waits for, as a list.

The self-test drives the patches with it, and so do the tests.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from mitmproxy.addonmanager import Loader
from mitmproxy.connection import Client, ConnectionState, Server
from mitmproxy.http import HTTPFlow
from mitmproxy.options import Options
from mitmproxy.proxy import commands, events, layer
from mitmproxy.proxy.context import Context
from mitmproxy.proxy.layers.http import HttpLayer, HTTPMode

from recorder.proxy.patches.lean_imports import proxyserver

HOST = "openrouter.ai"


def options() -> Options:
    """mitmproxy's options at their defaults, those of the proxy server included."""
    made = Options()
    master: Any = SimpleNamespace(options=made)  # all that a Loader needs to declare options
    proxyserver.Proxyserver().load(Loader(master))
    return made


def _nothing(_flow: HTTPFlow) -> None:
    return


@dataclass(slots=True, kw_only=True)
class HttpLayerRig:
    """One HTTP/1.1 client at mitmproxy's HTTP layer, and one upstream. `seen`: what came of it, in order.

    `asked`, `answered` and `written` are called at the hooks `request`, `responseheaders` and `response` or `error`.
    Where the layer asks to be woken up, `woken` gets the seconds, and the layer is woken at once.
    """

    options: Options
    asked: Callable[[HTTPFlow], None] = _nothing
    answered: Callable[[HTTPFlow], None] = _nothing
    written: Callable[[HTTPFlow], None] = _nothing
    woken: Callable[[float], None] | None = None
    seen: list[str | bytes] = field(default_factory=list)
    layer: layer.Layer = field(init=False)
    client: Context = field(init=False)
    server: Server | None = None

    def __post_init__(self) -> None:
        client = Client(
            peername=("127.0.0.1", 1), sockname=("127.0.0.1", 2), state=ConnectionState.OPEN, timestamp_start=0
        )
        self.client = Context(client, self.options)
        self.layer = HttpLayer(self.client, HTTPMode.regular)
        self.feed(events.Start())

    def ask(self, method: str = "GET", version: str = "1.1") -> None:
        request = f"{method} http://{HOST}/ HTTP/{version}\r\nHost: {HOST}\r\n\r\n"
        self.feed(events.DataReceived(self.client.client, request.encode()))

    def answer(self, *pieces: bytes) -> None:
        """What the upstream sends; an empty piece is the end of its connection."""
        assert self.server is not None
        for piece in pieces:
            if piece:
                self.feed(events.DataReceived(self.server, piece))
            else:
                self.server.state = ConnectionState.CLOSED
                self.feed(events.ConnectionClosed(self.server))

    def leave(self) -> None:
        """The client closes."""
        self.client.client.state = ConnectionState.CLOSED
        self.feed(events.ConnectionClosed(self.client.client))

    def sent(self) -> bytes:
        """All that the client has been sent so far."""
        return b"".join(piece for piece in self.seen if isinstance(piece, bytes))

    def feed(self, event: events.Event) -> None:
        for command in self.layer.handle_event(event):
            for reply in self._obey(command):
                self.feed(reply)

    def _obey(self, command: commands.Command) -> Iterator[events.Event]:
        if isinstance(command, commands.OpenConnection):
            assert isinstance(command.connection, Server)
            self.server = command.connection
            self.server.state = ConnectionState.OPEN
            yield events.OpenConnectionCompleted(command, None)
        elif isinstance(command, commands.SendData):
            if command.connection is self.client.client:
                self.seen.append(command.data)
        elif isinstance(command, commands.CloseConnection):
            self.seen.append("client closed" if command.connection is self.client.client else "upstream closed")
        elif isinstance(command, commands.RequestWakeup) and self.woken:
            self.woken(command.delay)
            yield events.Wakeup(command)
        elif isinstance(command, commands.StartHook):
            self._hook(command.name, getattr(command, "flow", None))
            yield events.HookCompleted(command)

    def _hook(self, name: str, flow: HTTPFlow | None) -> None:
        if flow is None:
            return
        if name == "request":
            self.asked(flow)
        elif name == "responseheaders":
            self.answered(flow)
        elif name in ("response", "error"):
            self.seen.append(name)
            self.written(flow)
