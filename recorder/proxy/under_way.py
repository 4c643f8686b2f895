"""The exchanges that have begun and not ended, each with the live session that it belongs to."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field

from mitmproxy import http

from recorder.proxy import connections
from recorder.proxy.tee import Tee
from recorder.proxy.write_queue import Writing
from recorder.session.recording import Summary
from recorder.session.session_table import Started
from recorder.wire.exchange import Capture


@dataclass(slots=True, kw_only=True, eq=False)
class LiveSession:
    """One session of a running recorder.

    `starting`: its start, None if it was never started. `started`: what it came to; `writing` as well, if it records.
    `ending`: its end, None until that is requested. `failure`: why it serves no more. `playing`: flows whose replayed
    answers take their time.
    """

    name: str
    starting: asyncio.Future[tuple[Started, Writing | None]] | None = None
    failure: str | None = None
    ending: asyncio.Future[Summary | None] | None = None
    started: Started | None = None
    writing: Writing | None = None
    playing: list[http.HTTPFlow] = field(default_factory=list)


@dataclass(slots=True, kw_only=True, eq=False)
class ExchangeUnderWay:
    flow: http.HTTPFlow
    session: LiveSession
    capture: Capture
    tee: Tee | None = None


class UnderWay:
    """By the flow's id. Whoever pops an exchange decides what becomes of it."""

    def __init__(self) -> None:
        self._by_flow: dict[str, ExchangeUnderWay] = {}

    def __bool__(self) -> bool:
        return bool(self._by_flow)

    def add(self, exchange: ExchangeUnderWay) -> None:
        self._by_flow[exchange.flow.id] = exchange

    def get(self, flow: http.HTTPFlow) -> ExchangeUnderWay | None:
        return self._by_flow.get(flow.id)

    def pop(self, flow: http.HTTPFlow) -> ExchangeUnderWay | None:
        return self._by_flow.pop(flow.id, None)

    def of(self, session: LiveSession | None) -> list[ExchangeUnderWay]:
        """Those of one session; of all with None."""
        return [exchange for exchange in self._by_flow.values() if session is None or exchange.session is session]

    def cut(self, session: LiveSession | None) -> Iterator[ExchangeUnderWay]:
        """Pop each of `of(session)` and reset its client's connection; one may end by itself between two of them."""
        for exchange in self.of(session):
            if self.pop(exchange.flow) is not None:
                connections.cut(exchange.flow)
                yield exchange
