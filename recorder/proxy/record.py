"""The recording addon: mitmproxy's hooks → captures → the recordings. It fails closed.

An exception in one of mitmproxy's hooks is logged and traffic goes on; so here every hook is guarded. What goes wrong
with one session's cassette fails that session, anything else all of them: requests get 502 with the reason, streams
under way are cut, and the process ends with exit status 1. Nothing passes unrecorded and unnoticed.

What takes time (a large body's scrubbing, writing, fsync) happens on threads; the end of that one response waits.
"""

from __future__ import annotations

import asyncio
import functools
import logging
import os
import secrets
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from mitmproxy import ctx, http
from mitmproxy.addonmanager import Loader
from mitmproxy.connection import Client
from mitmproxy.proxy.server_hooks import ServerConnectionHookData

from recorder import settings as setting
from recorder.capture import Capture, Exchange
from recorder.config import nearest
from recorder.errors import ProxyError, RecorderError, UsageError
from recorder.proxy import connections, routing, wire
from recorder.proxy.chunks import read_chunks_together
from recorder.proxy.express import go_express
from recorder.proxy.interim import leave_interim
from recorder.proxy.own_errors import OwnErrors
from recorder.proxy.tee import Tee, deliver_held
from recorder.proxy.writing import Sink, Threads, Writing
from recorder.recording import Recorded, Summary
from recorder.recordings import Recordings
from recorder.session import check_name, name_for
from recorder.settings import Settings

logger = logging.getLogger(__name__)

# Seconds after which a thread that computes lets the event loop go on. Python's 5 ms come anew after each system call,
# so that a piece of a stream, which takes a few, would be 20 ms late while a body of 8 MB is scrubbed.
_TURN = 0.0005

# Keys of `flow.metadata`, mitmproxy's place for what addons know of a flow.
_SESSION = "recorder.session"
_ANSWERED = "recorder.answered"
"""The answer is our own; no upstream is asked."""


@dataclass(slots=True, kw_only=True, eq=False)
class _Session:
    """`started`: done when it can record. `failure`: why it records no more. `writing`: there once it has started."""

    name: str
    started: asyncio.Future[Sink] | None = None
    failure: str | None = None
    stopping: bool = False
    writing: Sink | None = None


@dataclass(slots=True, kw_only=True)
class _UnderWay:
    flow: http.HTTPFlow
    session: _Session
    capture: Capture
    tee: Tee | None = None


_Subject = TypeVar("_Subject", http.HTTPFlow, ServerConnectionHookData)


def _guard_sync(hook: Callable[[RecordAddon, _Subject], None]) -> Callable[[RecordAddon, _Subject], None]:
    @functools.wraps(hook)
    def guarded(addon: RecordAddon, subject: _Subject) -> None:
        try:
            hook(addon, subject)
        except Exception as error:  # noqa: BLE001 - whatever it is, the recorder fails closed
            addon.fail(error)
            addon.refuse(subject)

    return guarded


def _guard(
    hook: Callable[[RecordAddon, http.HTTPFlow], Awaitable[None]],
) -> Callable[[RecordAddon, http.HTTPFlow], Awaitable[None]]:
    @functools.wraps(hook)
    async def guarded(addon: RecordAddon, flow: http.HTTPFlow) -> None:
        try:
            await hook(addon, flow)
        except Exception as error:  # noqa: BLE001 - the same
            addon.fail(error)
            addon.refuse(flow)

    return guarded


