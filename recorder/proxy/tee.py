"""The tee: each piece of a response goes on to the client at once, and a copy stays here. It never raises.

A client that has seen the end of a response may rely on its being on disk. Where the end is a frame of its own (chunks,
HTTP/2) it is enough that mitmproxy waits for the `response` hook before it sends that frame. Two pieces are an end for
the client before that: the last one of a body with a `Content-Length`, and the terminal frame of an event stream
(`data: [DONE]`, …), at which SDKs return and hang up. Those are held here; `patches/held_end.py` has mitmproxy send
them when the hook has returned.

An upstream that gives the terminal frame and then does not end keeps the client waiting for `LONGEST_HOLD` only.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from mitmproxy.proxy import commands

from recorder.wire.event_stream import TerminalWatch
from recorder.wire.exchange import Capture

LONGEST_HOLD = 0.25  # seconds; servers end a stream in the same moment as they say that it is over


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
