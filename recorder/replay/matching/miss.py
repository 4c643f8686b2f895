"""Why no interaction answers a request: the reason, the nearest one, and where that differs. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from enum import StrEnum
from typing import Any, Final

from recorder import humanize
from recorder.replay.matching.difference import Difference, differences, traits
from recorder.replay.matching.subject import Subject

_MOST_SHOWN: Final = 5
_MOST_COMPARED: Final = 8  # of those that look nearest, compared in full


class Reason(StrEnum):
    """As it stands in the receipt; `words` for a person."""

    NO_CASSETTE = "no-cassette"
    NOTHING_THERE = "nothing-there"
    DIFFERS = "body-differs"
    CONSUMED = "already-consumed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Miss:
    """A request that no interaction answers. `nearest`: an interaction's id; `more`: differences that are not told."""

    reason: Reason
    method: str
    url: str
    words: str
    nearest: int | None = None
    differences: tuple[Difference, ...] = ()
    more: int = 0

    def __str__(self) -> str:
        text = f"{self.method} {self.url}: {self.words}"
        if self.nearest is not None and self.differences:
            text += f"; nearest is #{self.nearest} (recorded ≠ sent): {'; '.join(map(str, self.differences))}"
            text += f"; and {humanize.count(self.more, 'more difference')}" if self.more else ""
        return text

    def as_json(self) -> dict[str, Any]:
        return {
            "method": self.method,
            "url": self.url,
            "reason": self.reason.value,
            "message": self.words,
            "nearest": self.nearest,
            "differences": [
                {"place": found.place, "recorded": found.recorded, "sent": found.sent} for found in self.differences
            ],
            "more_differences": self.more,
        }


def explain(
    sent: Subject,
    *,
    method: str,
    url: str,
    consumed: Sequence[int],
    alike: Sequence[int],
    addresses: Sequence[tuple[tuple[tuple[str, str], ...], Sequence[int]]],
    rough: Callable[[int], Subject],
    subject: Callable[[int], Subject],
) -> Miss:
    """What to say of a request that nothing answers.

    `consumed`: interactions that match and have been played. `alike`: those with the same address, in the order in
    which the nearest is chosen among equals. `addresses`: what there is, for a request whose address is not there.
    `subject`: of an interaction, without secrets; `rough`: as it stands, which costs less, to choose by.
    """
    if consumed:
        times = humanize.count(len(consumed), "time")
        return Miss(
            reason=Reason.CONSUMED,
            method=method,
            url=url,
            words=f"already consumed: recorded {times} (#{consumed[-1]}), and played as often; --reuse plays it again",
            nearest=consumed[-1],
        )
    if alike:
        nearest, found = _nearest(sent, alike, rough, subject)
        return _miss(Reason.DIFFERS, f"{_kinds(found)} differs", method, url, nearest, found)
    named = " and ".join({"url": "URL"}.get(part, part) for part, _ in sent.address) or "request"
    words = f"nothing for this {named}"
    if not addresses:
        return Miss(reason=Reason.NOTHING_THERE, method=method, url=url, words=f"{words}: the cassette is empty")
    _, candidates = max(addresses, key=lambda entry: _likeness(entry[0], sent.address))
    nearest, found = _nearest(sent, candidates, rough, subject)
    return _miss(Reason.NOTHING_THERE, words, method, url, nearest, found)


def _miss(  # noqa: PLR0917 - one call's values, in the order of the fields
    reason: Reason, words: str, method: str, url: str, nearest: int, found: list[Difference]
) -> Miss:
    return Miss(
        reason=reason,
        words=words,
        method=method,
        url=url,
        nearest=nearest,
        differences=tuple(found[:_MOST_SHOWN]),
        more=max(0, len(found) - _MOST_SHOWN),
    )


def _kinds(found: list[Difference]) -> str:
    headers = [difference.place for difference in found if difference.place.startswith("header ")]
    return headers[0] if headers and len(headers) == len(found) else "body"


def _nearest(
    sent: Subject, ids: Sequence[int], rough: Callable[[int], Subject], subject: Callable[[int], Subject]
) -> tuple[int, list[Difference]]:
    """Of `ids` the nearest one and its differences; the first of those that are equally near."""
    if len(ids) > _MOST_COMPARED:
        own = traits(sent)
        ids = sorted(ids, key=lambda item: len(own ^ traits(rough(item))))[:_MOST_COMPARED]
    compared = [(item, differences(subject(item), sent)) for item in ids]
    return min(compared, key=lambda entry: sum(difference.distance for difference in entry[1]))


def _likeness(one: tuple[tuple[str, str], ...], other: tuple[tuple[str, str], ...]) -> float:
    return sum(SequenceMatcher(None, a, b, autojunk=False).ratio() for (_, a), (_, b) in zip(one, other, strict=True))
