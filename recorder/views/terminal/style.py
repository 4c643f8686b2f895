"""Lines of styled text → text for a terminal. What a line says may come from anyone, and can do nothing but be seen.

A renderer makes spans of plain text and the name of a style; the escape sequences are put in here, and only here, after
everything that a terminal would obey has been spelled out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from recorder import humanize

Style = Literal["", "head", "role", "strong", "faint", "call", "bad", "added", "removed"]

# SGR codes (ECMA-48, 8.3.117); the eight colours only, which every scheme has made readable.
_CODES: dict[Style, str] = {
    "head": "1;33",
    "role": "1;36",
    "strong": "1",
    "faint": "2",
    "call": "35",
    "bad": "1;31",
    "added": "32",
    "removed": "31",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    text: str
    style: Style = ""


Line = tuple[Span, ...]
BLANK: Line = ()


def line(*parts: str | Span, style: Style = "", indent: int = 0) -> Line:
    """One line; what is no span yet has `style`."""
    spans = (part if isinstance(part, Span) else Span(text=part, style=style) for part in parts)
    return (Span(text=" " * indent), *spans) if indent else tuple(spans)


def lines(text: str, *, style: Style = "", indent: int = 0) -> Iterator[Line]:
    """Text of more lines than one. Only LF ends a line: what else may end one is spelled out."""
    return (line(row, style=style, indent=indent if row else 0) for row in text.removesuffix("\n").split("\n"))


def paint(rows: Iterable[Line], *, colour: bool) -> Iterator[str]:
    """Each line as it goes out, with its line end."""
    for row in rows:
        yield "".join(_painted(span, colour=colour) for span in row) + "\n"


def _painted(span: Span, *, colour: bool) -> str:
    text = humanize.visible(span.text)
    code = _CODES.get(span.style)
    return f"\x1b[{code}m{text}\x1b[m" if colour and code and text else text
