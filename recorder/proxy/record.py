"""The recording addon: mitmproxy's hooks → captures → the recording. It fails closed.

An exception in one of mitmproxy's hooks is logged and traffic goes on; so here every hook is guarded, and the first
thing that goes wrong fails the session: requests to recorded hosts get 502 with the reason, streams under way are cut,
and the process ends with exit status 1. Nothing passes unrecorded and unnoticed.

Everything that takes time (decoding, scrubbing, writing, fsync) happens on threads; the end of that one response waits.
"""

from __future__ import annotations

import asyncio
import functools
import logging
import os
import secrets
import socket
import struct
import sys
import time
import traceback
from collections.abc import Awaitable, Callable, Hashable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self, TypeVar

from mitmproxy import ctx, http
from mitmproxy.addonmanager import Loader
from mitmproxy.proxy.server import ConnectionHandler
from mitmproxy.proxy.server_hooks import ServerConnectionHookData

from recorder import settings as setting
from recorder.capture import Capture, Exchange
from recorder.config import nearest
from recorder.errors import ProxyError, RecorderError
from recorder.proxy import wire
from recorder.proxy.tee import Tee, deliver_held
from recorder.proxy.trailers import leave_trailers
from recorder.recording import Recorded, Recording, Summary
from recorder.session import check_name, name_for
from recorder.settings import Settings
from recorder.sse import TerminalWatch

logger = logging.getLogger(__name__)

_RESET = struct.pack("ii", 1, 0)  # linger on, for no time: close() sends a reset
_THREADS = 4  # one large body must not hold up the ends of the small ones
# Seconds after which a thread that computes lets the event loop go on. Python's 5 ms come anew after each system call,
# so that a piece of a stream, which takes a few, would be 20 ms late while a body of 8 MB is scrubbed.
_TURN = 0.0005


_OURS = Path(__file__).parents[1]


@dataclass(slots=True, kw_only=True)
class _UnderWay:
    flow: http.HTTPFlow
    capture: Capture
    tee: Tee | None = None


class _Elsewhere(tuple[str, int]):  # noqa: SLOT001 - CPython gives no subclass of tuple slots of its own
    """An address that leads elsewhere and is equal to the one that was meant, by which mitmproxy looks for connections.

    Otherwise each request that comes while the connection is being made, or after, opens one of its own, and the sixth
    waits for ever: five at once is mitmproxy's limit.
    """

    _meant: tuple[str, int]

    def __new__(cls, address: tuple[str, int], *, meant: tuple[str, int]) -> Self:
        made = super().__new__(cls, address)
        made._meant = meant
        return made

    def __eq__(self, other: object) -> bool:
        return self._meant == other

    def __ne__(self, other: object) -> bool:  # a tuple has its own
        return not self == other

    def __hash__(self) -> int:
        return hash(self._meant)


_Subject = TypeVar("_Subject", http.HTTPFlow, ServerConnectionHookData)


def _guard_sync(hook: Callable[[RecordAddon, _Subject], None]) -> Callable[[RecordAddon, _Subject], None]:
    @functools.wraps(hook)
    def guarded(addon: RecordAddon, subject: _Subject) -> None:
        try:
            hook(addon, subject)
        except Exception as error:  # noqa: BLE001 - whatever it is, the session fails closed
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


class _OwnErrors(logging.Handler):
    """Sees what no guard of ours can catch: mitmproxy logs an exception out of our code, and carries on.

    One that comes out of mitmproxy alone is its own business, and costs one connection.
    """

    def __init__(self, failed: Callable[[BaseException], None]) -> None:
        super().__init__(logging.ERROR)
        self._failed = failed

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info and record.exc_info[1] is not None:
            error = record.exc_info[1]
            files = (frame.f_code.co_filename for frame, _ in traceback.walk_tb(error.__traceback__))
            if any(Path(file).is_relative_to(_OURS) for file in files):
                self._failed(error)