class RecordAddon:
    """Records sessions: into the recordings that it is given, as `recorder start` does, or by mitmdump's options.

    `on_recorded` is told of each exchange that is on disk, `on_stopped` of what each session came to. `failure` is
    what went wrong first, None as long as nothing has.
    """

    def __init__(
        self,
        settings: Settings | None = None,
        recordings: Recordings | None = None,
        *,
        on_recorded: Callable[[Recorded], None] | None = None,
        on_stopped: Callable[[Summary], None] | None = None,
    ) -> None:
        self._settings = settings
        self._in_mitmdump = recordings is None
        self._on_recorded = on_recorded or _log_recorded
        self._on_stopped = on_stopped or _log_summary
        self._recordings = recordings
        self._sessions: dict[str, _Session] = {}
        self._users: dict[str, str] = {}  # by the client connection's id, from its CONNECT
        self._under_way: dict[str, _UnderWay] = {}
        self._threads = Threads()
        self._stopping = False
        self._hurry = asyncio.Event()
        self._own_errors = OwnErrors(self._crashed)
        self._broken: str | None = None  # why nothing at all is recorded any more
        self.failure: str | None = None

    # Start-up

    def load(self, loader: Loader) -> None:
        deliver_held()
        read_chunks_together()
        leave_interim()
        go_express(unchecked=not self._in_mitmdump)
        sys.setswitchinterval(_TURN)
        logging.getLogger("mitmproxy").addHandler(self._own_errors)
        if not self._in_mitmdump:
            return
        loader.add_option("session", str, "", "Session to record; by default named after the time of the start.")
        loader.add_option("cassette_dir", str, setting.DEFAULT_CASSETTE_DIR, "Folder of the cassettes.")
        loader.add_option("record_hosts", str, setting.DEFAULT_HOST, "Hosts to record, parted by commas.")
        loader.add_option("layout", str, "", "Layout of a new cassette: go-vcr, seed or charm.")
        loader.add_option("allow_opaque", bool, False, "Also record bodies that cannot be searched for secrets.")
        loader.add_option(
            "keep_headers", str, "", "Headers to keep beside the usual ones, parted by commas; * for all."
        )

    def configure(self, updated: set[str]) -> None:  # noqa: ARG002 - a session's settings do not change under it
        if self._recordings is not None:
            return
        try:
            settings = self._settings = _from_options()
            self._recordings = Recordings(
                settings, clock=time.time_ns, salts=functools.partial(secrets.token_bytes, 16), environ=os.environ
            )
            assert settings.session is not None
            self._recordings.start(settings.session)
        except RecorderError as error:
            # One line and the end; raised, it would be a traceback in mitmproxy's log.
            print(f"record: {error}", file=sys.stderr)  # noqa: T201
            sys.exit(error.exit_code)
        _configure_mitmdump(settings)

    # The path of an exchange

    def http_connect(self, flow: http.HTTPFlow) -> None:
        # Who has mitmdump ask for a user and a password means people by them.
        if (user := routing.proxy_user(flow.request.headers)) and not getattr(ctx.options, "proxyauth", None):
            self._users[flow.client_conn.id] = user

    def client_disconnected(self, client: Client) -> None:
        self._users.pop(client.id, None)

    @_guard_sync
    def requestheaders(self, flow: http.HTTPFlow) -> None:
        if not self._is_recorded(flow):
            flow.request.stream = True

    @_guard
    async def request(self, flow: http.HTTPFlow) -> None:
        if not self._is_recorded(flow):
            return
        routed = await self._route(flow)
        if isinstance(routed, http.Response):
            flow.response = routed
            flow.metadata[_ANSWERED] = True
            return
        capture = Capture(wire.request(flow), began=wire.nanoseconds(flow.request.timestamp_start))
        self._under_way[flow.id] = _UnderWay(flow=flow, session=routed, capture=capture)

    async def _route(self, flow: http.HTTPFlow) -> _Session | http.Response:
        """The session that records this request, or our own answer to it."""
        assert self._settings is not None
        try:
            route = routing.take(flow, self._settings.hosts, user=self._users.get(flow.client_conn.id))
        except UsageError as error:
            return wire.refusal(str(error), status=400)
        name = route.session or self._settings.session
        if name is None:
            return wire.refusal(_NO_SESSION, status=400)
        if route.control:
            return await self._control(name, flow.request.method)
        flow.metadata[_SESSION] = name
        session = await self._start(name)
        if reason := self._amiss(session):
            return wire.refusal(reason)
        return session

    @_guard_sync
    def responseheaders(self, flow: http.HTTPFlow) -> None:
        assert flow.response is not None
        exchange = self._under_way.get(flow.id)
        if exchange is None:
            if not self._is_recorded(flow):
                flow.response.stream = True  # not ours: through, unread
            else:
                self._check_refused(flow)
            return
        at = wire.nanoseconds(flow.response.timestamp_start) - exchange.capture.began
        exchange.capture.respond(wire.response_head(flow), at=at)
        if flow.live and not wire.ends_with_headers(flow):  # those wait, unstreamed, for the `response` hook
            zero = time.monotonic_ns() - (time.time_ns() - exchange.capture.began)
            tee = Tee(
                exchange.capture,
                zero=zero,
                length=wire.announced_length(flow),
                watch=wire.terminal_watch(flow),
                failed=self.fail,
            )
            wire.frame_for_http1(flow)
            exchange.tee = flow.response.stream = tee

    @_guard
    async def response(self, flow: http.HTTPFlow) -> None:
        exchange = self._under_way.pop(flow.id, None)
        if exchange is None:
            if self._is_recorded(flow):
                self._check_refused(flow)
            return
        assert flow.response is not None
        if flow.response.status_code == 101:
            self._note(exchange.session, "a WebSocket was passed on and not recorded")
            return
        at = wire.nanoseconds(flow.response.timestamp_end or time.time()) - exchange.capture.began
        body = b"" if exchange.tee else flow.response.raw_content
        if body is None:
            await self._record(exchange, exchange.capture.abort("the stored flow has no body", at=at))
        else:
            await self._record(exchange, exchange.capture.end(at=at, body=body, trailers=wire.trailers(flow)))

    @_guard
    async def error(self, flow: http.HTTPFlow) -> None:
        exchange = self._under_way.pop(flow.id, None)
        if exchange is not None:
            assert flow.error is not None
            at = wire.nanoseconds(flow.error.timestamp) - exchange.capture.began  # now; of a stored flow, back then
            await self._record(exchange, exchange.capture.abort(flow.error.msg, at=at))

    def _check_refused(self, flow: http.HTTPFlow) -> None:
        """Of an exchange that is not being recorded, nothing but an answer of our own may pass."""
        if flow.metadata.get(_ANSWERED):
            return
        if not self._reason(flow):
            raise ProxyError("a response came to a request that had not been seen")
        self.refuse(flow)

    async def _record(self, exchange: _UnderWay, captured: Exchange) -> None:
        session = exchange.session
        assert session.writing is not None
        try:
            recorded = await session.writing.record(captured)
        except RecorderError as error:
            self._fail_session(session, error)
            self.refuse(exchange.flow)
            return
        if not (self._broken or session.failure):  # another exchange may have failed it meanwhile: this one is not told
            self._on_recorded(recorded)

    def _note(self, session: _Session, text: str) -> None:
        assert session.writing is not None
        logger.warning("recorder: %s", text)
        session.writing.note(text)

    def _is_recorded(self, flow: http.HTTPFlow) -> bool:
        assert self._settings is not None
        port = flow.request.port
        return any(self._settings.records(name, port) for name in (flow.request.host, flow.request.pretty_host))

    @_guard_sync
    def server_connect(self, data: ServerConnectionHookData) -> None:
        assert self._settings is not None
        if data.server.address is None:
            return
        host, port = data.server.address[:2]
        for rule in self._settings.connect_to:
            if rule.matches(host, port):
                data.server.address = connections.Elsewhere((rule.to_host, rule.to_port), meant=data.server.address)
                return

    # Sessions

    async def _start(self, name: str) -> _Session:
        """The session of that name, started if it has not been."""
        session = self._sessions.get(name)
        if session is None:
            session = self._sessions[name] = _Session(name=name)
            if not self._amiss(session):
                session.started = asyncio.ensure_future(self._open(name))
        await self._has_started(session)
        return session

    async def _has_started(self, session: _Session) -> None:
        if session.started is None or session.writing or session.failure:
            return
        try:
            session.writing = await asyncio.shield(session.started)
        except RecorderError as error:
            self._fail_session(session, error)

    async def _open(self, name: str) -> Sink:
        """Where a session's exchanges go."""
        assert self._recordings is not None
        return Writing(await self._threads.on_disk(self._recordings.start, name), self._threads)

    async def _close(self, session: _Session) -> Summary | None:
        """Nothing more goes there."""
        assert self._recordings is not None
        if self._broken or session.failure:
            await self._threads.on_disk(self._recordings.abandon, session.name)
            return None
        return await self._threads.on_disk(self._recordings.stop, session.name)

    async def _control(self, name: str, method: str) -> http.Response:
        """`PUT /~NAME` starts a session, `GET` tells how it stands, `DELETE` stops it and tells what it came to."""
        assert self._recordings is not None
        if method == "PUT":
            await self._start(name)
        session = self._sessions.get(name)
        if session is None:
            return wire.refusal(f"expected a session that has been started, found none named {name!r}", status=404)
        if method not in ("GET", "PUT", "DELETE"):
            return wire.refusal(f"expected GET, PUT or DELETE for a session, found {method}", status=405)
        if reason := self._amiss(session):
            if method == "DELETE" and session.failure:
                await self._end(session)
            return wire.refusal(reason)
        if method == "DELETE":
            summary = await self._end(session)
            return wire.json_answer(summary.as_json()) if summary else wire.refusal(self._amiss(session) or "")
        assert session.writing is not None
        return wire.json_answer(session.writing.summary.as_json())

    async def _end(self, session: _Session) -> Summary | None:
        """Let its streams finish, write what is left of them as incomplete, put the cassette in order.

        None if the session failed.
        """
        assert self._settings is not None
        session.stopping = True
        await self._has_started(session)
        await self._drain(session, self._settings.grace)
        for exchange in [exchange for exchange in self._under_way.values() if exchange.session is session]:
            if self._under_way.pop(exchange.flow.id, None) is None:
                continue  # it has ended by itself while another one was being written
            connections.cut(exchange.flow)
            at = time.time_ns() - exchange.capture.began
            await self._record(exchange, exchange.capture.abort("the recorder was stopped", at=at))
        summary = None
        try:
            if session.writing:
                await session.writing.finish()  # what is still being written may fail, too
            summary = await self._close(session)
        except RecorderError as error:
            self._fail_session(session, error)
        finally:
            self._sessions.pop(session.name, None)
        if summary is not None:
            self._on_stopped(summary)
        return summary

    async def _drain(self, session: _Session, grace: float) -> None:
        deadline = time.monotonic() + grace
        while time.monotonic() < deadline:
            writing = session.writing is not None and session.writing.pending
            if not writing and all(exchange.session is not session for exchange in self._under_way.values()):
                return
            with suppress(TimeoutError):
                await asyncio.wait_for(self._hurry.wait(), 0.02)
                return

    # Failure

    def fail(self, error: BaseException) -> None:
        """Nothing is recorded any more: say so once, cut what is under way, refuse what comes."""
        if self._broken is not None:
            return
        expected = isinstance(error, RecorderError)
        self._broken = str(error) if expected else f"internal error: {error!r}"
        self.failure = self.failure or self._broken
        logger.error("recorder: the session failed: %s", self._broken, exc_info=None if expected else error)
        self._cut(list(self._under_way.values()))

    def _fail_session(self, session: _Session, error: RecorderError) -> None:
        """The same for one session; the others go on."""
        if session.failure or self._broken:
            return
        session.failure = str(error)
        self.failure = self.failure or session.failure
        logger.error("recorder: session %s failed: %s", session.name, session.failure)
        self._cut([exchange for exchange in self._under_way.values() if exchange.session is session])

    def _cut(self, exchanges: list[_UnderWay]) -> None:
        for exchange in exchanges:
            if self._under_way.pop(exchange.flow.id, None) is None:
                continue  # it has ended by itself while another one was being written
            connections.cut(exchange.flow)

    def _crashed(self, error: BaseException) -> None:
        """The handler of some connection has died, and its client would wait for ever; which one, nobody says."""
        self.fail(error)
        for handler in list(connections.handlers().values()):
            connections.reset(handler)

    def _amiss(self, session: _Session | None) -> str | None:
        """Why this session's requests are refused, None if they are not."""
        failure = self._broken or (session.failure if session else None)
        stopping = self._stopping or (session is not None and session.stopping)
        return failure or ("the recorder is stopping" if stopping else None)

    def _reason(self, flow: http.HTTPFlow) -> str | None:
        return self._amiss(self._sessions.get(flow.metadata.get(_SESSION, "")))

    def refuse(self, subject: http.HTTPFlow | ServerConnectionHookData) -> None:
        """See to it that the client does not take this flow's response for a good one, or that nothing is connected."""
        if isinstance(subject, ServerConnectionHookData):
            subject.server.error = self.failure
        else:
            self._refuse(subject)

    def _refuse(self, flow: http.HTTPFlow) -> None:
        if not flow.live or not self._is_recorded(flow):
            return
        if flow.response is not None and flow.response.stream:  # its headers have gone out
            connections.cut(flow)
            if flow.killable:
                flow.kill()
        else:  # again in each hook: mitmproxy puts the upstream's body into a response that was refused at its headers
            flow.response = wire.refusal(self._reason(flow) or "the recorder is stopping")

    # Stopping

    def hurry(self) -> None:
        """Wait no longer for the streams under way."""
        self._hurry.set()

    async def done(self) -> None:
        """End every session: see `_end`."""
        try:
            if self._recordings is not None and not self._stopping:
                await self._stop(self._recordings)
            self._leave()
        except Exception as error:  # noqa: BLE001 - mitmproxy would log it and exit with status 0
            self.fail(error)
            self._leave()

    def _leave(self) -> None:
        """In mitmdump a failed session can end the process with status 1 in no other way."""
        if self.failure and self._in_mitmdump:
            sys.exit(1)
        logging.getLogger("mitmproxy").removeHandler(self._own_errors)

    async def _stop(self, recordings: Recordings) -> None:
        self._stopping = True
        for name in recordings.names():  # one that was started before us may have had no request
            self._sessions.setdefault(name, _Session(name=name))
        await asyncio.gather(*map(self._end, list(self._sessions.values())))
        self._threads.close()
        recordings.close()


