"""The direct path: interactions spelled as go-vcr and our writer spell them, read without a YAML parser.

It never refuses anything. What is spelled in any other way is `ForeignError`, and `yaml_reader.py` then judges; what
runs into the end of the file while all is well so far is `TornError`, an interaction cut off in mid-write. What it does
take, it takes for the same as a YAML parser would: a test holds the two against each other.

Nearly every interaction is taken by the three patterns of `head_patterns.py`, any other line by line, to the same
result. Bodies are found, taken out of their indentation and checked as a whole (`rfind`, `rsplit`, `in`).
"""

from __future__ import annotations

import mmap
import re
from io import BytesIO
from sys import intern
from typing import Any, TypeVar

from recorder.cassette.document import Layout
from recorder.cassette.duration import parse_duration
from recorder.cassette.head_patterns import usual
from recorder.cassette.layout_form import Block, form_of
from recorder.cassette.scalar_reader import ForeignError, base64, check, double_quoted, single_quoted
from recorder.cassette.scalars import INDICATOR, SURELY_PLAIN, is_old
from recorder.cassette.schema import ALWAYS_IN_REQUEST, ALWAYS_IN_RESPONSE, NULLS, REQUEST, RESPONSE, Kind
from recorder.model import NO_FIELDS, Fields, Interaction, Request, Response

_Key = TypeVar("_Key")
_Value = TypeVar("_Value")

Data = bytes | mmap.mmap
"""Text to read. A mapped file is never in memory as a whole."""

_NULLS = frozenset(word.encode() for word in NULLS)
_REQUEST = {key.encode(): kind for key, kind in REQUEST.items()}
_RESPONSE = {key.encode(): kind for key, kind in RESPONSE.items()}
_ALWAYS_IN_REQUEST, _ALWAYS_IN_RESPONSE = frozenset(ALWAYS_IN_REQUEST), frozenset(ALWAYS_IN_RESPONSE)

_INTEGER = re.compile(rb"0|-?[1-9][0-9]{0,18}")
_BLOCK_HEADER = re.compile(rb"\|([1-9]?)([-+]?)")
_LONGEST_SIMPLE_KEY = 128
_MOST_VALUES = 4096  # of headers, to hold once
_MOST_FIELDS = 256  # the same, of whole sets of headers
_LONGEST_START = 64  # more than any line has before its value
_CHUNK = 2**20
_FIRST_WINDOW = 2**14


class TornError(Exception):
    """The file ends in the middle of an interaction."""


class _UnusualError(Exception):
    """More than the patterns of `head_patterns.py` take."""


class _Headers:
    """Headers, and each of what they say, by their spelling: most are the same in every interaction.

    `value` parts their lines. `is_old`: whether one is spelled as an older go-yaml alone spells it.
    """

    __slots__ = ("_fields", "_value", "_values", "is_old")

    def __init__(self, value: re.Pattern[str]) -> None:
        self._value = value
        self._fields: dict[bytes, Fields] = {}
        self._values: dict[str, tuple[str]] = {}
        self.is_old = False

    def fields(self, lines: bytes | None) -> Fields:
        if lines is None:
            return NO_FIELDS
        return self._fields.get(lines) or self._new_fields(lines)

    def _new_fields(self, lines: bytes) -> Fields:
        found: dict[str, tuple[str, ...]] = {}
        last = ""
        for name, token in self._value.findall(lines.decode()):
            values = self._values.get(token) or self._new_value(token)
            if not name:
                found[last] += values
            elif name in found:
                raise ForeignError
            else:
                last = intern(name)
                found[last] = values
        return _keep(self._fields, lines, Fields.of(found), most=_MOST_FIELDS)

    def _new_value(self, token: str) -> tuple[str]:
        """What a header says, plain or in quotes without anything to undo."""
        text = token[1:-1] if token[0] in "'\"" else token
        if token[0] == "'" and is_old(text.encode()):
            self.is_old = True
        return _keep(self._values, token, (text,), most=_MOST_VALUES)


def _stretch(data: Data, pattern: re.Pattern[bytes], position: int) -> re.Match[bytes]:
    match = pattern.match(data, position)
    if match is None:
        raise _UnusualError
    return match


