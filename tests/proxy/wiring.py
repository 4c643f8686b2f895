"""mitmproxy's own HTTP layer without a socket: what it would send, and which hooks it waits for, as a list."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from mitmproxy.addons.proxyserver import Proxyserver
from mitmproxy.connection import ConnectionState, Server
from mitmproxy.http import HTTPFlow
from mitmproxy.options import Options
from mitmproxy.proxy import commands, events, layer
from mitmproxy.proxy.context import Context
from mitmproxy.proxy.layers.http import HttpLayer, HTTPMode
from mitmproxy.test.tflow import tclient_conn

from recorder.proxy import flow_values
from recorder.proxy.tee import Tee
from recorder.wire.exchange import Capture, WireRequest, WireResponse
from tests.proxy.hooks import context


def options() -> Options:
    """mitmproxy's own, as a proxy has them."""

    async def make() -> Options:
        with context(Proxyserver()) as made:
            told: Options = made.options
            return told

    return asyncio.run(make())


def capture() -> Capture:
    made = Capture(WireRequest(method="GET", url="http://openrouter.ai/", http_version="HTTP/1.1", headers=()), began=0)
    made.respond(WireResponse(code=200, reason="OK", http_version="HTTP/1.1", headers=()), at=0)
    return made


def never(error: BaseException) -> None:
    raise AssertionError(f"failed: {error!r}")


def tee_for(flow: HTTPFlow) -> Tee:
    return Tee(capture(), zero=0, length=flow_values.announced_length(flow), failed=never)


@dataclass(slots=True, kw_only=True)
class Wire:
    """One HTTP/1.1 client at mitmproxy's HTTP layer, and one upstream. `seen`: what came of it, in order.

    `tee` is asked at the response's headers, `written` is called when the layer waits for the `response` hook, `asked`
    for the `request` hook. Where it asks to be woken up, `woken` is told of it, and it is woken at once.
    """

    options: Options
    tee: Callable[[HTTPFlow], Tee] = tee_for
    written: Callable[[HTTPFlow], None] = lambda _flow: None
    asked: Callable[[HTTPFlow], None] = lambda _flow: None
    woken: Callable[[float], None] | None = None
    seen: list[str | bytes] = field(default_factory=list)
    layer: layer.Layer = field(init=False)
    client: Context = field(init=False)
    server: Server | None = None

    def __post_init__(self) -> None:
        self.client = Context(tclient_conn(), self.options)
        self.layer = HttpLayer(self.client, HTTPMode.regular)
        self.feed(events.Start())

    def ask(self, method: str = "GET", version: str = "1.1") -> None:
        request = f"{method} http://openrouter.ai/ HTTP/{version}\r\nHost: openrouter.ai\r\n\r\n"
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
        if name == "responseheaders":
            assert flow.response is not None
            if not flow.response.stream and not flow_values.ends_with_headers(flow):
                flow.response.stream = self.tee(flow)
        if name in ("response", "error"):
            self.seen.append(name)
            self.written(flow)
