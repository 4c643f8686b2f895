"""The tee: each piece of a response goes on to the client at once, and a copy stays here. It never raises.

A client that has seen the end of a response may rely on its being on disk. Where the end is a frame of its own (chunks,
HTTP/2) it is enough that mitmproxy waits for the `response` hook before it sends that frame. Two pieces are an end for
the client before that: the last one of a body with a `Content-Length`, and the terminal frame of an event stream
(`data: [DONE]`, …), at which SDKs return and hang up. Those are held here, and sent on when the hook has returned.

An upstream that gives the terminal frame and then does not end keeps the client waiting for `LONGEST_HOLD` only.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from typing import Any

from mitmproxy import http
from mitmproxy.flow import Error
from mitmproxy.proxy import commands, events
from mitmproxy.proxy.layers.http import HttpStream, SendHttp
from mitmproxy.proxy.layers.http._events import RequestProtocolError, ResponseData, ResponseProtocolError
from mitmproxy.proxy.layers.http._hooks import HttpErrorHook, HttpResponseHook

from recorder.wire.event_stream import TerminalWatch
from recorder.wire.exchange import Capture

LONGEST_HOLD = 0.25  # seconds; servers end a stream in the same moment as they say that it is over

_ProtocolError = RequestProtocolError | ResponseProtocolError


class Tee:
    """What `flow.response.stream` is set to. `length`: the body's announced length in bytes, None if it was not told.
    `watch`: of an event stream, whether the terminal frame has come, with this piece or before.

    `zero` is the monotonic clock, in nanoseconds, at which the request began. `failed` is called once if a piece could
    not be kept; from then on nothing is passed on, since nothing may pass unrecorded.
    """

    __slots__ = ("_capture", "_failed", "_left", "_passed", "_watch", "_zero", "alarm", "held", "shut")

    def __init__(
        self,
        capture: Capture,
        *,
        zero: int,
        length: int | None,
        watch: TerminalWatch | None = None,
        failed: Callable[[BaseException], None],
    ) -> None:
        self._capture = capture
        self._zero = zero
        self._left = length
        self._watch = watch
        self._failed = failed
        self._passed = False
        self.held: list[bytes] = []
        self.alarm: commands.RequestWakeup | None = None
        self.shut = False

    def __call__(self, data: bytes) -> tuple[bytes, ...]:
        try:
            if self.shut:
                return ()
            if not data and self._passed:
                # mitmproxy's sign for the end; or an empty frame of HTTP/2, which as a chunk would be the client's end.
                return ()
            # A body that ended without a byte leaves a piece without a byte: it did not end with the headers.
            self._capture.chunk(data, at=time.monotonic_ns() - self._zero)
            self._passed = True
            if self._left is not None:
                self._left -= len(data)
            if self._left is not None and self._left <= 0:
                self.held.append(data)
                return ()
            if self._watch and self._watch.feed(data):
                start = self._watch.start
                self.held.append(data[start:])
                self.alarm = self.alarm or commands.RequestWakeup(LONGEST_HOLD)
                return (data[:start],) if start else ()
            return (data,) if data else ()
        except Exception as error:  # noqa: BLE001 - raised here, mitmproxy would drop the piece and carry on
            self.shut = True
            self._failed(error)
            return ()

    def release(self) -> list[bytes]:
        """What was held, to be sent on now; from here on nothing is held for its terminal frame."""
        held, self.held, self._watch = self.held, [], None
        return [] if self.shut else held


_Commands = Generator[commands.Command, Any, None]

_handle_event = HttpStream._handle_event  # noqa: SLF001 - the seam itself
_send_response = HttpStream.send_response
_handle_protocol_error = HttpStream.handle_protocol_error


def _handle_event_and_wake(self: HttpStream, event: events.Event) -> _Commands:
    """mitmproxy's way of any event, and beside it the alarm of a tee that holds a terminal frame."""
    tee = _tee(self)
    if tee and tee.alarm and isinstance(event, events.Wakeup) and event.command is tee.alarm:
        if self.server_state == self.state_stream_response_body:
            yield from _release(self, tee)
        return
    rung = tee.alarm if tee else None
    yield from _handle_event(self, event)
    tee = _tee(self)
    if tee and tee.alarm is not rung:
        assert tee.alarm is not None
        yield tee.alarm


def send_response_then_held(self: HttpStream, already_streamed: bool = False) -> _Commands:
    """mitmproxy's `send_response`, and between its hook and the end of the message what the tee has held."""
    yield from _with_held(self, _send_response(self, already_streamed), HttpResponseHook)


def _handle_protocol_error_after_held(self: HttpStream, event: _ProtocolError) -> _Commands:
    """The same where the upstream breaks off: a stream that had said that it was over is recorded by then."""
    steps = _handle_protocol_error(self, event)
    yield from (_with_held(self, steps, HttpErrorHook) if isinstance(event, ResponseProtocolError) else steps)


def _with_held(stream: HttpStream, steps: _Commands, hook: type[HttpResponseHook | HttpErrorHook]) -> _Commands:
    reply: Any = None
    while True:
        try:
            command = steps.send(reply)
        except StopIteration:
            return
        reply = yield command
        if isinstance(command, hook) and (tee := _tee(stream)) and not _killed(stream):
            yield from _release(stream, tee)


def _release(stream: HttpStream, tee: Tee) -> _Commands:
    for data in tee.release():
        yield SendHttp(ResponseData(stream.stream_id, data), stream.context.client)


def _tee(stream: HttpStream) -> Tee | None:
    flow: http.HTTPFlow | None = getattr(stream, "flow", None)  # it has none before its first event
    tee = flow.response.stream if flow and flow.response else None
    return tee if isinstance(tee, Tee) else None


def _killed(stream: HttpStream) -> bool:
    return stream.flow.error is not None and stream.flow.error.msg == Error.KILLED_MESSAGE


def deliver_held() -> None:
    """Teach mitmproxy to send what a tee holds. With `chunks.py` and `interim.py` all that we change in it; twice is as
    good as once.

    There is no hook between the last piece and the end, and the callable that sees the pieces cannot wait. Without this
    the choice would be to hold back whole bodies, to do the writing on the event loop, or to write after the client has
    seen the end. `tests/crash/test_ends.py` holds it against the supported versions.
    """
    HttpStream._handle_event = _handle_event_and_wake  # type: ignore[method-assign] # noqa: SLF001 - the seam itself
    HttpStream.send_response = send_response_then_held  # type: ignore[method-assign] # the same
    HttpStream.handle_protocol_error = _handle_protocol_error_after_held  # type: ignore[method-assign] # the same
