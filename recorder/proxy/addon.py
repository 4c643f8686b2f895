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
from dataclasses import dataclass, field
from typing import NoReturn, TypeVar

from mitmproxy import ctx, http
from mitmproxy.addonmanager import Loader
from mitmproxy.connection import Client, ConnectionState
from mitmproxy.proxy.server_hooks import ServerConnectionHookData

from recorder.errors import ProxyError, RecorderError, UsageError
from recorder.proxy import connections, flow_values, mitmdump_options, routing, tape_response
from recorder.proxy.hook_errors import OwnErrors
from recorder.proxy.patches import table
from recorder.proxy.tee import Tee
from recorder.proxy.write_queue import Threads, Writing
from recorder.replay.matching import Miss
from recorder.replay.policy import OnMiss, Playing
from recorder.replay.receipt import Receipt
from recorder.session import control_client
from recorder.session import settings as setting
from recorder.session.playback import Answer
from recorder.session.recording import Recorded, Summary
from recorder.session.session_table import Course, Recordings, Started
from recorder.session.settings import Mode, Settings
from recorder.wire.exchange import Capture, Exchange, WireRequest

logger = logging.getLogger(__name__)

_SMALL = 8 * 1024  # bytes of a body that is matched at once; a thread would take as long
# Seconds after which a thread that computes lets the event loop go on. Python's 5 ms come anew after each system call,
# so that a piece of a stream, which takes a few, would be 20 ms late while a body of 8 MB is scrubbed.
_TURN = 0.0005

# Keys of `flow.metadata`, mitmproxy's place for what addons know of a flow.
_SESSION = "recorder.session.registry"
_ANSWERED = "recorder.answered"
"""The answer is our own; no upstream is asked."""
_FORWARDED = "recorder.forwarded"
"""It goes upstream and is not recorded, as the user has asked."""


