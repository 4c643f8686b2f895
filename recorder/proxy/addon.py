"""The recording addon: mitmproxy's hooks → captures → the recordings. It fails closed.

An exception in one of mitmproxy's hooks is logged and traffic goes on; so here every hook is guarded. What goes wrong
with one session's cassette fails that session, anything else all of them (`failure_policy`): requests get 502 with the
reason, streams under way are cut, and the process ends with exit status 1.

What takes time (a large body's scrubbing, writing, fsync) happens on threads; the end of that one response waits.
"""

from __future__ import annotations

import functools
import logging
import os
import secrets
import sys
import time
from collections.abc import Awaitable, Callable
from typing import NoReturn, TypeVar

from mitmproxy import ctx, http
from mitmproxy.addonmanager import Loader
from mitmproxy.connection import Client
from mitmproxy.proxy.server_hooks import ServerConnectionHookData

from recorder.errors import ProxyError, RecorderError, UsageError
from recorder.proxy import connections, flow_values, mitmdump_options, routing, tape_response
from recorder.proxy.failure_policy import FailurePolicy
from recorder.proxy.hook_errors import OwnErrors
from recorder.proxy.live_sessions import LiveSessions, is_playing
from recorder.proxy.patches import table
from recorder.proxy.tee import Tee
from recorder.proxy.under_way import ExchangeUnderWay, LiveSession, UnderWay
from recorder.proxy.write_queue import Threads
from recorder.session import control_client
from recorder.session import settings as setting
from recorder.session.playback import Answer
from recorder.session.recording import Recorded, Summary
from recorder.session.session_table import Recordings, Started
from recorder.session.settings import Mode, Settings
from recorder.wire.exchange import Capture, Exchange

logger = logging.getLogger(__name__)

# Seconds after which a thread that computes lets the event loop go on. Python's 5 ms come anew after each system call,
# so that a piece of a stream, which takes a few, would be 20 ms late while a body of 8 MB is scrubbed.
_TURN = 0.0005