class RecordAddon:
    """Records one session: the one it is given, as `recorder start` does, or the one that mitmdump's options name.

    `on_recorded` is told of each exchange that is on disk, `on_stopped` once of what the session came to. `failure` is
    why the session failed, None as long as it has not.
    """

    def __init__(
        self,
        settings: Settings | None = None,
        recording: Recording | None = None,
        *,
        on_recorded: Callable[[Recorded], None] | None = None,
        on_stopped: Callable[[Summary], None] | None = None,
    ) -> None:
        self._settings = settings
        self._in_mitmdump = recording is None
        self._on_recorded = on_recorded or _log_recorded
        self._on_stopped = on_stopped or _log_summary
        self._recording = recording
        self._under_way: dict[str, _UnderWay] = {}
        self._writing: set[asyncio.Future[Recorded]] = set()
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="record")
        self._stopping = False
        self._hurry = asyncio.Event()
        self._own_errors = _OwnErrors(self._crashed)
        self.failure: str | None = None

    # Start-up

    def load(self, loader: Loader) -> None:
        deliver_held()
        leave_trailers()
        sys.setswitchinterval(_TURN)
        logging.getLogger("mitmproxy").addHandler(self._own_errors)
        if not self._in_mitmdump:
            return
        loader.add_option("session", str, "", "Session to record; by default named after the time of the start.")
        loader.add_option("cassette_dir", str, setting.DEFAULT_CASSETTE_DIR, "Folder of the cassettes.")
        loader.add_option("record_hosts", str, setting.DEFAULT_HOST, "Hosts to record, parted by commas.")
        loader.add_option("layout", str, "", "Layout of a new cassette: go-vcr, seed or charm.")
        loader.add_option("allow_opaque", bool, False, "Also record bodies that cannot be searched for secrets.")
        loader.add_option("keep_headers", str, "", "Headers to keep beside the usual ones, parted by commas.")

    def configure(self, updated: set[str]) -> None:  # noqa: ARG002 - a session's settings do not change under it
        if self._recording is not None:
            return
        try:
            self._settings = _from_options()
            self._recording = Recording.start(
                self._settings, now=time.time_ns(), salt=secrets.token_bytes(16), environ=os.environ
            )
        except RecorderError as error:
            # One line and the end; raised, it would be a traceback in mitmproxy's log.
            print(f"record: {error}", file=sys.stderr)  # noqa: T201
            sys.exit(error.exit_code)
        _configure_mitmdump(self._settings)

    # The path of an exchange

    @_guard_sync
    def requestheaders(self, flow: http.HTTPFlow) -> None:
        if not self._is_recorded(flow):
            flow.request.stream = True

    @_guard_sync
    def request(self, flow: http.HTTPFlow) -> None:
        if not self._is_recorded(flow):
            return
        if reason := self.failure or (self._stopping and "the recorder is stopping"):
            flow.response = wire.refusal(reason)
            return
        began = wire.nanoseconds(flow.request.timestamp_start)
        self._under_way[flow.id] = _UnderWay(flow=flow, capture=Capture(wire.request(flow), began=began))

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
                watch=TerminalWatch() if wire.is_plain_event_stream(flow) else None,
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
            self._note("a WebSocket was passed on and not recorded")
            return
        at = wire.nanoseconds(flow.response.timestamp_end or time.time()) - exchange.capture.began
        body = b"" if exchange.tee else flow.response.raw_content
        if body is None:
            await self._record(exchange.capture.abort("the stored flow has no body", at=at))
        else:
            await self._record(exchange.capture.end(at=at, body=body, trailers=wire.trailers(flow)))

    @_guard
    async def error(self, flow: http.HTTPFlow) -> None:
        exchange = self._under_way.pop(flow.id, None)
        if exchange is not None:
            assert flow.error is not None
            at = wire.nanoseconds(flow.error.timestamp) - exchange.capture.began  # now; of a stored flow, back then
            await self._record(exchange.capture.abort(flow.error.msg, at=at))

    def _check_refused(self, flow: http.HTTPFlow) -> None:
        """Of an exchange that is not being recorded, nothing but our own refusal may pass."""
        if not _is_refusal(flow) and not self.failure and not self._stopping:
            raise ProxyError("a response came to a request that had not been seen")
        self.refuse(flow)

    async def _record(self, exchange: Exchange) -> None:
        assert self._recording is not None
        loop = asyncio.get_running_loop()
        writing = loop.run_in_executor(self._threads, self._recording.record, exchange)
        self._writing.add(writing)
        try:
            recorded = await asyncio.shield(writing)
        finally:
            self._writing.discard(writing)
        if not self.failure:  # another exchange may have failed the session meanwhile: then this one is not told of
            self._on_recorded(recorded)

    def _note(self, text: str) -> None:
        logger.warning("recorder: %s", text)
        if self._recording:
            self._recording.summary.notes.append(text)

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
                data.server.address = _Elsewhere((rule.to_host, rule.to_port), meant=data.server.address)
                return

    # Failure

    def fail(self, error: BaseException) -> None:
        """The session has failed: say so once, cut what is under way, refuse what comes."""
        if self.failure is not None:
            return
        expected = isinstance(error, RecorderError)
        self.failure = str(error) if expected else f"internal error: {error!r}"
        logger.error("recorder: the session failed: %s", self.failure, exc_info=None if expected else error)
        under_way = list(self._under_way.values())
        self._under_way.clear()
        for exchange in under_way:
            _cut(exchange.flow)

    def _crashed(self, error: BaseException) -> None:
        """The handler of some connection has died, and its client would wait for ever; which one, nobody says."""
        self.fail(error)
        for handler in list(_handlers().values()):
            _reset(handler)

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
            _cut(flow)
            if flow.killable:
                flow.kill()
        else:  # again in each hook: mitmproxy puts the upstream's body into a response that was refused at its headers
            flow.response = wire.refusal(self.failure or "the recorder is stopping")

    # Stopping

    def hurry(self) -> None:
        """Wait no longer for the streams under way."""
        self._hurry.set()

    async def done(self) -> None:
        """Let the streams under way finish, write what is left of them as incomplete, put the cassette in order."""
        try:
            if self._recording is not None and not self._stopping:
                await self._stop(self._recording)
        except Exception as error:  # noqa: BLE001 - mitmproxy would log it and exit with status 0
            self.fail(error)
        logging.getLogger("mitmproxy").removeHandler(self._own_errors)
        if self.failure and self._in_mitmdump:
            sys.exit(1)

    async def _stop(self, recording: Recording) -> None:
        assert self._settings is not None
        self._stopping = True
        await self._drain(self._settings.grace)
        under_way = list(self._under_way.values())
        self._under_way.clear()
        for exchange in under_way:
            _cut(exchange.flow)
            at = time.time_ns() - exchange.capture.began
            await self._record(exchange.capture.abort("the recorder was stopped", at=at))
        self._threads.shutdown()
        if self.failure:
            recording.close()
        else:
            self._on_stopped(recording.stop())

    async def _drain(self, grace: float) -> None:
        deadline = time.monotonic() + grace
        while (self._under_way or self._writing) and time.monotonic() < deadline:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._hurry.wait(), 0.02)
                return


