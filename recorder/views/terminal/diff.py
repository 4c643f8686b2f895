"""Two cassettes, compared by what was asked and said: which interaction answers to which, and where they differ.

Interactions are paired in order: first those whose requests are the same, then, between these, those that are alike.
What an interaction repeats of the conversation before it is compared where it came first.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import repeat
from typing import Any, TypedDict

from recorder.llm.conversation import Turn
from recorder.views import comparable_text
from recorder.views.comparable_text import Meaning
from recorder.views.shared_prefix import Seen
from recorder.views.terminal.style import BLANK, Line, Style, line

_CONTEXT = 3  # lines around a difference, as diff has it
_ALIKE = 0.4  # from which on two requests are taken for one that was changed; 1 is the same
_MOST_PAIRS = 100_000  # of requests that are held against each other, at some 10 µs each


class _Known(TypedDict):
    """What `Meaning.lines` leaves out."""

    known: int
    known_tools: bool


Place = int | None
Pair = tuple[Place, Place]


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """What became of an interaction. `ours`, `theirs`: its places, None where it is not. `rows`: as `diff -u` has them.

    `rows` is empty where the two are the same, or differ only in messages that an interaction before has shown.
    """

    ours: Place
    theirs: Place
    same: bool
    rows: tuple[str, ...] = ()


def compare(ours: Sequence[Turn], theirs: Sequence[Turn], *, reasoning: bool = False) -> list[Difference]:
    """Every interaction of both, in order."""
    left = [comparable_text.of(turn, reasoning=reasoning) for turn in ours]
    right = [comparable_text.of(turn, reasoning=reasoning) for turn in theirs]
    seen = Seen()
    return [
        _difference(i, j, None if i is None else left[i], None if j is None else right[j], seen)
        for i, j in pairs(left, right)
    ]


def _difference(ours: Place, theirs: Place, mine: Meaning | None, yours: Meaning | None, seen: Seen) -> Difference:
    known = _known(mine, yours, seen)
    if mine == yours:
        return Difference(ours=ours, theirs=theirs, same=True)
    before = [] if mine is None else mine.lines(**known)
    after = [] if yours is None else yours.lines(**known)
    rows = tuple(difflib.unified_diff(before, after, n=_CONTEXT, lineterm=""))[2:]  # without the files' names
    return Difference(ours=ours, theirs=theirs, same=False, rows=rows)


def _known(mine: Meaning | None, yours: Meaning | None, seen: Seen) -> _Known:
    """What has been held against each other before, of this kind of pair: of both, or of one that stands alone."""
    tools = ("tools", mine and mine.tools, yours and yours.tools)
    known_tools = seen.known([tools])[0] == 1
    seen.add([tools])
    known, _ = seen.known(_both(mine, yours, lambda told: told.prompt))
    seen.add(_both(mine, yours, lambda told: told.said))
    return {"known": known, "known_tools": known_tools}


def _both(mine: Meaning | None, yours: Meaning | None, part: Callable[[Meaning], Iterable[Hashable]]) -> Iterator[Any]:
    """Message by message; what stands alone is held against nothing."""
    return zip(
        repeat(None) if mine is None else part(mine), repeat(None) if yours is None else part(yours), strict=False
    )


# --- which belongs to which


def pairs(left: Sequence[Meaning], right: Sequence[Meaning]) -> Iterator[Pair]:
    """Each place of both once, in order."""
    ours = [(each.asked, each.tools, each.prompt) for each in left]
    theirs = [(each.asked, each.tools, each.prompt) for each in right]
    matcher = difflib.SequenceMatcher(None, ours, theirs, autojunk=False)
    for kind, start, end, from_, to in matcher.get_opcodes():
        if kind == "equal":
            yield from zip(range(start, end), range(from_, to), strict=True)
        else:
            yield from _alike(left, right, range(start, end), range(from_, to))


def _alike(left: Sequence[Meaning], right: Sequence[Meaning], ours: range, theirs: range) -> Iterator[Pair]:
    """The way through both that has most likeness in it; of too many, just one after the other."""
    if len(ours) * len(theirs) > _MOST_PAIRS:
        yield from _in_order(ours, theirs)
        return
    ahead = _best(left, right, ours, theirs)
    i = j = 0
    while i < len(ours) and j < len(theirs):
        best, alike = ahead[i][j]
        if alike and best == alike + ahead[i + 1][j + 1][0]:
            yield ours[i], theirs[j]
            i, j = i + 1, j + 1
        elif best == ahead[i + 1][j][0]:
            yield ours[i], None
            i += 1
        else:
            yield None, theirs[j]
            j += 1
    yield from ((place, None) for place in ours[i:])
    yield from ((None, place) for place in theirs[j:])


def _in_order(ours: range, theirs: range) -> Iterator[Pair]:
    both = min(len(ours), len(theirs))
    yield from zip(ours[:both], theirs[:both], strict=True)
    yield from ((place, None) for place in ours[both:])
    yield from ((None, place) for place in theirs[both:])


def _best(
    left: Sequence[Meaning], right: Sequence[Meaning], ours: range, theirs: range
) -> list[list[tuple[float, float]]]:
    """For each place of both: the most likeness that is to be had from there on, and that of the two."""
    mine = [_words(left[place]) for place in ours]
    yours = [_words(right[place]) for place in theirs]
    table = [[(0.0, 0.0)] * (len(yours) + 1) for _ in range(len(mine) + 1)]
    for i in reversed(range(len(mine))):
        for j in reversed(range(len(yours))):
            ratio = 2 * len(mine[i] & yours[j]) / (len(mine[i]) + len(yours[j]))
            alike = ratio if ratio >= _ALIKE else 0.0
            through = alike + table[i + 1][j + 1][0] if alike else 0.0
            table[i][j] = (max(through, table[i + 1][j][0], table[i][j + 1][0]), alike)
    return table


def _words(told: Meaning) -> frozenset[str]:
    """Those of the request, and never none: the address is among them."""
    return frozenset(word for rows in (told.asked, told.tools, *told.prompt) for row in rows for word in row.split())


# --- for people

_STYLES: dict[str, Style] = {"+": "added", "-": "removed", "@": "faint"}


def rendered(differences: Sequence[Difference]) -> Iterator[Line]:
    """Those that have something to show; then in one line how many are the same."""
    for each in differences:
        if each.rows:
            yield line(_title(each), style="head")
            yield from (line(row, style=_STYLES.get(row[:1], "")) for row in each.rows)
            yield BLANK
    yield line(_counted(differences), style="faint")


def _title(each: Difference) -> str:
    if each.ours is None:
        return f"only in the second: interaction {each.theirs}"
    if each.theirs is None:
        return f"only in the first: interaction {each.ours}"
    same = each.ours == each.theirs
    return f"interaction {each.ours}" + ("" if same else f", and {each.theirs} of the second")


def _counted(differences: Sequence[Difference]) -> str:
    both = [each for each in differences if each.ours is not None and each.theirs is not None]
    same = sum(each.same for each in both)
    first = sum(each.theirs is None for each in differences)
    second = sum(each.ours is None for each in differences)
    told = (
        (same, "the same"),
        (len(both) - same, "changed"),
        (first, "only in the first"),
        (second, "only in the second"),
    )
    return ", ".join(f"{count} {words}" for count, words in told if count) or "no interactions in either"
