"""Event streams (`text/event-stream`): bytes → events, and where in the bytes each stands. Sans-IO, nothing is rebuilt.

Source: the WHATWG HTML standard, section 9.2. Lines end in LF, CRLF or CR; an empty line ends an event; a line that
starts with a colon is a comment. Unlike a browser we also report the comments, and an event that the end cuts off.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_LINE = re.compile(rb"([^\r\n]*)(\r\n|\n|\r|\Z)")
_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One event, or a run of comments before an empty line (then `data` is empty and `spans` has nothing).

    `kind`: the `event:` field, "" without one. `data`: the `data:` lines joined by LF. `start`, `end`: the bytes of the
    body that it stands in, its empty line included. `spans`: the bytes of each data line's value. `complete`: whether
    its empty line had come.
    """

    kind: str
    data: bytes
    start: int
    end: int
    spans: tuple[tuple[int, int], ...]
    complete: bool


def is_event_stream(content_type: str) -> bool:
    return content_type.partition(";")[0].strip().lower() == "text/event-stream"


def events(body: bytes) -> Iterator[Event]:
    """The events of a whole or a cut stream, in order; together they cover every byte of `body`."""
    kind = ""
    spans: list[tuple[int, int]] = []
    start = 0
    position = len(_BOM) if body.startswith(_BOM) else 0
    while position < len(body):
        match = _LINE.match(body, position)
        assert match is not None
        line_start, line_end = match.span(1)
        position = match.end()
        if line_start == line_end:
            yield _event(body, kind, spans, start, position, complete=True)
            kind, spans, start = "", [], position
            continue
        name, value_start = _field(body, line_start, line_end)
        if name == b"data":
            spans.append((value_start, line_end))
        elif name == b"event":
            kind = body[value_start:line_end].decode("utf-8", "replace")
    if start < len(body):
        yield _event(body, kind, spans, start, len(body), complete=False)


def _field(body: bytes, start: int, end: int) -> tuple[bytes, int]:
    """The field's name and where its value starts (one space behind the colon is no part of it)."""
    colon = body.find(b":", start, end)
    if colon < 0:
        return body[start:end], end
    value = colon + 1
    return body[start:colon], value + 1 if body[value : value + 1] == b" " and value < end else value


def _event(body: bytes, kind: str, spans: list[tuple[int, int]], start: int, end: int, *, complete: bool) -> Event:
    data = b"\n".join(body[a:b] for a, b in spans)
    return Event(kind=kind, data=data, start=start, end=end, spans=tuple(spans), complete=complete)
