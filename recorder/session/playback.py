"""A session being replayed: requests in, answers out. The one place that ties tape, pace, faults and times together.

`answer` may be called from several threads at once. What it raises is a defect of ours, never of a request.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from recorder import humanize
from recorder.errors import RecorderError
from recorder.model import Fields, Response
from recorder.replay import cadence, timing
from recorder.replay.cadence import INSTANT, Delivery, Pace
from recorder.replay.faults import Fault, Kind
from recorder.replay.matching import Miss
from recorder.replay.policy import Playing
from recorder.replay.receipt import Receipt
from recorder.replay.tape import Played, Tape
from recorder.replay.timing import Timing
from recorder.scrub import environment_credentials
from recorder.session.settings import Mode, Settings
from recorder.storage.session_paths import cassette_path
from recorder.wire.exchange import WireRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a client is given. `delivery` None: the connection breaks before the first byte. `fault`: what is wrong."""

    id: int
    url: str
    method: str
    response: Response
    delivery: Delivery | None
    fault: Fault | None = None

    def line(self) -> str:
        """One line for a terminal, in the manner of a recorded exchange's."""
        spoiled = f"({self.fault.kind.value})" if self.fault else ""
        told = [f"#{self.id}", self.method, self.url, str(self.response.code), "replayed", spoiled]
        return humanize.printable("  ".join(part for part in told if part))


def resolved(settings: Settings, session: str) -> Mode:
    """The mode that a session starts in: `once` is one or the other, by whether there is a cassette."""
    if settings.mode is not Mode.ONCE:
        return settings.mode
    return Mode.REPLAY if cassette_path(settings.cassette_dir, session).exists() else Mode.RECORD


class Replaying:
    """`answer` for each request, `missed` where that is None, `receipt` at the end."""

    def __init__(self, tape: Tape, *, pace: Pace = INSTANT, timings: Sequence[Timing | None] = ()) -> None:
        self._tape = tape
        self._pace = pace
        self._timings = timings

    @classmethod
    def start(cls, settings: Settings, session: str, *, environ: Mapping[str, str]) -> Self:
        """Read the session's cassette, which need not be there; `CassetteError` if it is damaged."""
        path = cassette_path(settings.cassette_dir, session)
        playing = settings.playing or Playing()
        tape = Tape.read(
            path,
            session=session,
            criteria=playing.criteria,
            reuse=playing.reuse,
            faults=playing.faults,
            rules=settings.rules,
            credentials=environment_credentials(environ),
        )
        timings: Iterable[Timing | None] = ()
        if playing.pace.waits and playing.pace.tokens is None:
            beside = path.with_suffix(timing.SUFFIX)
            try:
                timings = timing.of(tape.interactions, beside.read_bytes())
            except FileNotFoundError:
                pass
            except OSError as error:
                raise RecorderError(f"expected the times of chunks in {beside}, found {error.strerror}") from error
        return cls(tape, pace=playing.pace, timings=tuple(timings))

    def answer(self, wire: WireRequest) -> Answer | None:
        """What was recorded for this request; None if nothing was, or no more is left."""
        played = self._tape.play(wire)
        if played is None:
            return None
        request, response = played.interaction.request, played.interaction.response
        if played.fault and played.fault.kind is Kind.STATUS:
            response = _refused(played.fault)
        return Answer(
            id=played.id,
            method=request.method,
            url=self._tape.shown(request.url),
            response=response,
            delivery=self._delivery(played, response),
            fault=played.fault,
        )

    def missed(self, wire: WireRequest) -> Miss:
        return self._tape.missed(wire)

    def receipt(self, *, recorded: int = 0, upstream_connections: int = 0) -> Receipt:
        return self._tape.receipt(recorded=recorded, upstream_connections=upstream_connections)

    def _delivery(self, played: Played, response: Response) -> Delivery | None:
        fault = played.fault
        if fault and fault.kind is Kind.RESET:
            return None
        if fault and fault.kind is Kind.STATUS:
            return Delivery(headers=0, pieces=((0, response.body),))
        known = self._timings[played.id] if self._timings else None
        delivery = cadence.deliver(played.interaction, self._pace, known)
        return cadence.spoiled(delivery, fault) if fault else delivery


def _refused(fault: Fault) -> Response:
    """An error as providers of LLMs write it."""
    retry = {"Retry-After": (fault.retry_after,)} if fault.retry_after else {}
    body = b'{"error":{"message":"recorder: a fault on the tape (%d)","type":"recorder_fault","param":null,"code":%d}}'
    return Response(
        status=fault.status,
        code=fault.code,
        duration=0,
        body=body % (fault.code, fault.code),
        headers=Fields.of({"Content-Type": ("application/json",), **retry}),
    )
