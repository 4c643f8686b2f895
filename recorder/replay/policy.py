"""How a cassette is played, as the user has said it. Apart from the settings: few commands need what this loads."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from recorder.errors import UsageError
from recorder.replay.cadence import INSTANT, Pace
from recorder.replay.faults import Fault
from recorder.replay.matching import DEFAULT, Criteria
from recorder.replay.tape import Reuse


class OnMiss(StrEnum):
    """What becomes of a request in `replay` that no interaction answers."""

    ERROR = "error"
    FORWARD = "forward"  # it goes upstream, unrecorded
    RECORD = "record"  # it goes upstream, and into the cassette


@dataclass(frozen=True, slots=True, kw_only=True)
class Playing:
    criteria: Criteria = DEFAULT
    reuse: Reuse = Reuse.NONE
    pace: Pace = INSTANT
    faults: tuple[Fault, ...] = ()
    on_miss: OnMiss = OnMiss.ERROR


def parse_on_miss(text: str) -> OnMiss:
    try:
        return OnMiss(text or "error")
    except ValueError:
        raise UsageError(f"expected one of {', '.join(OnMiss)} for --on-miss, found {text!r}") from None
