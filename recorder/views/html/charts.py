"""Pictures of numbers, in SVG: shares of the width in percent, so that they need no scale and no script.

They are for the eye: each stands beside the same in words or in numbers, and is hidden from screen readers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from recorder import humanize
from recorder.views.html.clock import Course, ticks
from recorder.views.html.markup import Markup, join, tag

_ROW = 18  # pixels: a row of the waterfall
_PICTURE = 44  # pixels: an interaction's own pieces
_MOST_PIECES = 160  # that can be told apart in the width of a page; more are added up
_LAST_LABEL = 88  # percent of the width: behind it there is no room for one
_WIDEST = 6.0  # percent of the width: a column where there are few


def waterfall_row(course: Course, whole: int) -> Markup:
    """Its place in the whole session; in words where the pointer rests."""
    left, wait = _share(course.start, whole), _share(course.headers, whole)
    parts = [_bar("wait", left, wait, 4, _ROW - 8)]
    if course.pieces:
        parts.append(_bar("stream", left + wait, _share(course.end - course.headers, whole), 4, _ROW - 8))
    if course.first_token is not None:
        parts.append(_mark("first", left + _share(course.first_token, whole), 1, _ROW - 1))
    return _picture(tag("title", ", ".join(in_words(course))), *parts, height=_ROW)


def in_words(course: Course) -> Iterator[str]:
    yield f"headers after {humanize.duration(course.headers)}"
    if course.first_token is not None:
        yield f"first token after {humanize.duration(course.first_token)}"
    if course.pieces:
        yield f"{humanize.count(len(course.pieces), 'piece')} until {humanize.duration(course.end)}"


def axis(whole: int) -> tuple[Markup, Markup]:
    """Moments above the waterfall, and a line down from each."""
    moments = [(moment, _share(moment, whole)) for moment in ticks(whole)]
    labels = (
        tag("text", humanize.duration(moment) if moment else "0", x=_percent(at), y=13, dx=4)
        for moment, at in moments
        if at < _LAST_LABEL
    )
    lines = (_mark("moment", at, 0, "100%") for _, at in moments)
    return (
        tag("svg", *labels, class_="moments", aria_hidden="true"),
        tag("svg", *lines, class_="lines", aria_hidden="true"),
    )


def pieces(course: Course) -> Markup:
    """One interaction by itself: the wait, then each piece as high as its share of the largest."""
    wait = _share(course.headers, course.end)
    parts = [_bar("wait", 0, wait, _PICTURE - 6, 5), _bar("stream", wait, 100 - wait, _PICTURE - 6, 5)]
    heaps = _heaped(course)
    largest = max((size for _, size in heaps), default=0) or 1
    for at, size in heaps:
        high = max(2.0, (_PICTURE - 10) * size / largest)
        parts.append(_mark("piece", at, _PICTURE - 8 - high, _PICTURE - 8))
    if course.first_token is not None:
        parts.append(_mark("first", _share(course.first_token, course.end), 0, _PICTURE))
    return _picture(*parts, height=_PICTURE)


def _heaped(course: Course) -> list[tuple[float, int]]:
    """Where each piece stands, in percent, and its bytes; those that would stand on each other as one, at its first."""
    heaps: dict[int, tuple[float, int]] = {}
    for at, size in course.pieces:
        place = int(_MOST_PIECES * at / course.end) if course.end else 0
        first, before = heaps.get(place, (_share(at, course.end), 0))
        heaps[place] = (first, before + size)
    return list(heaps.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """What one interaction adds to a chart: its layers from the bottom up, by style; `told` in words."""

    layers: tuple[tuple[str, float], ...]
    told: str


def columns(values: Sequence[Column], *, top: float) -> Markup:
    """A column for each interaction; `top`: the value that is as high as the chart."""
    slot = min(_WIDEST, 100 / len(values)) if values else 0
    width = slot * (0.7 if len(values) <= 200 else 1)
    return _picture(*(_column(value, place * slot, width, top) for place, value in enumerate(values)), height=140)


def _column(value: Column, left: float, width: float, top: float) -> Markup:
    bottom = 100.0
    parts = []
    for style, amount in value.layers:
        high = 100 * amount / top if top else 0
        bottom -= high
        parts.append(
            tag(
                "rect", class_=style, x=_percent(left), y=_percent(bottom), width=_percent(width), height=_percent(high)
            )
        )
    if not value.layers:
        parts.append(tag("rect", class_="untold", x=_percent(left), y="96%", width=_percent(width), height="4%"))
    return tag("g", tag("title", value.told), *parts)


# --- shapes


def _picture(*parts: Markup, height: int) -> Markup:
    return tag("svg", join(*parts), class_="picture", width="100%", height=height, aria_hidden="true")


def _bar(style: str, left: float, width: float, top: float, height: float) -> Markup:
    return tag("rect", class_=style, x=_percent(left), width=_percent(width), y=top, height=height)


def _mark(style: str, at: float, top: float, bottom: float | str) -> Markup:
    return tag("line", class_=style, x1=_percent(at), x2=_percent(at), y1=top, y2=bottom)


def _share(part: float, whole: float) -> float:
    return 100 * part / whole if whole else 0.0


def _percent(value: float) -> str:
    return f"{value:.3f}".rstrip("0").rstrip(".") + "%"


def running(values: Sequence[float | None]) -> Iterator[tuple[float, float | None]]:
    """Each value with the sum of those before it."""
    total = 0.0
    for value in values:
        yield total, value
        total += value or 0
