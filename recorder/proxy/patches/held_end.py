"""mitmproxy sends what a tee holds: after the `response` or `error` hook, before the end of the message.

Changes `HttpStream._handle_event`, `.send_response` and `.handle_protocol_error`. mitmproxy has no hook between the
last piece of a body and its end, and the stream callable cannot wait. Without this patch the choice would be to hold
back whole bodies, to write on the event loop, or to write after the client has seen the end.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from mitmproxy import http
from mitmproxy.flow import Error
from mitmproxy.proxy import commands, events
from mitmproxy.proxy.layers.http import HttpStream, SendHttp
from mitmproxy.proxy.layers.http._events import RequestProtocolError, ResponseData, ResponseProtocolError
from mitmproxy.proxy.layers.http._hooks import HttpErrorHook, HttpResponseHook

from recorder.proxy.tee import Tee

_ProtocolError = RequestProtocolError | ResponseProtocolError
_Commands = Generator[commands.Command, Any, None]

_handle_event = HttpStream._handle_event  # noqa: SLF001 - what is patched
_send_response = HttpStream.send_response
_handle_protocol_error = HttpStream.handle_protocol_error


def _handle_event_and_wake(self: HttpStream, event: events.Event) -> _Commands:
    """As mitmproxy, and the alarm of a tee that holds a terminal frame."""
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


def install() -> None:
    """Idempotent."""
    HttpStream._handle_event = _handle_event_and_wake  # type: ignore[method-assign] # noqa: SLF001 - what is patched
    HttpStream.send_response = send_response_then_held  # type: ignore[method-assign]
    HttpStream.handle_protocol_error = _handle_protocol_error_after_held  # type: ignore[method-assign]
