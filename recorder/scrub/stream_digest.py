"""What is new in each line of a stream: all that has to be searched to know that there is nothing to be found.

The frames of a stream say the same over and over; of 60 KB, some 8 KB are new. Two frames that differ in the contents
of a few strings give a template; of each further frame like it, only what stands between the template's fixed ends is
kept, and the strings are added up as `streams.columns` does. No edit is made from here: what looks like a hit in a
condensed text is searched for again in the whole.

Why nothing is missed: a template cuts a line at the quotes of a JSON string or beside a JSON number. No expression and
no learned value goes across such a place but a field with its value, for which the end of the fixed text is kept where
a field's name is in it. What lies wholly in fixed text was searched in the frame that gave the template.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice

from recorder.scrub.patterns import PATTERNS, Look
from recorder.scrub.streams import added_up, keys_of, marked
from recorder.wire import json_spans

_NAMES = re.compile(
    b"|".join(sorted({re.escape(anchor) for row in PATTERNS if row.look is Look.FOLDED for anchor in row.anchors}))
)
_TAIL = 64
_PIECE = 1 << 18
_MOST_TEMPLATES = 8
_LEAST_FIXED = 20
"""Bytes. A template with less is not worth its search."""
_SHORT = 40
"""Bytes. Shorter lines that come again (`event: …`, comments) are not searched again."""
_NUMBER = re.compile(rb"[0-9.eE+-]+|true|false|null")


@dataclass(frozen=True, slots=True, kw_only=True)
class Condensed:
    """`parts`: the lines in their order, as far as they are new. `columns`: what the frames' strings add up to."""

    parts: tuple[bytes, ...] = field(repr=False)
    columns: tuple[bytes, ...] = field(repr=False)
    frames: int
    """How many JSON objects were added up."""


class _Path:
    """Where a string stands; its contents, frame after frame, and those of all that differ from it in marks alone."""

    __slots__ = ("alike", "strings")

    def __init__(self, alike: _Path | None) -> None:
        self.strings: list[bytes] = []
        self.alike = alike

    def add(self, strings: Iterable[bytes]) -> None:
        self.strings += strings
        if self.alike is not None:
            self.alike.strings += strings


_Shape = tuple[tuple[object, ...], ...]
"""The paths of all values of a frame, in order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Frame:
    line: bytes
    slots: tuple[json_spans.Value, ...]

    def content(self, slot: json_spans.Value) -> bytes:
        return self.line[slot.start : slot.end]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Template:
    """What two frames have in common. `ends`: for each slot the end of the text before it, if a name is in that."""

    prefix: bytes
    separators: tuple[bytes, ...]
    suffix: bytes
    paths: tuple[_Path | None, ...]  # None for a number
    ends: tuple[bytes, ...]

    def fits(self, line: bytes) -> bool:
        return line.startswith(self.prefix) and line.endswith(self.suffix)

    def take(self, lines: list[bytes], at: int, parts: list[bytes]) -> int:
        """Take the lines from `at` on that are this template's, and return where they end; `parts` gets what is new."""
        columns = self._columns(lines, at)
        taken = min(_good(column, path) for column, path in zip(columns, self.paths, strict=True))
        new: dict[bytes, None] = {}  # routers send a text twice, as `reasoning` and in `reasoning_details`
        for column, path, end in zip(columns, self.paths, self.ends, strict=True):
            contents = column[:taken]
            new[end + (b'"\n' + end).join(contents) + b'"'] = None
            if path is not None:
                path.add(contents)
        parts += new
        return at + taken

    def _columns(self, lines: list[bytes], at: int) -> list[list[bytes]]:
        """The inner loop of recording a stream: half a microsecond a frame."""
        prefix, separators, suffix = self.prefix, self.separators, self.suffix
        first, last, least = len(prefix), -len(suffix), len(prefix) + len(suffix)
        rows = []
        for line in islice(lines, at, None):
            if not line.startswith(prefix) or not line.endswith(suffix) or len(line) < least:
                break
            rest = line[first:last]
            row = []
            for separator in separators:
                content, _, rest = rest.partition(separator)
                row.append(content)
            row.append(rest)
            rows.append(row)
        return [list(column) for column in zip(*rows, strict=True)] or [[] for _ in self.paths]


def _good(column: list[bytes], path: _Path | None) -> int:
    """How many of the contents, from the first on, are what they should be."""
    if path is None:
        checked: Iterable[bool] = (_NUMBER.fullmatch(content) is not None for content in column)
    else:
        joined = b"".join(column)
        if b'"' not in joined and b"\\" not in joined:
            return len(column)
        checked = ((b'"' not in content and b"\\" not in content) or _is_content(content) for content in column)
    return next((index for index, good in enumerate(checked) if not good), len(column))


def condense(text: bytes) -> Condensed | None:
    """None where the text is no stream of JSON objects, one a line, or where its frames have too little in common."""
    if (b"\r" in text and text.count(b"\r") != text.count(b"\r\n")) or text.startswith(b"\xef\xbb\xbf"):
        return None
    return _Condenser().run(text)


