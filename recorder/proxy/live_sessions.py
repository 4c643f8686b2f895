"""The sessions of a running recorder: started by the first request or by `PUT /~NAME`, ended once, each by itself."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from contextlib import suppress

from mitmproxy import http
from mitmproxy.connection import ConnectionState

from recorder.errors import RecorderError
from recorder.proxy import flow_values
from recorder.proxy.failure_policy import FailurePolicy
from recorder.proxy.under_way import ExchangeUnderWay, LiveSession, UnderWay
from recorder.proxy.write_queue import Threads, Writing
from recorder.replay.matching import Miss
from recorder.replay.receipt import Receipt
from recorder.session.recording import Recorded, Summary
from recorder.session.session_table import Course, Recordings, Started
from recorder.session.settings import Mode
from recorder.wire.exchange import Exchange, WireRequest

logger = logging.getLogger("recorder.proxy.addon")  # one name for all that the addon logs

_SMALL = 8 * 1024  # bytes of a body that is matched at once; a thread would take as long


class LiveSessions:
    """`grace`: seconds that the streams of a session may take to finish when it ends. `refuse` sees to it that a client
    does not take a flow's response for a good one. `receipts`: of the replays that have ended."""

    def __init__(
        self,
        recordings: Recordings,
        *,
        threads: Threads,
        under_way: UnderWay,
        failures: FailurePolicy,
        grace: float,
        refuse: Callable[[http.HTTPFlow], None],
        on_recorded: Callable[[Recorded], None],
        on_stopped: Callable[[Summary], None],
    ) -> None:
        self._recordings = recordings
        self._threads = threads
        self._under_way = under_way
        self._failures = failures
        self._grace = grace
        self._refuse = refuse
        self._on_recorded = on_recorded
        self._on_stopped = on_stopped
        self._by_name: dict[str, LiveSession] = {}
        self._force_shutdown = asyncio.Event()
        self.receipts: list[Receipt] = []

    def get(self, name: str) -> LiveSession | None:
        return self._by_name.get(name)

    async def start(self, name: str, mode: Mode | None = None) -> LiveSession:
        """The session of that name, started if it has not been; `mode`: another than the recorder's own."""
        session = self._by_name.get(name)
        if session is None:
            session = self._by_name[name] = LiveSession(name=name)
            if not self._failures.reason(session):
                session.starting = asyncio.ensure_future(self._open(name, mode))
        await self._has_started(session)
        return session

    async def ask(self, session: LiveSession, asked: WireRequest) -> tuple[Course, Miss | None]:
        """What becomes of a request. Where that takes time, for its size or to explain a miss, on a thread."""
        started = session.started
        assert started is not None
        course = started.ask(asked) if len(asked.body) <= _SMALL else await self._threads.compute(started.ask, asked)
        if not course.missed:
            return course, None
        miss = await self._threads.compute(started.missed, asked)
        logger.warning("recorder: missed in %s: %s", session.name, miss)
        return course, miss

    async def record(self, exchange: ExchangeUnderWay, captured: Exchange) -> None:
        """Bring an exchange to disk; what fails there fails its session, and refuses its flow."""
        session = exchange.session
        assert session.writing is not None
        try:
            recorded = await session.writing.record(captured, alone=not self._under_way)
        except RecorderError as error:
            self._failures.fail_session(session, error)
            self._refuse(exchange.flow)
            return
        # When its end has gone out to the client: whoever waits for that does not wait for this.
        asyncio.get_running_loop().call_soon(self._report, session, recorded)

    async def control(self, name: str, method: str, mode: Mode | None) -> http.Response:
        """`PUT /~NAME` starts a session, `GET` reports on it, `DELETE` stops it and reports what it came to.

        `mode`: of a session that is not in the recorder's own.
        """
        if method == "PUT":
            found = (await self.start(name, mode)).started
            if found and mode not in (None, Mode.ONCE, found.mode):
                words = f"expected session {name} in mode {mode}, found it in mode {found.mode}"
                return flow_values.refusal(words, status=409)
        session = self._by_name.get(name)
        if session is None:
            words = f"expected a session that has been started, found none named {name!r}"
            return flow_values.refusal(words, status=404)
        if method not in ("GET", "PUT", "DELETE"):
            return flow_values.refusal(f"expected GET, PUT or DELETE for a session, found {method}", status=405)
        await self._has_started(session)  # it may be under way, for another request
        summary: Summary | None = None
        if method == "DELETE" and not (self._failures.broken or self._failures.stopping):
            summary = await self.end(session)
        elif not self._failures.reason(session):
            assert session.started is not None
            summary = session.started.summary
        if summary is None:
            return flow_values.refusal(self._failures.reason(session) or "")
        return flow_values.json_answer(summary.as_json())

    async def end(self, session: LiveSession) -> Summary | None:
        """End a session, once: who asks for it again waits for the same end. None if the session failed."""
        if session.ending is None:
            session.ending = asyncio.ensure_future(self._end(session))
        return await asyncio.shield(session.ending)

    async def end_all(self) -> None:
        """End every session, those that were started before this table was made included."""
        for name in self._recordings.names():
            self._by_name.setdefault(name, LiveSession(name=name))
        await asyncio.gather(*map(self.end, list(self._by_name.values())))
        self._threads.close()
        self._recordings.close()

    def force_shutdown(self) -> None:
        """Wait no longer for the streams under way."""
        self._force_shutdown.set()

    async def _has_started(self, session: LiveSession) -> None:
        if session.starting is None or session.started or session.failure:
            return
        try:
            session.started, session.writing = await asyncio.shield(session.starting)
        except RecorderError as error:
            self._failures.fail_session(session, error)

    async def _open(self, name: str, mode: Mode | None) -> tuple[Started, Writing | None]:
        """Start a session; where its exchanges go, if it records."""
        started = await self._threads.on_disk(self._recordings.start, name, mode)
        return started, Writing(started.recording, self._threads) if started.recording else None

    async def _end(self, session: LiveSession) -> Summary | None:
        """Let its streams finish, write what is left of them as incomplete, put the cassette in order."""
        await self._has_started(session)
        await self._drain(session)
        for exchange in self._under_way.cut(session):
            at = time.time_ns() - exchange.capture.began
            await self.record(exchange, exchange.capture.abort("the recorder was stopped", at=at))
        summary = None
        try:
            if session.writing:
                await session.writing.finish()  # what is still being written may fail, too
            summary = await self._close(session)
        except RecorderError as error:
            self._failures.fail_session(session, error)
        finally:
            self._by_name.pop(session.name, None)
        if summary is not None:
            self.receipts += [summary.receipt] if summary.receipt else []
            self._on_stopped(summary)
        return summary

    async def _close(self, session: LiveSession) -> Summary | None:
        """Nothing more goes there. None if it failed."""
        if self._failures.has_failed(session):
            await self._threads.on_disk(self._recordings.abandon, session.name)
            return None
        return await self._threads.on_disk(self._recordings.stop, session.name)

    async def _drain(self, session: LiveSession) -> None:
        deadline = time.monotonic() + self._grace
        while time.monotonic() < deadline:
            writing = session.writing is not None and session.writing.pending
            if not (writing or self._under_way.of(session) or any(map(is_playing, session.playing))):
                return
            with suppress(TimeoutError):
                await asyncio.wait_for(self._force_shutdown.wait(), 0.02)
                return

    def _report(self, session: LiveSession, recorded: Recorded) -> None:
        if self._failures.has_failed(session):  # by another exchange, meanwhile
            return
        try:
            self._on_recorded(recorded)
        except Exception as error:  # noqa: BLE001 - no hook is guarded around it any more
            self._failures.fail(error)


def is_playing(flow: http.HTTPFlow) -> bool:
    return flow.live and flow.client_conn.state is not ConnectionState.CLOSED