_NO_SESSION = (
    "expected a request that names its session, found none: by the proxy's user (http://NAME@127.0.0.1:PORT), "
    f"the path (/~NAME/…) or the header {routing.SESSION_HEADER}; or start the recorder with --session"
)


def _from_options() -> Settings:
    options = ctx.options
    return Settings(
        session=check_name(options.session or name_for(time.time())),
        cassette_dir=Path(options.cassette_dir),
        hosts=setting.parse_hosts(options.record_hosts),
        layout=setting.parse_layout(options.layout),
        keep_headers=setting.parse_headers(options.keep_headers),
        allow_opaque=options.allow_opaque,
        rules=nearest(Path.cwd()).rules,  # a rule that keeps a secret out holds however the recorder is started
    )


def _configure_mitmdump(settings: Settings) -> None:
    """Open the recorded hosts only, make an unreachable one an ordinary 502, and leave it to us to say what passed; the
    user's own choices stand."""
    options = ctx.options
    if not options.allow_hosts and not options.ignore_hosts:
        options.update(allow_hosts=[host.pattern for host in settings.hosts])
    if not options.has_changed("connection_strategy"):
        options.update(connection_strategy="lazy")
    if "flow_detail" in options and not options.has_changed("flow_detail"):
        # mitmdump's own lines show URLs as they were sent, keys and all.
        options.update(flow_detail=0)


def _log_recorded(recorded: Recorded) -> None:
    logger.info("recorded %s", recorded.line())


def _log_summary(summary: Summary) -> None:
    logger.info("recorder: %s: %s", summary.path, summary.line())