@dataclass(slots=True, kw_only=True, eq=False)
class _Session:
    """`starting`: done when it has started; `ending`: there when it is to end, done when it has. `failure`: why it
    serves no more. `started`: there once it has; `writing`: too, if it records. `playing`: the flows whose answers take
    their time.
    """

    name: str
    starting: asyncio.Future[tuple[Started, Writing | None]] | None = None
    failure: str | None = None
    ending: asyncio.Future[Summary | None] | None = None
    started: Started | None = None
    writing: Writing | None = None
    playing: list[http.HTTPFlow] = field(default_factory=list)


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
    """Records and replays sessions: those that it is given, as `recorder start` does, or by mitmdump's options.

    `mode`: of a session in mitmdump that is told none. `on_recorded` is told of each exchange that is on disk,
    `on_replayed` of each answer from a tape, `on_stopped` of what each session came to. `failure` is what went wrong
    first, None as long as nothing has.
    """

    def __init__(
        self,
        settings: Settings | None = None,
        recordings: Recordings | None = None,
        *,
        mode: Mode = Mode.RECORD,
        on_recorded: Callable[[Recorded], None] | None = None,
        on_replayed: Callable[[Answer], None] | None = None,
        on_stopped: Callable[[Summary], None] | None = None,
    ) -> None:
        self._settings = settings
        self._in_mitmdump = recordings is None
        self._mode = mode
        self._on_recorded = on_recorded or _log_recorded
        self._on_replayed = on_replayed or _log_replayed
        self._on_stopped = on_stopped or _log_summary
        self._recordings = recordings
        self._sessions: dict[str, _Session] = {}
        self._users: dict[str, str] = {}  # by the client connection's id, from its CONNECT
        self._asking: dict[str, Started] = {}  # by the same, the session whose request last went upstream
        self._under_way: dict[str, _UnderWay] = {}
        self._receipts: list[Receipt] = []
        self._threads = Threads()
        self._stopping = False
        self._hurry = asyncio.Event()
        self._own_errors = OwnErrors(self._crashed)
        self._broken: str | None = None  # why nothing at all is recorded any more
        self.failure: str | None = None

    # Start-up

    def load(self, loader: Loader) -> None:
        try:
            table.install()
        except ProxyError as error:
            self._refuse_to_start(error)
        sys.setswitchinterval(_TURN)
        logging.getLogger("mitmproxy").addHandler(self._own_errors)
        if not self._in_mitmdump:
            return
        mitmdump_options.declare(loader, self._mode)

    def configure(self, updated: set[str]) -> None:  # noqa: ARG002 - a session's settings do not change under it
        if self._recordings is not None:
            return
        try:
            settings = self._settings = mitmdump_options.settings()
            self._recordings = Recordings(
                settings, clock=time.time_ns, salts=functools.partial(secrets.token_bytes, 16), environ=os.environ
            )
            assert settings.session is not None
            self._recordings.start(settings.session)
        except RecorderError as error:
            self._refuse_to_start(error)
        mitmdump_options.open_recorded_only(settings)

    def _refuse_to_start(self, error: RecorderError) -> NoReturn:
        if not self._in_mitmdump:
            raise error
        # One line and the end; raised, it would be a traceback in mitmproxy's log, and mitmdump would go on.
        print(f"{self._mode}: {error}", file=sys.stderr)  # noqa: T201
        sys.exit(error.exit_code)

    # The path of an exchange

    @_guard_sync
    def http_connect(self, flow: http.HTTPFlow) -> None:
        if self._is_offline() and not self._is_recorded(flow):
            flow.response = flow_values.refusal(self._offline_words(flow.request.host))
            return
        # Who has mitmdump ask for a user and a password means people by them.
        if (user := routing.proxy_user(flow.request.headers)) and not getattr(ctx.options, "proxyauth", None):
            self._users[flow.client_conn.id] = user

    def client_disconnected(self, client: Client) -> None:
        self._users.pop(client.id, None)
        self._asking.pop(client.id, None)

    @_guard_sync
    def requestheaders(self, flow: http.HTTPFlow) -> None:
        if self._is_recorded(flow):
            return
        if self._is_offline():
            _answer(flow, flow_values.refusal(self._offline_words(flow.request.pretty_host)))
        else:
            flow.request.stream = True

    @_guard
    async def request(self, flow: http.HTTPFlow) -> None:
        if not self._is_recorded(flow):
            return
        routed = await self._route(flow)
        if isinstance(routed, http.Response):
            _answer(flow, routed)
            return
        asked = flow_values.request(flow)
        course, miss = await self._ask(routed, asked)
        if reason := self._amiss(routed):  # meanwhile
            _answer(flow, flow_values.refusal(reason))
        elif course.answer is not None:
            self._play(routed, flow, course.answer)
        elif not course.upstream:
            assert miss is not None
            _answer(flow, tape_response.missed(miss))
        else:
            assert routed.started is not None
            self._asking[flow.client_conn.id] = routed.started
            if course.recorded:
                capture = Capture(asked, began=flow_values.nanoseconds(flow.request.timestamp_start))
                self._under_way[flow.id] = _UnderWay(flow=flow, session=routed, capture=capture)
            else:
                flow.metadata[_FORWARDED] = True

    async def _ask(self, session: _Session, asked: WireRequest) -> tuple[Course, Miss | None]:
        """What becomes of a request. Where that takes time, for its size or to explain a miss, on a thread."""
        started = session.started
        assert started is not None
        course = started.ask(asked) if len(asked.body) <= _SMALL else await self._threads.compute(started.ask, asked)
        if not course.missed:
            return course, None
        miss = await self._threads.compute(started.missed, asked)
        logger.warning("recorder: missed in %s: %s", session.name, miss)
        return course, miss

    def _play(self, session: _Session, flow: http.HTTPFlow, answer: Answer) -> None:
        zero = time.monotonic_ns() - (time.time_ns() - flow_values.nanoseconds(flow.request.timestamp_start))
        tape_response.respond(flow, answer, clock=lambda: time.monotonic_ns() - zero)
        flow.metadata[_ANSWERED] = True
        if answer.delivery is not None and answer.delivery.lasts:
            session.playing = [playing for playing in session.playing if _is_playing(playing)]
            session.playing.append(flow)
        self._on_replayed(answer)

    async def _route(self, flow: http.HTTPFlow) -> _Session | http.Response:
        """The session that records this request, or our own answer to it."""
        assert self._settings is not None
        try:
            route = routing.take(flow, self._settings.hosts, user=self._users.get(flow.client_conn.id))
            told = flow.request.headers.get(control_client.MODE_HEADER) if route.control else None
            mode = None if told is None else setting.parse_mode(told)
        except UsageError as error:
            return flow_values.refusal(str(error), status=400)
        name = route.session or self._settings.session
        if name is None:
            return flow_values.refusal(_NO_SESSION, status=400)
        if route.control:
            return await self._control(name, flow.request.method, mode)
        flow.metadata[_SESSION] = name
        session = await self._start(name)
        if reason := self._amiss(session):
            return flow_values.refusal(reason)
        return session

    @_guard_sync
    def responseheaders(self, flow: http.HTTPFlow) -> None:
        assert flow.response is not None
        exchange = self._under_way.get(flow.id)
        if exchange is None:
            if flow.metadata.get(_FORWARDED) or not (self._is_recorded(flow) or flow.metadata.get(_ANSWERED)):
                flow.response.stream = True  # not ours: through, unread
            else:
                self._check_refused(flow)
            return
        at = flow_values.nanoseconds(flow.response.timestamp_start) - exchange.capture.began
        exchange.capture.respond(flow_values.response_head(flow), at=at)
        if flow.live and not flow_values.ends_with_headers(flow):  # those wait, unstreamed, for the `response` hook
            zero = time.monotonic_ns() - (time.time_ns() - exchange.capture.began)
            tee = Tee(
                exchange.capture,
                zero=zero,
                length=flow_values.announced_length(flow),
                watch=flow_values.terminal_watch(flow),
                failed=self.fail,
            )
            flow_values.frame_for_http1(flow)
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
        at = flow_values.nanoseconds(flow.response.timestamp_end or time.time()) - exchange.capture.began
        body = b"" if exchange.tee else flow.response.raw_content
        if body is None:
            await self._record(exchange, exchange.capture.abort("the stored flow has no body", at=at))
        else:
            await self._record(exchange, exchange.capture.end(at=at, body=body, trailers=flow_values.trailers(flow)))

    @_guard
    async def error(self, flow: http.HTTPFlow) -> None:
        exchange = self._under_way.pop(flow.id, None)
        if exchange is not None:
            assert flow.error is not None
            at = (
                flow_values.nanoseconds(flow.error.timestamp) - exchange.capture.began
            )  # now; of a stored flow, back then
            await self._record(exchange, exchange.capture.abort(flow.error.msg, at=at))

    def _check_refused(self, flow: http.HTTPFlow) -> None:
        """Of an exchange that is not being recorded, nothing but an answer of our own may pass."""
        if flow.metadata.get(_ANSWERED) or flow.metadata.get(_FORWARDED):
            return
        if not self._reason(flow):
            raise ProxyError("a response came to a request that had not been seen")
        self.refuse(flow)

    async def _record(self, exchange: _UnderWay, captured: Exchange) -> None:
        session = exchange.session
        assert session.writing is not None
        try:
            recorded = await session.writing.record(captured, alone=not self._under_way)
        except RecorderError as error:
            self._fail_session(session, error)
            self.refuse(exchange.flow)
            return
        # When its end has gone out to the client: whoever waits for that does not wait for this.
        asyncio.get_running_loop().call_soon(self._tell, session, recorded)

    def _tell(self, session: _Session, recorded: Recorded) -> None:
        if self._broken or session.failure:  # another exchange may have failed it meanwhile: this one is not told
            return
        try:
            self._on_recorded(recorded)
        except Exception as error:  # noqa: BLE001 - no hook is guarded around it any more
            self.fail(error)

    def _note(self, session: _Session, text: str) -> None:
        assert session.writing is not None
        logger.warning("recorder: %s", text)
        session.writing.note(text)

    def _is_recorded(self, flow: http.HTTPFlow) -> bool:
        assert self._settings is not None
        request, records = flow.request, self._settings.records
        return records(request.host, request.port) or records(request.pretty_host, request.port)

    @_guard_sync
    def server_connect(self, data: ServerConnectionHookData) -> None:
        assert self._settings is not None
        if data.server.address is None:
            return
        asking = self._asking.get(data.client.id)
        if asking is not None:
            asking.connected()
        elif self._is_offline():
            data.server.error = self._offline_words(data.server.address[0])
            return
        host, port = data.server.address[:2]
        for rule in self._settings.connect_to:
            if rule.matches(host, port):
                data.server.address = connections.Elsewhere((rule.to_host, rule.to_port), meant=data.server.address)
                return

    def _is_offline(self) -> bool:
        """Whether no upstream may be asked, but for a session that is in another mode than the recorder."""
        assert self._settings is not None
        on_miss = (self._settings.playing or Playing()).on_miss
        return self._settings.mode is Mode.REPLAY and on_miss is OnMiss.ERROR

    def _offline_words(self, host: str) -> str:
        assert self._settings is not None
        hosts = ", ".join(host.name for host in self._settings.hosts)
        return f"in replay no connection is opened, and {host} is none of the recorded hosts ({hosts}); see --host"

    # Sessions

    async def _start(self, name: str, mode: Mode | None = None) -> _Session:
        """The session of that name, started if it has not been; `mode`: another than the recorder's own."""
        session = self._sessions.get(name)
        if session is None:
            session = self._sessions[name] = _Session(name=name)
            if not self._amiss(session):
                session.starting = asyncio.ensure_future(self._open(name, mode))
        await self._has_started(session)
        return session

    async def _has_started(self, session: _Session) -> None:
        if session.starting is None or session.started or session.failure:
            return
        try:
            session.started, session.writing = await asyncio.shield(session.starting)
        except RecorderError as error:
            self._fail_session(session, error)

    async def _open(self, name: str, mode: Mode | None) -> tuple[Started, Writing | None]:
        """Start a session; where its exchanges go, if it records."""
        assert self._recordings is not None
        started = await self._threads.on_disk(self._recordings.start, name, mode)
        return started, Writing(started.recording, self._threads) if started.recording else None

    async def _close(self, session: _Session) -> Summary | None:
        """Nothing more goes there."""
        assert self._recordings is not None
        if self._broken or session.failure:
            await self._threads.on_disk(self._recordings.abandon, session.name)
            return None
        return await self._threads.on_disk(self._recordings.stop, session.name)

    async def _control(self, name: str, method: str, mode: Mode | None) -> http.Response:
        """`PUT /~NAME` starts a session, `GET` tells how it stands, `DELETE` stops it and tells what it came to.

        `mode`: of a session that is not in the recorder's own.
        """
        assert self._recordings is not None
        if method == "PUT":
            found = (await self._start(name, mode)).started
            if found and mode not in (None, Mode.ONCE, found.mode):
                words = f"expected session {name} in mode {mode}, found it in mode {found.mode}"
                return flow_values.refusal(words, status=409)
        session = self._sessions.get(name)
        if session is None:
            return flow_values.refusal(
                f"expected a session that has been started, found none named {name!r}", status=404
            )
        if method not in ("GET", "PUT", "DELETE"):
            return flow_values.refusal(f"expected GET, PUT or DELETE for a session, found {method}", status=405)
        await self._has_started(session)  # it may be under way, for another request
        if method == "DELETE" and not (self._broken or self._stopping):
            summary = await self._end(session)
            return (
                flow_values.json_answer(summary.as_json())
                if summary
                else flow_values.refusal(self._amiss(session) or "")
            )
        if reason := self._amiss(session):
            return flow_values.refusal(reason)
        assert session.started is not None
        return flow_values.json_answer(session.started.summary.as_json())

    async def _end(self, session: _Session) -> Summary | None:
        """End a session, once: who asks for it again waits for the same end. None if the session failed."""
        return await asyncio.shield(self._begin_end(session))

    def _begin_end(self, session: _Session) -> asyncio.Future[Summary | None]:
        if session.ending is None:
            session.ending = asyncio.ensure_future(self._ended(session))
        return session.ending

    async def _ended(self, session: _Session) -> Summary | None:
        """Let its streams finish, write what is left of them as incomplete, put the cassette in order."""
        assert self._settings is not None
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
            self._receipts += [summary.receipt] if summary.receipt else []
            self._on_stopped(summary)
        return summary

    async def _drain(self, session: _Session, grace: float) -> None:
        deadline = time.monotonic() + grace
        while time.monotonic() < deadline:
            writing = session.writing is not None and session.writing.pending
            under_way = any(exchange.session is session for exchange in self._under_way.values())
            if not (writing or under_way or any(map(_is_playing, session.playing))):
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
        if failure or self._stopping:
            return failure or "the recorder is stopping"
        return f"session {session.name} is being stopped" if session and session.ending else None

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
            flow.response = flow_values.refusal(self._reason(flow) or "the recorder is stopping")

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
        """In mitmdump a session that failed, or a replay that fell short, can end it with status 1 in no other way."""
        if self._in_mitmdump and (self._falls_short() or self.failure):
            sys.exit(1)
        logging.getLogger("mitmproxy").removeHandler(self._own_errors)

    def _falls_short(self) -> bool:
        """Write the receipts, and tell whether the replay came to less than was demanded."""
        demands = mitmdump_options.demands()
        try:
            demands.write(self._receipts)
        except RecorderError as error:
            self.fail(error)
        return bool(demands.status(self._receipts))

    async def _stop(self, recordings: Recordings) -> None:
        self._stopping = True
        for name in recordings.names():  # one that was started before us may have had no request
            self._sessions.setdefault(name, _Session(name=name))
        await asyncio.gather(*map(self._end, list(self._sessions.values())))
        self._threads.close()
        recordings.close()


_NO_SESSION = (
    "expected a request that names its session, found none: by the proxy's user (http://NAME:x@127.0.0.1:PORT), "
    f"the path (/~NAME/…) or the header {control_client.SESSION_HEADER}; or start the recorder with --session"
)


def _log_recorded(recorded: Recorded) -> None:
    logger.info("recorded %s", recorded.line())


def _log_replayed(answer: Answer) -> None:
    logger.info("%s", answer.line())


def _answer(flow: http.HTTPFlow, response: http.Response) -> None:
    """Answer in the upstream's place."""
    if flow.request.method == "HEAD":
        response.raw_content = b""  # its length stays told; mitmproxy would send the body
    flow.response = response
    flow.metadata[_ANSWERED] = True


def _is_playing(flow: http.HTTPFlow) -> bool:
    return flow.live and flow.client_conn.state is not ConnectionState.CLOSED


def _log_summary(summary: Summary) -> None:
    logger.info("recorder: %s: %s", summary.path, summary.line())
