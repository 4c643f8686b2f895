"""A recorded answer → its pieces, and when each is due: at once, as recorded, faster, or so many tokens a second. Pure.

Times are nanoseconds since the request began. An event stream goes out event by event, anything else in one piece;
where the times of the wire were kept, in the pieces of the wire.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from recorder.errors import UsageError
from recorder.llm import usage
from recorder.model import Interaction, Response
from recorder.replay.faults import Fault, Kind
from recorder.replay.timing import Timing
from recorder.wire import event_stream

_SECOND = 1_000_000_000
_SPEED = re.compile(r"([0-9]*\.?[0-9]+)x")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """`speed`: how many times as fast as recorded, infinity for at once. `tokens`: a second, in its place."""

    speed: float = math.inf
    tokens: float | None = None

    @property
    def waits(self) -> bool:
        return self.tokens is not None or not math.isinf(self.speed)


INSTANT = Pace()


def parse_pace(speed: str = "", tokens: float | None = None) -> Pace:
    """From `--speed` (`instant`, `recorded`, `2x`, `0.5x`) and `--tokens-per-second`; `UsageError` for another."""
    if tokens is not None and speed not in ("", "instant"):
        raise UsageError("expected --speed or --tokens-per-second, found both")
    if tokens is not None:
        if not (math.isfinite(tokens) and tokens > 0):
            raise UsageError(f"expected a number of tokens above 0 for --tokens-per-second, found {tokens:g}")
        return Pace(tokens=tokens)
    if speed in ("", "instant"):
        return INSTANT
    if speed == "recorded":
        return Pace(speed=1.0)
    match = _SPEED.fullmatch(speed)
    if match is None or not float(match[1]):
        raise UsageError(f"expected instant, recorded, or a factor such as 2x or 0.5x for --speed, found {speed!r}")
    return Pace(speed=float(match[1]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """`headers`: when they are due. `pieces`: when each is due, and its bytes. `cut`: the connection breaks then."""

    headers: int
    pieces: tuple[tuple[int, bytes], ...]
    cut: bool = False

    @property
    def lasts(self) -> bool:
        """Whether anything has to wait."""
        return self.headers > 0 or any(at > 0 for at, _ in self.pieces)

    @property
    def body(self) -> bytes:
        return b"".join(data for _, data in self.pieces)


def deliver(interaction: Interaction, pace: Pace = INSTANT, timing: Timing | None = None) -> Delivery:
    """How an answer goes out. Its pieces together are the recorded body, whatever the pace."""
    response = interaction.response
    if not pace.waits:
        return Delivery(headers=0, pieces=tuple((0, piece) for piece in framed(response)))
    if pace.tokens is not None:
        return _by_tokens(interaction, pace.tokens)
    if timing is None:
        first = max(0, response.duration)
        delivery = Delivery(headers=first, pieces=tuple((first, piece) for piece in framed(response)))
    else:
        delivery = _as_recorded(response, timing)
    return Delivery(
        headers=int(delivery.headers / pace.speed),
        pieces=tuple((int(at / pace.speed), data) for at, data in delivery.pieces),
    )


def spoiled(delivery: Delivery, fault: Fault) -> Delivery:
    """What a fault makes of it: cut or held up after a number of its pieces."""
    pieces = delivery.pieces
    if fault.kind is Kind.CUT:
        return replace(delivery, pieces=pieces[: fault.after], cut=True)
    if fault.kind is Kind.STALL:
        late = ((at + fault.pause, data) for at, data in pieces[fault.after :])
        return replace(delivery, pieces=(*pieces[: fault.after], *late))
    return delivery


def framed(response: Response) -> tuple[bytes, ...]:
    """The body as it was framed: an event stream's events, with the comments before them; anything else as one."""
    body = response.body
    if not body:
        return ()
    if not event_stream.is_event_stream(response.headers.first("Content-Type")):
        return (body,)
    return tuple(body[event.start : event.end] for event in event_stream.events(body))


def _as_recorded(response: Response, timing: Timing) -> Delivery:
    """The chunks of the wire; or, where those were compressed or held secrets, each event when its last byte came."""
    body = response.body
    total = sum(length for _, length in timing.chunks)
    if not body:
        return Delivery(headers=timing.headers, pieces=())
    if not total:
        return Delivery(headers=timing.headers, pieces=((timing.headers, body),))
    if total == len(body):
        return Delivery(headers=timing.headers, pieces=tuple(_chunks(body, timing)))
    return Delivery(headers=timing.headers, pieces=tuple(_scaled(response, timing, total)))


def _chunks(body: bytes, timing: Timing) -> Iterator[tuple[int, bytes]]:
    start = 0
    for at, length in timing.chunks:
        if length:
            yield at, body[start : start + length]
            start += length


def _scaled(response: Response, timing: Timing, total: int) -> Iterator[tuple[int, bytes]]:
    chunks = iter(timing.chunks)
    at, arrived = next(chunks)
    end = 0
    for piece in framed(response):
        end += len(piece)
        while arrived * len(response.body) < end * total and (following := next(chunks, None)):
            at, arrived = following[0], arrived + following[1]
        yield at, piece


def _by_tokens(interaction: Interaction, rate: float) -> Delivery:
    """Each event when its tokens are due: the tokens that the answer tells of, shared out evenly among its events."""
    pieces = framed(interaction.response)
    told = usage.of(interaction).completion_tokens or len(pieces)
    gap = told / max(1, len(pieces)) / rate * _SECOND
    return Delivery(headers=0, pieces=tuple((int(number * gap), data) for number, data in enumerate(pieces, 1)))