class DirectReader:
    """One file in one layout. `candidate` is the go-yaml that wrote it (see `Layout`), as soon as a scalar tells."""

    __slots__ = ("_data", "_form", "_headers", "_patterns", "_window", "candidate")

    def __init__(self, data: Data, layout: Layout) -> None:
        self._data = data
        self._form = form_of(layout)
        self._patterns = usual(layout)
        self._headers = _Headers(self._patterns.value)
        self._window = _FIRST_WINDOW
        self.candidate: int | None = None

    def interaction(self, position: int) -> tuple[Interaction, int]:
        """The interaction at `position`, and where it ends. ForeignError; TornError if the file ends in it."""
        try:
            return self._usual(position)
        except _UnusualError:
            return self._by_lines(position)

    def _usual(self, position: int) -> tuple[Interaction, int]:
        """An interaction as nearly all are. _UnusualError if it is another."""
        patterns = self._patterns
        head = _stretch(self._data, patterns.head, position)
        sent, position = self._usual_body(head.end()) if head["body"] else (b"", head.end())
        middle = _stretch(self._data, patterns.middle, position)
        body, position = self._usual_body(middle.end())
        tail = _stretch(self._data, patterns.tail, position)
        try:
            request = Request(
                proto=_text(head["proto"]),
                proto_major=int(head["proto_major"]),
                proto_minor=int(head["proto_minor"]),
                content_length=int(head["content_length"]),
                host=_text(head["host"]),
                body=sent,
                headers=self._headers.fields(middle["headers"]),
                url=_text(middle["url"]),
                method=_text(middle["method"]),
            )
            response = Response(
                proto=_text(middle["proto"]),
                proto_major=int(middle["proto_major"]),
                proto_minor=int(middle["proto_minor"]),
                transfer_encoding=("chunked",) if middle["chunked"] else (),
                content_length=int(middle["content_length"]),
                uncompressed=middle["uncompressed"] is not None,
                body=body,
                headers=self._headers.fields(tail["headers"]),
                status=_text(tail["status"]),
                code=int(tail["code"]),
                duration=parse_duration(tail["duration"].decode()),
            )
        except ValueError as error:  # a number of more than 64 bits, a duration that is none
            raise ForeignError from error
        if self._headers.is_old:
            self.candidate = 6
        return Interaction(request=request, response=response), tail.end()

    def _usual_body(self, position: int) -> tuple[bytes, int]:
        """The body that is spelled from `position` on, and where what follows it starts."""
        end = self._line_end(position)
        if end < 0:
            raise _UnusualError
        quote = self._data[position : position + 1]
        if quote in {b"'", b'"'} and end - position > 1 and self._data[end - 1 : end] == quote:
            return self._quoted(quote, self._data[position + 1 : end - 1]), end + 1  # copied once: it may be large
        return self._scalar(self._data[position:end], end + 1, self._form.block, b" ")

    def _by_lines(self, position: int) -> tuple[Interaction, int]:
        form = self._form
        position = self._expect(form.item, form.item_start, position)
        position = self._expect(form.request, form.request_line, position)
        request, position = self._mapping(position, _REQUEST, "method")
        position = self._expect(form.response, form.response_line, position)
        response, position = self._mapping(position, _RESPONSE, "duration")
        if not (request.keys() >= _ALWAYS_IN_REQUEST and response.keys() >= _ALWAYS_IN_RESPONSE):
            raise ForeignError
        try:
            return Interaction(request=Request(**request), response=Response(**response)), position
        except ValueError as error:  # a number of more than 64 bits
            raise ForeignError from error

    def _line(self, position: int) -> tuple[bytes, int]:
        """The line at `position` and where the next one starts."""
        end = self._line_end(position)
        if end >= 0:
            return self._data[position:end], end + 1
        part = self._data[position : position + _LONGEST_START]
        if any(start.startswith(part) or part.startswith(start) for start in self._form.starts):
            raise TornError
        raise ForeignError

    def _line_end(self, position: int) -> int:
        """Where the line at `position` ends, or -1. ForeignError if a NUL is seen first, as in the tail of a file
        whose blocks were never written: then there may be gigabytes of it."""
        end = self._data.find(b"\n", position, position + _CHUNK)
        while end < 0 and position < len(self._data):
            if self._data.find(b"\0", position, position + _CHUNK) >= 0:
                raise ForeignError
            position += _CHUNK
            end = self._data.find(b"\n", position, position + _CHUNK)
        return end

    def _expect(self, expected: re.Pattern[bytes], start: bytes, position: int) -> int:
        """Where the line behind `expected` starts; `start` is what such a line starts with."""
        if line := expected.match(self._data, position):
            return line.end()
        part = self._data[position : position + _LONGEST_START]
        if start.startswith(part) or (b"\n" not in part and expected.fullmatch(part + b"\n")):
            raise TornError
        raise ForeignError

    def _mapping(self, position: int, kinds: dict[bytes, Kind], last: str) -> tuple[dict[str, Any], int]:
        """A request or a response. Its `last` key ends it: behind that, no more of it may be missing."""
        found: dict[str, Any] = {}
        pad = self._form.field
        while True:
            line, position = self._line(position)
            key, colon, rest = line[len(pad) :].partition(b":")
            name = key.decode("ascii", "replace")
            if not (line.startswith(pad) and colon and key in kinds) or name in found:
                raise ForeignError
            found[name], position = self._value(kinds[key], rest, position)
            if name == last:
                return found, position

    def _value(self, kind: Kind, rest: bytes, position: int) -> tuple[Any, int]:
        """The value of a key: `rest` is what stands behind its colon, `position` where the next line starts."""
        if kind is Kind.TEXT:
            text, position = self._scalar(rest[1:], position, self._form.block, rest[:1])
            return text.decode("utf-8", "surrogateescape"), position
        if kind is Kind.BODY:
            return self._scalar(rest[1:], position, self._form.block, rest[:1])
        if kind is Kind.FIELDS:
            return self._fields(rest, position)
        if kind is Kind.LIST:
            return self._list(rest, position)
        return _plain_value(kind, rest), position

    def _list(self, rest: bytes, position: int) -> tuple[tuple[str, ...], int]:
        if rest == b" []":
            return (), position
        if rest:
            raise ForeignError
        return self._items(position, self._form.list_item, self._form.list_block)

    def _fields(self, rest: bytes, position: int) -> tuple[Fields, int]:
        found: dict[str, tuple[str, ...]] = {}
        if rest == b" {}":
            return Fields.of(found), position
        if rest:
            raise ForeignError
        while True:
            line, next_line = self._line(position)
            if not line.startswith(self._form.name):
                break
            position = self._name(line, next_line, found)
        if not found:
            raise ForeignError
        return Fields.of(found), position

    def _name(self, line: bytes, position: int, found: dict[str, tuple[str, ...]]) -> int:
        empty = line.endswith(b": []")
        key = line[len(self._form.name) :].removesuffix(b" []")
        name = self._flow(key[:-1]).decode("utf-8", "surrogateescape")
        if not key.endswith(b":") or name in found or len(key) > _LONGEST_SIMPLE_KEY:
            raise ForeignError
        if empty:
            found[name] = ()
        else:
            found[name], position = self._items(position, self._form.name_item, self._form.name_block)
        return position

    def _items(self, position: int, start: bytes, block: Block) -> tuple[tuple[str, ...], int]:
        values: list[str] = []
        while True:
            line, next_line = self._line(position)
            if not line.startswith(start):
                break
            value, position = self._scalar(line[len(start) :], next_line, block, b" ")
            values.append(value.decode("utf-8", "surrogateescape"))
        if not values:
            raise ForeignError
        return tuple(values), position

    def _scalar(self, token: bytes, position: int, block: Block, space: bytes) -> tuple[bytes, int]:
        """A string, and where what follows it starts. `space`: what stood between the colon and it."""
        if space != b" ":
            raise ForeignError
        if token.startswith(b"|"):
            return self._literal(token, position, block)
        if token == b"!!binary |":
            encoded, position = self._literal(b"|", position, block)
            return base64(encoded.replace(b"\n", b"")), position
        return self._flow(token), position

    def _literal(self, token: bytes, position: int, block: Block) -> tuple[bytes, int]:
        header = _BLOCK_HEADER.fullmatch(token)
        if header is None or header[1] not in (b"", block.digit):
            raise ForeignError
        text, position = self._body(position, block) or self._lines(position, block)
        if not header[1]:
            self._without_digit(text)
        if header[2] != b"+":
            text = text.rstrip(b"\n") + (b"" if header[2] else b"\n")
        return text, position

    def _body(self, position: int, block: Block) -> tuple[bytes, int] | None:
        """The text of a block that headers follow, as they do nearly every body; None if it is another one.

        Each line of it is indented or empty. In most event streams every other one is empty, and nothing else is: then
        what is parted by an empty line and an indentation has no line break of its own.
        """
        end = self._behind_body(position)
        if not end or self._data[position : position + len(block.pad)] != block.pad:
            return None
        lines = self._data[position + len(block.pad) : end]
        if lines.startswith(b"\n"):  # a line of nothing but its indentation
            return None
        events = lines.rsplit(b"\n\n" + block.pad)  # twice as fast as `split`, which CPython searches for forwards
        last = events[-1]
        events[-1] = last.rstrip(b"\n")
        if b"\n" not in b"".join(events):
            events[-1] = last
            text = b"\n\n".join(events)
        else:
            texts = lines.rsplit(b"\n" + block.pad)
            rows = BytesIO(lines).readlines()  # a third of the time that it takes to count line breaks
            if len(rows) != len(texts) + rows.count(b"\n"):
                return None
            text = b"\n".join(texts)
        check(text, tabs=True)
        return text, end

    def _behind_body(self, position: int) -> int:
        """Where the headers behind a body start, 0 if none are near.

        A copy is made and looked through from its end: CPython's `rfind` takes a fourth of the time of its `find`, but
        not over memory that is far from the processor.
        """
        size = self._window
        while size <= _CHUNK:
            near, end, found = self._data[position : position + size], size, -1
            while (at := near.rfind(self._form.behind_body, 0, end)) >= 0:
                end = found = at
            if found >= 0:
                self._window = size if found > size // 8 else _FIRST_WINDOW  # the next body may well be as long
                return position + found + 1
            if len(near) < size:
                return 0
            position += size - len(self._form.behind_body)
            size *= 4
        return 0

    def _lines(self, position: int, block: Block) -> tuple[bytes, int]:
        """The text of any block."""
        # From the line break of the header, so that a block without any text ends where it starts.
        end = block.end.search(self._data, position - 1)
        if end is None:
            self._line_end(self._data.rfind(b"\n") + 1)
            raise TornError
        rest = self._data[end.end() : end.end() + _LONGEST_START]
        if b"\n" not in rest and end.end() + len(rest) == len(self._data):
            self._line(end.end())  # what it raises is the judgement: no interaction ends in a block
        text = b"\n".join(self._data[position - 1 : end.end()].rsplit(b"\n" + block.pad))[1:]
        check(text, tabs=True)
        return text, end.end()

    def _without_digit(self, text: bytes) -> None:
        """Refuse a block whose indentation a reader would not find, or find elsewhere; see which go-yaml wrote it."""
        if text.startswith(b"\n"):
            self.candidate = 6
        if text.lstrip(b"\n")[:1] in (b"", b" ", b"\t"):
            raise ForeignError

    def _flow(self, token: bytes) -> bytes:
        """A string on one line: plain, in quotes, or `!!binary`."""
        if SURELY_PLAIN.fullmatch(token):
            if token in _NULLS:
                raise ForeignError
            return token
        if token.startswith((b"'", b'"')):
            if len(token) < 2 or token[:1] != token[-1:]:
                raise ForeignError
            return self._quoted(token[:1], token[1:-1])
        if token.startswith(b"!!binary "):
            return base64(token[len(b"!!binary ") :])
        if not token or token in _NULLS or token == b"<<" or token != token.strip(b" ") or INDICATOR.match(token):
            raise ForeignError
        check(token, tabs=False)
        return token

    def _quoted(self, quote: bytes, text: bytes) -> bytes:
        if quote == b'"':
            return double_quoted(text)
        text = single_quoted(text)
        if is_old(text):
            self.candidate = 6
        return text


def _keep(known: dict[_Key, _Value], key: _Key, value: _Value, *, most: int) -> _Value:
    """Have `value` at hand from now on, among `most` others at most."""
    if len(known) >= most:
        known.clear()
    known[key] = value
    return value


def _text(token: bytes) -> str:
    return "" if token == b'""' else token.decode()


def _plain_value(kind: Kind, rest: bytes) -> int | bool:
    """A number, a duration in nanoseconds, or a flag."""
    token = rest[1:]
    if not rest.startswith(b" "):
        raise ForeignError
    if kind is Kind.NUMBER and _INTEGER.fullmatch(token):
        return int(token)
    if kind is Kind.FLAG and token in (b"true", b"false"):
        return token == b"true"
    if kind is Kind.DURATION and not token.endswith(b"0"):  # Go's `0` has no unit, and go-yaml takes it for a number
        try:
            return parse_duration(token.decode())
        except ValueError as error:  # UnicodeDecodeError is one
            raise ForeignError from error
    raise ForeignError