def _is_refusal(flow: http.HTTPFlow) -> bool:
    return flow.response is not None and wire.REFUSED in flow.response.headers


def _cut(flow: http.HTTPFlow) -> None:
    """Reset the client's connection: no client may take an orderly close for the end of its response."""
    if flow.response is not None and isinstance(flow.response.stream, Tee):
        flow.response.stream.shut = True
    if handler := _handlers().get(flow.client_conn.id):
        _reset(handler)


def _handlers() -> Mapping[Hashable, ConnectionHandler]:
    proxy = ctx.master.addons.get("proxyserver")
    return proxy.connections if proxy else {}


def _reset(handler: ConnectionHandler) -> None:
    if (ends := handler.transports.get(handler.client)) and isinstance(ends.writer, asyncio.StreamWriter):
        with suppress(OSError):  # the client may be gone already
            ends.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        ends.writer.transport.abort()


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
    """Open the recorded hosts only, and make an unreachable one an ordinary 502; the user's own choices stand."""
    options = ctx.options
    if not options.allow_hosts and not options.ignore_hosts:
        options.update(allow_hosts=[host.pattern for host in settings.hosts])
    if not options.has_changed("connection_strategy"):
        options.update(connection_strategy="lazy")


def _log_recorded(recorded: Recorded) -> None:
    logger.info("recorded %s", recorded.line())


def _log_summary(summary: Summary) -> None:
    logger.info("recorder: %s: %s", summary.path, summary.line())
