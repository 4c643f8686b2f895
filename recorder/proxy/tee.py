"""The tee: each piece of a response goes on to the client at once, and a copy stays here. It never raises.

A client that has seen the end of a response may rely on its being on disk. Where the end is a frame of its own (chunks,
HTTP/2) it is enough that mitmproxy waits for the `response` hook before it sends that frame. Where the end is told by
`Content-Length`, the last piece *is* the end: it is held here, and `deliver_held` sends it when the hook has returned.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Generator
from typing import Any

from mitmproxy.proxy import commands
from mitmproxy.proxy.layers.http import HttpStream, SendHttp
from mitmproxy.proxy.layers.http._events import ResponseData
from mitmproxy.proxy.layers.http._hooks import HttpResponseHook

from recorder.capture import Capture

logger = logging.getLogger(__name__)


class Tee:
    """What `flow.response.stream` is set to. `length`: the body's announced length in bytes, None if it was not told.

    `zero` is the monotonic clock, in nanoseconds, at which the request began. `failed` is called once if a piece could
    not be kept; from then on nothing is passed on, since nothing may pass unrecorded.
    """

    __slots__ = ("_capture", "_failed", "_left", "_passed", "_zero", "held", "shut")

    def __init__(
        self, capture: Capture, *, zero: int, length: int | None, failed: Callable[[BaseException], None]
    ) -> None:
        self._capture = capture
        self._zero = zero
        self._left = length
        self._failed = failed
        self._passed = False
        self.held: list[bytes] = []
        self.shut = False

    def __call__(self, data: bytes) -> tuple[bytes, ...]:
        try:
            return self._take(data)
        except Exception as error:  # noqa: BLE001 - raised here, mitmproxy would drop the piece and carry on
            self.shut = True
            self._failed(error)
            return ()

    def _take(self, data: bytes) -> tuple[bytes, ...]:
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
            if self._left <= 0:
                self.held.append(data)
                return ()
        return (data,) if data else ()


_send_response = HttpStream.send_response


def _send_response_then_held(
    self: HttpStream, already_streamed: bool = False
) -> Generator[commands.Command, Any, None]:
    """mitmproxy's `send_response`, and between its hook and the end of the message what the tee has held."""
    steps = _send_response(self, already_streamed)
    reply: Any = None
    while True:
        try:
            command = steps.send(reply)
        except StopIteration:
            return
        reply = yield command
        if isinstance(command, HttpResponseHook) and not self.flow.error and self.flow.response is not None:
            tee = self.flow.response.stream
            if isinstance(tee, Tee) and not tee.shut:
                for data in tee.held:
                    yield SendHttp(ResponseData(self.stream_id, data), self.context.client)


def deliver_held() -> None:
    """Teach mitmproxy to send what a tee holds. Calling it twice is harmless.

    This and `trailers.py` are the only places where we change mitmproxy.

    There is no hook between the last piece and the end, and the callable that sees the pieces cannot wait. Without this
    the choice would be to hold back whole bodies, to do the writing on the event loop, or to write after the client has
    seen the end. `tests/proxy/test_tee.py` holds it against the supported versions.
    """
    HttpStream.send_response = _send_response_then_held  # type: ignore[method-assign] # the seam itself