# Keys of `flow.metadata`, mitmproxy's place for what addons know of a flow.
_SESSION = "recorder.session"
_ANSWERED = "recorder.answered"
"""The answer is our own; no upstream is asked."""
_FORWARDED = "recorder.forwarded"
"""It goes upstream and is not recorded, as the user has asked."""


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
    `on_replayed` of each answer from a tape, `on_stopped` of what each session came to.
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
        self._users: dict[str, str] = {}  # by the client connection's id, from its CONNECT
        self._asking: dict[str, Started] = {}  # by the same, the session whose request last went upstream
        self._under_way = UnderWay()
        self._failures = FailurePolicy(self._under_way)
        self._threads = Threads()
        self._own_errors = OwnErrors(self._failures.fail_connections)
        self._sessions = None if settings is None or recordings is None else self._live(settings, recordings)

    @property
    def failure(self) -> str | None:
        """What went wrong first, None as long as nothing has."""
        return self._failures.first

    def _live(self, settings: Settings, recordings: Recordings) -> LiveSessions:
        return LiveSessions(
            recordings,
            threads=self._threads,
            under_way=self._under_way,
            failures=self._failures,
            grace=settings.grace,
            refuse=self._refuse,
            on_recorded=self._on_recorded,
            on_stopped=self._on_stopped,
        )

    # Start-up

    def load(self, loader: Loader) -> None:
        try:
            table.install()
        except ProxyError as error:
            _refuse_to_start(error, self._mode if self._in_mitmdump else None)
        sys.setswitchinterval(_TURN)
        logging.getLogger("mitmproxy").addHandler(self._own_errors)
        if not self._in_mitmdump:
            return
        mitmdump_options.declare(loader, self._mode)

    def configure(self, updated: set[str]) -> None:  # noqa: ARG002 - a session's settings do not change under it
        if self._sessions is not None:
            return
        try:
            settings = self._settings = mitmdump_options.settings()
            recordings = Recordings(
                settings, clock=time.time_ns, salts=functools.partial(secrets.token_bytes, 16), environ=os.environ
            )
            assert settings.session is not None
            recordings.start(settings.session)
        except RecorderError as error:
            _refuse_to_start(error, self._mode if self._in_mitmdump else None)
        self._sessions = self._live(settings, recordings)
        mitmdump_options.open_recorded_only(settings)

    # The path of an exchange

    @_guard_sync
    def http_connect(self, flow: http.HTTPFlow) -> None:
        assert self._settings is not None
        if self._settings.is_offline and not self._is_recorded(flow):
            flow.response = flow_values.refusal(self._settings.offline_reason(flow.request.host))
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
        assert self._settings is not None
        if self._settings.is_offline:
            _answer(flow, flow_values.refusal(self._settings.offline_reason(flow.request.pretty_host)))
        else:
            flow.request.stream = True

    @_guard
    async def request(self, flow: http.HTTPFlow) -> None:
        if not self._is_recorded(flow):
            return
        assert self._sessions is not None
        routed = await self._route(flow)
        if isinstance(routed, http.Response):
            _answer(flow, routed)
            return
        asked = flow_values.request(flow)
        course, miss = await self._sessions.ask(routed, asked)
        if reason := self._failures.reason(routed):  # meanwhile
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
                self._under_way.add(ExchangeUnderWay(flow=flow, session=routed, capture=capture))
            else:
                flow.metadata[_FORWARDED] = True

    def _play(self, session: LiveSession, flow: http.HTTPFlow, answer: Answer) -> None:
        zero = time.monotonic_ns() - (time.time_ns() - flow_values.nanoseconds(flow.request.timestamp_start))
        tape_response.respond(flow, answer, clock=lambda: time.monotonic_ns() - zero)
        flow.metadata[_ANSWERED] = True
        if answer.delivery is not None and answer.delivery.lasts:
            session.playing = [playing for playing in session.playing if is_playing(playing)]
            session.playing.append(flow)
        self._on_replayed(answer)

    async def _route(self, flow: http.HTTPFlow) -> LiveSession | http.Response:
        """The session that records this request, or our own answer to it."""
        assert self._settings is not None
        assert self._sessions is not None
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
            return await self._sessions.control(name, flow.request.method, mode)
        flow.metadata[_SESSION] = name
        session = await self._sessions.start(name)
        if reason := self._failures.reason(session):
            return flow_values.refusal(reason)
        return session

    @_guard_sync
    def responseheaders(self, flow: http.HTTPFlow) -> None:
        assert flow.response is not None
        exchange = self._under_way.get(flow)
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
                failed=self._failures.fail,
            )
            flow_values.frame_for_http1(flow)
            exchange.tee = flow.response.stream = tee

    @_guard
    async def response(self, flow: http.HTTPFlow) -> None:
        exchange = self._under_way.pop(flow)
        if exchange is None:
            if self._is_recorded(flow):
                self._check_refused(flow)
            return
        assert flow.response is not None
        if flow.response.status_code == 101:
            assert exchange.session.writing is not None
            logger.warning("recorder: a WebSocket was passed on and not recorded")
            exchange.session.writing.note("a WebSocket was passed on and not recorded")
            return
        at = flow_values.nanoseconds(flow.response.timestamp_end or time.time()) - exchange.capture.began
        body = b"" if exchange.tee else flow.response.raw_content
        if body is None:
            captured = exchange.capture.abort("the stored flow has no body", at=at)
        else:
            captured = exchange.capture.end(at=at, body=body, trailers=flow_values.trailers(flow))
        await self._record(exchange, captured)

    @_guard
    async def error(self, flow: http.HTTPFlow) -> None:
        exchange = self._under_way.pop(flow)
        if exchange is not None:
            assert flow.error is not None
            # Now; of a stored flow, back then.
            at = flow_values.nanoseconds(flow.error.timestamp) - exchange.capture.began
            await self._record(exchange, exchange.capture.abort(flow.error.msg, at=at))

    async def _record(self, exchange: ExchangeUnderWay, captured: Exchange) -> None:
        assert self._sessions is not None
        await self._sessions.record(exchange, captured)

    def _check_refused(self, flow: http.HTTPFlow) -> None:
        """Of an exchange that is not being recorded, nothing but an answer of our own may pass."""
        if flow.metadata.get(_ANSWERED) or flow.metadata.get(_FORWARDED):
            return
        if not self._reason(flow):
            raise ProxyError("a response came to a request that had not been seen")
        self.refuse(flow)

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
        elif self._settings.is_offline:
            data.server.error = self._settings.offline_reason(data.server.address[0])
            return
        host, port = data.server.address[:2]
        for rule in self._settings.connect_to:
            if rule.matches(host, port):
                data.server.address = connections.Elsewhere((rule.to_host, rule.to_port), meant=data.server.address)
                return

    # Failure

    def fail(self, error: BaseException) -> None:
        """Nothing is recorded any more, of whatever session."""
        self._failures.fail(error)

    def _reason(self, flow: http.HTTPFlow) -> str | None:
        name = flow.metadata.get(_SESSION, "")
        return self._failures.reason(self._sessions.get(name) if self._sessions else None)

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

    def force_shutdown(self) -> None:
        """Wait no longer for the streams under way."""
        if self._sessions is not None:
            self._sessions.force_shutdown()

    async def done(self) -> None:
        """End every session."""
        try:
            if self._sessions is not None and not self._failures.stopping:
                self._failures.stopping = True
                await self._sessions.end_all()
            self._leave()
        except Exception as error:  # noqa: BLE001 - mitmproxy would log it and exit with status 0
            self.fail(error)
            self._leave()

    def _leave(self) -> None:
        """In mitmdump a session that failed, or a replay that fell short, can end it with status 1 in no other way."""
        receipts = self._sessions.receipts if self._sessions else []
        if self._in_mitmdump and (mitmdump_options.fall_short(receipts, failed=self.fail) or self.failure):
            sys.exit(1)
        logging.getLogger("mitmproxy").removeHandler(self._own_errors)


_NO_SESSION = (
    "expected a request that names its session, found none: by the proxy's user (http://NAME:x@127.0.0.1:PORT), "
    f"the path (/~NAME/…) or the header {control_client.SESSION_HEADER}; or start the recorder with --session"
)


def _refuse_to_start(error: RecorderError, mitmdump: Mode | None) -> NoReturn:
    """`mitmdump`: the mode of its script, None in a recorder's own process."""
    if mitmdump is None:
        raise error
    # One line and the end; raised, it would be a traceback in mitmproxy's log, and mitmdump would go on.
    print(f"{mitmdump}: {error}", file=sys.stderr)  # noqa: T201
    sys.exit(error.exit_code)


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


def _log_summary(summary: Summary) -> None:
    logger.info("recorder: %s: %s", summary.path, summary.line())