class _Condenser:
    __slots__ = ("_constants", "_frames", "_frames_by_shape", "_parsed", "_paths", "_templates")

    def __init__(self) -> None:
        self._constants: set[tuple[_Path, bytes]] = set()
        self._templates: list[_Template] = []
        self._frames_by_shape: dict[_Shape, _Frame] = {}
        self._paths: dict[tuple[object, ...], _Path] = {}
        self._parsed = 0
        self._frames = 0

    def run(self, text: bytes) -> Condensed | None:
        parts: list[bytes] = []
        seen: set[bytes] = set()
        lines = [line for line in _lines(text) if line]
        most_parsed = 24 + len(lines) // 16
        at = 0
        while at < len(lines):
            behind = self._take(lines, at, parts)
            if behind > at:
                self._frames += behind - at
                at = behind
                continue
            line = lines[at]
            at += 1
            if line in seen:
                continue
            if self._parsed > most_parsed or not self._line(line):
                return None
            parts.append(line)
            if len(line) < _SHORT:
                seen.add(line)
        if not self._exact():
            return None
        return Condensed(parts=tuple(parts), columns=tuple(dict.fromkeys(self._columns())), frames=self._frames)

    def _take(self, lines: list[bytes], at: int, parts: list[bytes]) -> int:
        for template in self._templates:
            if template.fits(lines[at]):
                behind = template.take(lines, at, parts)
                if behind > at:
                    return behind
        return at

    def _line(self, line: bytes) -> bool:
        """A line that is to be searched whole. False if it is data that cannot be read line by line."""
        stripped = line.strip()
        is_data = stripped.startswith(b"data:")
        data = stripped[5:].strip() if is_data else stripped
        if not data.startswith(b"{"):
            return not is_data or data == b"[DONE]"
        self._parsed += 1
        self._frames += 1
        try:
            found = marked(line, json_spans.values(line, line.index(b"{")))
        except json_spans.NotJsonError:
            return False
        shape, slots = zip(*found, strict=True) if found else ((), ())
        for path, slot in found:
            if slot.is_string:
                self._path(path).add((line[slot.start : slot.end],))
        frame = _Frame(line=line, slots=slots)
        before = self._frames_by_shape.get(shape)
        self._frames_by_shape[shape] = frame
        if before is not None:
            template = self._template(shape, before, frame)
            if template is not None:
                self._templates = [template, *self._templates[: _MOST_TEMPLATES - 1]]
        return True

    def _path(self, path: tuple[object, ...]) -> _Path:
        known = self._paths.get(path)
        if known is None:
            keys = (None, *keys_of(path))
            alike = self._paths.setdefault(keys, _Path(None))
            known = self._paths[path] = _Path(alike)
        return known

    def _template(self, shape: _Shape, before: _Frame, frame: _Frame) -> _Template | None:
        slots = list(zip(shape, before.slots, frame.slots, strict=True))
        varying = [slot for slot in slots if before.content(slot[1]) != frame.content(slot[2])]
        if not varying:
            return None
        fixed = _fixed(frame.line, [slot for _, _, slot in varying])
        prefix, *separators, suffix = fixed
        if fixed != _fixed(before.line, [slot for _, slot, _ in varying]) or len(prefix) + len(suffix) < _LEAST_FIXED:
            return None
        self._constants.update(
            (self._path(path), frame.content(slot))
            for path, other, slot in slots
            if slot.is_string and slot.start < slot.end and (path, other, slot) not in varying
        )
        return _Template(
            prefix=prefix,
            separators=tuple(separators),
            suffix=suffix,
            paths=tuple(self._path(path) if slot.is_string else None for path, _, slot in varying),
            ends=tuple(_end(part) for part in (prefix, *separators)),
        )

    def _exact(self) -> bool:
        """Whether leaving out what the templates hold fixed made no difference to what the strings add up to."""
        shared = self._shared()
        for path, constant in self._constants:
            around = path.alike if path.alike is not None and path.alike in shared else path
            if any(string != constant for string in around.strings):
                return False
        return True

    def _shared(self) -> set[_Path]:
        counts = Counter(path.alike for path in self._paths.values() if path.alike is not None)
        return {path for path, count in counts.items() if count > 1}

    def _columns(self) -> Iterator[bytes]:
        shared = self._shared()
        for path in self._paths.values():
            if path.alike is not None or path in shared:
                yield added_up(path.strings)


def _lines(text: bytes) -> Iterator[bytes]:
    """In pieces, since nothing else in the process runs while one call splits a long text."""
    start = 0
    while start < len(text):
        end = text.find(b"\n", start + _PIECE)
        end = end if end >= 0 else len(text)
        yield from text[start:end].split(b"\n")
        start = end + 1


def _fixed(line: bytes, varying: Iterable[json_spans.Value]) -> list[bytes]:
    done = 0
    parts = []
    for slot in varying:
        parts.append(line[done : slot.start])
        done = slot.end
    parts.append(line[done:])
    return parts


def _end(fixed: bytes) -> bytes:
    """The quote that a string's fixed text ends with, and what stands before it if a field's name is in that."""
    tail = fixed[-_TAIL:]
    return tail if _NAMES.search(tail.lower()) else b'"'


def _is_content(text: bytes) -> bool:
    """Whether it can be the content of a JSON string: no quote that is not escaped, no escape cut."""
    plain = text.replace(b"\\\\", b"").replace(b'\\"', b"")
    return b'"' not in plain and not plain.endswith(b"\\")
