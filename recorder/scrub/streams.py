"""The texts that the deltas of a stream add up to, piece by piece, and back into the frames that they came in.

What a client would add up is not known for every API, so all is added up that could be: for each path of keys the
strings that stand there in one event after the other, apart by what tells parallel ones apart (`index`, `type`, …), and
once more without that. Frames are not taken apart: the pieces are spans of the body, and edits replace such spans.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from recorder.wire import event_stream, json_spans

_MARKS = frozenset(("index", "output_index", "content_index", "summary_index", "item_id", "type"))
"""What tells parallel texts of one stream apart, as siblings of the text or of something around it."""

_DATA = re.compile(rb"(?:^|[\r\n])data:")
_BATCH = 1 << 16
"""Bytes of JSON read in one call, in which no other thread runs: less than half a millisecond."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A text in pieces: `pieces` are the spans of the body in which it stands, `name` says for a person what it is."""

    name: str
    text: bytes = field(repr=False)
    pieces: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Document:
    """The data of one event, and where in the body its lines stand."""

    data: bytes = field(repr=False)
    spans: tuple[tuple[int, int], ...]
    is_array: bool = False
    """Whether the events are its elements."""

    def body(self, position: int) -> int:
        for start, end in self.spans:
            if position <= end - start:
                return start + position
            position -= end - start + 1
        raise ValueError("the position is outside of the event")


def is_stream(body: bytes) -> bool:
    """Whether a body holds texts in pieces: an event stream, JSON by lines, or an array of JSON objects."""
    start = body[:64].lstrip()
    if start.startswith((b"{", b"[")):
        return start.startswith(b"[") or b"\n{" in body
    return _DATA.search(body, 0, 1 << 16) is not None or b"\ndata:" in body or b"\rdata:" in body


def texts(body: bytes) -> Iterator[bytes]:
    """What the pieces add up to, decoded: all that it takes to see that nothing has to be replaced."""
    try:
        yield from _plain_texts(body)
    except ValueError:
        yield from (column.text for column in columns(body))


def _plain_texts(body: bytes) -> Iterator[bytes]:
    """For a body of one JSON object a line; `ValueError` for any other."""
    collected: dict[Any, list[str]] = {}
    for batch in _batches(body):
        for node in json.loads(batch):
            _walk(node, (), collected)
    apart: dict[tuple[str, ...], int] = {}
    for path, strings in collected.items():
        yield added_up([string.encode("utf-8", "surrogatepass") for string in strings])
        keys = keys_of(path)
        apart[keys] = apart.get(keys, 0) + 1
    if any(count > 1 for count in apart.values()):
        # Rare (parallel tool calls, several choices), so that the order in which the pieces came is looked up again.
        yield from (column.text for column in columns(body))


def added_up(strings: list[bytes]) -> bytes:
    if len(strings) > 2 and strings.count(strings[0]) == len(strings):
        strings = strings[:2]  # an id or a model's name in each event
    return b"".join(strings)


def keys_of(path: tuple[object, ...]) -> tuple[str, ...]:
    """A path without marks and places in arrays."""
    return tuple(part for part in path if isinstance(part, str))


def _batches(body: bytes) -> Iterator[bytes]:
    batch: list[bytes] = []
    size = 0
    by_line = body.lstrip()[:1] == b"{"
    for line in body.split(b"\n") if b"\r" not in body else body.splitlines():
        data = line if by_line else line[5:] if line.startswith(b"data:") else b""
        if not data or data.strip() == b"[DONE]":
            continue
        if data.lstrip()[:1] != b"{":
            raise ValueError("expected an object")
        batch.append(data)
        size += len(data)
        if size > _BATCH:
            yield b"[" + b",".join(batch) + b"]"
            batch, size = [], 0
    yield b"[" + b",".join(batch) + b"]"


def _walk(node: Any, path: Any, collected: dict[Any, list[str]]) -> None:
    items: Iterable[tuple[Any, Any]]
    marks: Any = ()
    if type(node) is dict:
        items = node.items()
        marks = node.keys() & _MARKS
        if marks:
            path = _with_marks(node, path, sorted(marks))
    else:
        items = enumerate(node)
    for key, value in items:
        kind = type(value)
        if kind is str:
            if key not in marks:
                collected.setdefault((*path, key), []).append(value)
        elif kind is dict or kind is list:
            _walk(value, (*path, key), collected)


