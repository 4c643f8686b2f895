"""Event streams (`text/event-stream`): bytes → events, and where in the bytes each stands. Sans-IO, nothing is rebuilt.

Source: the WHATWG HTML standard, section 9.2. Lines end in LF, CRLF or CR; an empty line ends an event; a line that
starts with a colon is a comment. Unlike a browser we also report the comments, and an event that the end cuts off.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

_LINE = re.compile(rb"([^\r\n]*)(\r\n|\n|\r|\Z)")
_BOM = b"\xef\xbb\xbf"

# A line's end with an empty line behind it; `\r\n` by itself is one line's end and no empty line.
_EMPTY_LINE = re.compile(rb"\n\n|[\n\r]\r\n?")

_FIRST_WINDOW = 4 * 1024  # bytes of a stream's end that hold its last few events in most streams

_DONE = b"[DONE]"
_TERMINAL_TYPES = ("message_stop", "response.completed", "response.failed", "response.incomplete")
_TERMINAL_SIGNS = tuple(name.encode() for name in _TERMINAL_TYPES)  # what parsing such a frame's JSON is spared by
_STOP, *_OTHERS = _TERMINAL_SIGNS
_BEFORE_OTHERS = b"response."
_LONGEST_SIGN = max(map(len, _TERMINAL_SIGNS))
# In the first events of the streams that end with a terminal frame: OpenAI's two kinds of chunks, then the other two.
_OPENING_SIGNS = (b"chat.completion.chunk", b'"text_completion"', b"message_start", b"response.created")
_LONGEST_WATCHED = 8 * 1024 * 1024  # bytes of one event; a stream with a longer one is not watched on
_LAST_EVENTS = 8  # a terminal frame is the last one, or has a few comments and `[DONE]` behind it


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
    return _events_from(body, 0)


def _events_from(body: bytes, start: int) -> Iterator[Event]:
    kind = ""
    spans: list[tuple[int, int]] = []
    position = len(_BOM) if start == 0 and body.startswith(_BOM) else start
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


def last_events(body: bytes, count: int) -> list[Event]:
    """The last `count` events or fewer, in order, at a cost that depends on their size and not on the stream's."""
    window = _FIRST_WINDOW
    while window < len(body):
        cut = len(body) - window
        boundary = _EMPTY_LINE.search(body, cut)
        if boundary:
            found = list(_events_from(body, boundary.end()))
            if len(found) >= count:
                return found[-count:]
        window *= 4
    return list(events(body))[-count:]


def whole_until(body: bytes | bytearray, start: int) -> int | None:
    """Where the last event ends of those whose last line ends at `start` or later; None if no event does."""
    at = max(body.rfind(pair, start) for pair in (b"\n\n", b"\n\r", b"\r\r"))
    if at < 0:
        return None
    return at + 3 if body[at + 1 : at + 3] == b"\r\n" else at + 2


def has_terminal_frame(body: bytes, content_type: str) -> bool:
    """Whether the stream has said that it is over, so that nothing can be missing, however the connection ended.

    Terminal frames are `data: [DONE]` (OpenAI, OpenRouter), Anthropic's `message_stop`, and `response.completed`,
    `response.failed` and `response.incomplete` of the Responses API. A frame counts when its empty line has come, as
    before that no client dispatches it. `data: [DONE]` counts as soon as its own line is whole: it carries nothing, so
    what the break has cut off behind it is only the empty line.
    """
    if not is_event_stream(content_type) or all(body.rfind(sign) < 0 for sign in (_DONE, *_TERMINAL_SIGNS)):
        return False
    return _terminal_start(body) is not None


def _terminal_start(body: bytes) -> int | None:
    """The byte at which the terminal frame's event starts, None where there is none."""
    return next((event.start for event in last_events(body, _LAST_EVENTS) if _is_terminal(body, event)), None)


def lacks_terminal_frame(body: bytes) -> bool:
    """Of a stream that no terminal frame has ended: whether something is missing, as far as it can be told.

    It is if its last event is cut off, or if it speaks one of the protocols that end with such a frame. Others have
    none, Gemini's for one.
    """
    last = last_events(body, 1)
    return bool(last and not last[0].complete) or any(body.find(sign) >= 0 for sign in _OPENING_SIGNS)


def _has_sign(data: bytes) -> bool:
    """With as few searches as can be, since every piece of every stream is asked."""
    return _DONE in data or _STOP in data or (_BEFORE_OTHERS in data and any(sign in data for sign in _OTHERS))


class TerminalWatch:
    """The same for a stream that is still coming: `feed` it each piece, and it says whether the stream is over.

    A piece costs a search in it; only an event in which a terminal frame's name was found is parsed. `start`: of the
    piece that was fed last, the byte at which the terminal frame's event starts in it, if the stream is over.
    """

    __slots__ = ("_open", "_over", "_suspect", "start")

    def __init__(self) -> None:
        self._open = bytearray()  # from the start of the event that is coming
        self._suspect = False
        self._over = False
        self.start = 0

    def feed(self, data: bytes) -> bool:
        """Whether the terminal frame has come, with this piece or before."""
        self.start = 0
        if self._over or len(self._open) > _LONGEST_WATCHED:
            return self._over
        if not self._open and data.endswith(b"\n\n") and not _has_sign(data):
            return False  # whole events, none of them terminal: nearly every piece of nearly every stream
        before = len(self._open)
        seen = max(0, before - _LONGEST_SIGN)
        self._open += data
        self._suspect = self._suspect or any(self._open.find(sign, seen) >= 0 for sign in (_DONE, *_TERMINAL_SIGNS))
        if self._suspect and (b"\n" in data or b"\r" in data):
            found = _terminal_start(bytes(self._open))
            self._over = found is not None
            self.start = max(0, (found or 0) - before)
        whole = whole_until(self._open, seen)
        if whole is not None:
            del self._open[:whole]
            self._suspect = any(sign in self._open for sign in (_DONE, *_TERMINAL_SIGNS))
        return self._over


def _is_terminal(body: bytes, event: Event) -> bool:
    if event.data.strip() == _DONE:
        return event.complete or body[event.spans[-1][1] : event.spans[-1][1] + 1] in (b"\n", b"\r")
    if not event.complete or not any(sign in event.data for sign in _TERMINAL_SIGNS):
        return False
    try:
        frame = json.loads(event.data)
    except (ValueError, RecursionError):
        return False
    return isinstance(frame, dict) and frame.get("type") in _TERMINAL_TYPES


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
