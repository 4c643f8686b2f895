"""mitmproxy sends an answer of ours piece by piece, each when it is due; by itself it sends it in one piece, at once.

Changes `HttpStream.send_response` and `Wakeup.reply`. A response whose `stream` is a `Player` takes the path here, with
the same hook before it. Between the pieces only that one stream waits; others of the same connection go on.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from typing import Any, Final

from mitmproxy.flow import Error
from mitmproxy.proxy import commands, events
from mitmproxy.proxy.layers.http import HttpStream, SendHttp
from mitmproxy.proxy.layers.http._events import ResponseData, ResponseHeaders, ResponseTrailers
from mitmproxy.proxy.layers.http._hooks import HttpResponseHook

from recorder.proxy.patches.held_end import send_response_then_held
from recorder.replay.cadence import Delivery

_LONGEST_PAUSE: Final = 60.0  # seconds; mitmproxy cuts a connection on which nothing has happened for ten minutes
_AT_ONCE: Final = 64  # pieces, after which other streams and connections get their turn

_Commands = Generator[commands.Command, Any, None]


class Player:
    """What `flow.response.stream` is set to. `clock`: nanoseconds since the request began."""

    __slots__ = ("_clock", "delivery")

    def __init__(self, delivery: Delivery, *, clock: Callable[[], int]) -> None:
        self.delivery = delivery
        self._clock = clock

    def __call__(self, data: bytes) -> bytes:
        """mitmproxy takes a callable here, and would call it with the pieces of an upstream; there is none."""
        return data

    def left(self, due: int) -> float:
        """Seconds until the moment `due`; at least 0."""
        return max(0, due - self._clock()) / 1_000_000_000 if due else 0.0


class _Pause(commands.RequestWakeup):
    """Only the stream that asks for it waits; mitmproxy drops it when the client has gone."""

    blocking = True


def _send_response_or_play(self: HttpStream, already_streamed: bool = False) -> _Commands:
    assert self.flow.response is not None
    player = self.flow.response.stream
    if not isinstance(player, Player):
        yield from send_response_then_held(self, already_streamed)
        return
    self.flow.response.timestamp_end = time.time()
    yield HttpResponseHook(self.flow)
    self.server_state = self.state_done
    if (yield from self.check_killed(False)):
        return
    yield from _play(self, player)


def _play(stream: HttpStream, player: Player) -> _Commands:
    """As the end of mitmproxy's `send_response`, with time between the pieces."""
    response, client = stream.flow.response, stream.context.client
    assert response is not None
    delivery = player.delivery
    if (yield from _gone_after_wait(stream, player, delivery.headers)):
        return
    ends = not (delivery.pieces or response.trailers or delivery.cut)
    yield SendHttp(ResponseHeaders(stream.stream_id, response, ends), client)
    for number, (due, data) in enumerate(delivery.pieces, 1):
        if (yield from _gone_after_wait(stream, player, due, breathe=number % _AT_ONCE == 0)):
            return
        yield SendHttp(ResponseData(stream.stream_id, data), client)
    if delivery.cut:
        stream.flow.error = Error(Error.KILLED_MESSAGE)
        yield from stream.check_killed(False)
        return
    if response.trailers:
        yield SendHttp(ResponseTrailers(stream.stream_id, response.trailers), client)
    yield from stream.flow_done()


def _gone_after_wait(
    stream: HttpStream, player: Player, due: int, *, breathe: bool = False
) -> Generator[commands.Command, Any, bool]:
    """Wait until `due`; whether the client has gone meanwhile."""
    while (left := player.left(due)) or breathe:
        breathe = False
        yield _Pause(min(left, _LONGEST_PAUSE))
        if (yield from stream.check_killed(False)):
            return True
    return False


def install() -> None:
    """Idempotent; after `held_end.install`, whose `send_response` it wraps.

    A `Wakeup` completes a command as a hook's end does, but mitmproxy gives it no `reply`, since nothing waits for one.
    """
    events.Wakeup.reply = None
    HttpStream.send_response = _send_response_or_play  # type: ignore[method-assign]