def _with_marks(node: dict[str, Any], path: Any, marks: list[str]) -> Any:
    # The place in an array says nothing where an index is given.
    if "index" in marks and path and type(path[-1]) is int:
        path = path[:-1]
    return (*path, *[(name, str(node[name])) for name in marks])


def columns(body: bytes) -> Iterator[Column]:
    """The texts of a body: apart by their marks, and once more without these where that makes a difference.

    What was not sent in turns comes together first, so that a text whose marks change on the way is one.
    """
    fine: dict[tuple[object, ...], list[tuple[int, int]]] = {}
    coarse: dict[tuple[str, ...], list[tuple[int, int]]] = {}
    apart: dict[tuple[str, ...], set[tuple[object, ...]]] = {}
    for document in _documents(body):
        for path, start, end in _strings(document):
            span = (document.body(start), document.body(end))
            keys = keys_of(path)
            fine.setdefault(path, []).append(span)
            coarse.setdefault(keys, []).append(span)
            apart.setdefault(keys, set()).add(path)
    shared = {keys: pieces for keys, pieces in coarse.items() if len(apart[keys]) > 1}
    in_turns = {keys for keys in shared if not _is_sequence([fine[path] for path in apart[keys]])}
    yield from (_column(body, keys, pieces) for keys, pieces in shared.items() if keys not in in_turns)
    yield from (_column(body, path, pieces) for path, pieces in fine.items())
    yield from (_column(body, keys, shared[keys]) for keys in in_turns)


def _is_sequence(texts_apart: list[list[tuple[int, int]]]) -> bool:
    """Whether one text ends before the next begins."""
    ordered = sorted(texts_apart)
    return all(first[-1] <= second[0] for first, second in pairwise(ordered))


def _column(body: bytes, path: tuple[object, ...], pieces: list[tuple[int, int]]) -> Column:
    name = ".".join(keys_of(path))
    return Column(name=name, text=b"".join(body[start:end] for start, end in pieces), pieces=tuple(pieces))


def _documents(body: bytes) -> Iterator[_Document]:
    start = body[:64].lstrip()[:1]
    if start == b"[":
        yield _Document(data=body, spans=((0, len(body)),), is_array=True)
        return
    if start == b"{":
        position = 0
        for line in body.split(b"\n"):
            yield _Document(data=line, spans=((position, position + len(line)),))
            position += len(line) + 1
        return
    for event in event_stream.events(body):
        if event.spans:
            yield _Document(data=event.data, spans=event.spans)


def _strings(document: _Document) -> Iterator[tuple[tuple[object, ...], int, int]]:
    """The path of each string, with the marks of what is around it, and where it stands in the document."""
    try:
        found = json_spans.values(document.data)
    except json_spans.NotJsonError as error:
        found = error.found
    if not found or document.data.lstrip()[:1] not in {b"{", b"[", b'"'}:
        yield ("data",), 0, len(document.data)
        return
    for path, value in marked(document.data, found, skip=document.is_array):
        if value.is_string:
            yield path, value.start, value.end


def marked(
    data: bytes, found: list[json_spans.Value], *, skip: bool = False
) -> list[tuple[tuple[object, ...], json_spans.Value]]:
    """Each value but the marks, with the marks around it in its path; `skip`: without the outermost array's places."""
    marks: dict[json_spans.Path, list[tuple[str, bytes]]] = {}
    others = []
    for value in found:
        last = value.path[-1] if value.path else ""
        if last in _MARKS:
            marks.setdefault(value.path[:-1], []).append((str(last), data[value.start : value.end]))
        else:
            others.append(value)
    return [(_marked(value.path, marks, skip=skip), value) for value in others]


def _marked(
    path: json_spans.Path, marks: dict[json_spans.Path, list[tuple[str, bytes]]], *, skip: bool
) -> tuple[object, ...]:
    parts: list[object] = list(marks.get((), ()))
    for depth, part in enumerate(path, 1):
        here = marks.get(path[:depth], ())
        # The place in an array says nothing where an index is given; the first array's places are the events.
        if not (skip and depth == 1) and not (isinstance(part, int) and any(name == "index" for name, _ in here)):
            parts.append(part)
        parts += here
    return tuple(parts)
