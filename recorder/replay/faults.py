"""Faults on a real tape: what goes wrong, with which interactions, and how often. Pure.

    cut:after=3                  the stream breaks off after its third event
    stall:after=2,for=5s         nothing comes for five seconds after the second
    status:429,retry-after=1     answered with this status first, then with what was recorded
    reset                        the connection breaks before the first byte, then it is answered

Each may be told `id=4` (or `id=4+7`), or `rate=0.1,seed=7`; without either it is for every interaction. `times=2` is
how often an interaction meets it; by default `status` and `reset` come once, so that a client that tries again gets
its answer, and `cut` and `stall` always.
"""

from __future__ import annotations

import math
import random
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from recorder.cassette.go_http import status_text
from recorder.errors import UsageError

_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0}
_DURATION = re.compile(r"([0-9]*\.?[0-9]+)(ms|s|m)")
_EXAMPLES = "cut:after=3, stall:after=2,for=5s, status:429,retry-after=1 or reset"


class Kind(StrEnum):
    CUT = "cut"
    STALL = "stall"
    STATUS = "status"
    RESET = "reset"


_TAKES = {
    Kind.CUT: frozenset(("after",)),
    Kind.STALL: frozenset(("after", "for")),
    Kind.STATUS: frozenset(("retry-after",)),
    Kind.RESET: frozenset[str](),
}
_INSTEAD = (Kind.STATUS, Kind.RESET)
_ALL_TAKE = frozenset(("id", "rate", "seed", "times"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """`after`: events. `pause`: nanoseconds. `times`: how often for one interaction. `ids` empty: whatever its id."""

    kind: Kind
    after: int = 0
    pause: int = 0
    code: int = 0
    retry_after: str = ""
    times: float = math.inf
    ids: frozenset[int] = frozenset()
    rate: float = 1.0
    seed: str = "0"

    @property
    def is_instead(self) -> bool:
        """Whether it comes in the place of the answer, which waits for the next try."""
        return self.kind in _INSTEAD

    def chooses(self, item: int) -> bool:
        """Whether it is for the interaction of this id; the same for the same seed, in whatever order they come."""
        if self.ids and item not in self.ids:
            return False
        return self.rate >= 1 or random.Random(f"{self.seed}:{self.kind}:{item}").random() < self.rate  # noqa: S311 - repeatable, not secret

    @property
    def status(self) -> str:
        return f"{self.code} {status_text(self.code)}".strip()


def parse_fault(text: str) -> Fault:
    """A fault from the words of `--fault`; `UsageError` if it is none."""
    try:
        return _parsed(text.strip())
    except ValueError as error:
        raise UsageError(f"--fault {text}: {error}") from error


def _parsed(text: str) -> Fault:
    name, _, rest = text.replace(":", ",", 1).partition(",")
    if name not in set(Kind):
        raise ValueError(f"expected {_EXAMPLES}")
    kind = Kind(name)
    words = [word.strip() for word in rest.split(",") if word.strip()]
    code = _status(words) if kind is Kind.STATUS else 0
    given = dict(map(_pair, words))
    _check_names(kind, given)
    return Fault(
        kind=kind,
        after=_whole(given.get("after", "0")),
        pause=_duration(given.get("for", "0s")),
        code=code,
        retry_after=str(_whole(given["retry-after"])) if "retry-after" in given else "",
        times=_whole(given["times"]) if "times" in given else 1 if kind in _INSTEAD else math.inf,
        ids=frozenset(map(_whole, given["id"].split("+"))) if "id" in given else frozenset(),
        rate=_rate(given.get("rate", "1")),
        seed=given.get("seed", "0"),
    )


def _status(words: list[str]) -> int:
    if not words or not re.fullmatch(r"[2-5][0-9]{2}", words[0]):
        raise ValueError("expected a status from 200 to 599, as in status:429")
    return int(words.pop(0))


def _check_names(kind: Kind, given: Mapping[str, str]) -> None:
    for key in given:
        if key not in _TAKES[kind] | _ALL_TAKE:
            raise ValueError(f"expected {', '.join(sorted(_TAKES[kind] | _ALL_TAKE))}, found {key!r}")
    if kind in (Kind.CUT, Kind.STALL) and "after" not in given:
        raise ValueError("expected after=N, a number of events")
    if kind is Kind.STALL and "for" not in given:
        raise ValueError("expected for=TIME, as in for=5s")
    if "seed" in given and "rate" not in given:
        raise ValueError("expected a rate beside the seed, as in rate=0.1,seed=7")


def _pair(word: str) -> tuple[str, str]:
    key, separator, value = word.partition("=")
    if not (separator and key and value):
        raise ValueError(f"expected NAME=VALUE, found {word!r}")
    return key.strip(), value.strip()


def _whole(text: str) -> int:
    if not (text.isascii() and text.isdecimal()):
        raise ValueError(f"expected a whole number, found {text!r}")
    return int(text)


def _rate(text: str) -> float:
    if not re.fullmatch(r"0|1|[01]?\.[0-9]+", text) or float(text) > 1:
        raise ValueError(f"expected a rate from 0 to 1, found {text!r}")
    return float(text)


def _duration(text: str) -> int:
    match = _DURATION.fullmatch(text)
    if match is None:
        raise ValueError(f"expected a time such as 5s or 200ms, found {text!r}")
    return int(float(match[1]) * _SECONDS[match[2]] * 1_000_000_000)
