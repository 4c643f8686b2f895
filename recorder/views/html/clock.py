"""When things happened, as far as a recording tells: from the request sent to the headers, and the pieces behind them.

A cassette holds one duration an interaction, and no moment at all. So the interactions stand one after another, each
for as long as is known of it. Times are nanoseconds.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest

from recorder.llm import usage
from recorder.llm.conversation import Turn
from recorder.llm.figures import Times
from recorder.replay.timing import Timing


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """One interaction. `start`: on the page's clock; the others from there on.

    `pieces`: when each piece of the body came, and its bytes; none where no times were kept, and then `end` is when the
    headers came: what is known last.
    """

    start: int
    headers: int
    end: int
    first_token: int | None = None
    pieces: tuple[tuple[int, int], ...] = ()

    @property
    def times(self) -> Times:
        return Times(first_token=self.first_token, end=self.end if self.pieces else None)


def courses(turns: Sequence[Turn], timings: Iterable[Timing | None] = ()) -> list[Course]:
    """Of each of the `turns`; `timings` in their order, as `timing.of` gives them."""
    found: list[Course] = []
    start = 0
    for turn, timing in zip_longest(turns, timings):
        if turn is None:
            break
        found.append(_course(turn, timing, start))
        start += found[-1].end
    return found


def _course(turn: Turn, timing: Timing | None, start: int) -> Course:
    headers = max(turn.duration, 0)  # go-vcr would write a clock that was set back
    if timing is None or not timing.chunks:
        return Course(start=start, headers=headers, end=headers)
    return Course(
        start=start,
        headers=headers,
        end=max(headers, timing.chunks[-1][0]),
        first_token=usage.first_token(turn.interaction.response, timing.chunks),
        pieces=timing.chunks,
    )


def ticks(end: int, most: int = 6) -> Iterator[int]:
    """Round moments from 0 to `end`, at most so many: 1, 2 or 5 of some power of ten apart."""
    step = 1_000_000
    while end // step >= most:
        step = step * 5 // 2 if str(step)[0] == "2" else step * 2
    return iter(range(0, end + 1, step))
