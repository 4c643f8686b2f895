"""The general path: any YAML that is a cassette, through PyYAML's events. Strict, and safe with hostile input.

Only events are used, never PyYAML's composer or constructors: the composer recurses (25,000 brackets end the process),
and constructors guess types, where here the format says what a scalar is. Aliases are refused when they are seen, so
nothing can grow. Depth, the number of events and the size of the text are bounded.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NoReturn, TypeGuard

import yaml

from recorder.cassette.duration import parse_duration
from recorder.cassette.schema import NEEDED_IN_REQUEST, NEEDED_IN_RESPONSE, NULLS, REQUEST, RESPONSE, Kind
from recorder.errors import CassetteError
from recorder.model import INT64_MAX, INT64_MIN, Fields, Interaction, Request, Response

_DEEPEST = 32  # a cassette is 6 levels deep
_MOST_EVENTS = 200_000  # for one interaction, or one key that is none of a cassette's

_TRUE, _FALSE = frozenset(("true", "True", "TRUE")), frozenset(("false", "False", "FALSE"))
_INTEGER = re.compile(r"0|-?[1-9][0-9]{0,18}")
_ZEROS = {"proto": "", "proto_major": 0, "proto_minor": 0}  # Go's, where the model has others
_CUT = "the file may have been cut; record it again"
_BINARY = "tag:yaml.org,2002:binary"

# libyaml where PyYAML was built with it, as all its wheels are; the events are the same.
_Parser: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Scalar:
    line: int
    text: str
    plain: bool
    binary: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sequence:
    line: int
    items: list[_Node]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Mapping:
    line: int
    pairs: dict[str, _Node]


_Node = _Scalar | _Sequence | _Mapping


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A whole file. `dash`: the column of its interactions' dashes; None if another one cannot be appended as it is."""

    interactions: tuple[Interaction, ...]
    dash: int | None


def document(data: bytes, name: str) -> Document:
    """The cassette that `data` is, of a size that `reader.py` keeps within bounds. CassetteError."""
    return _Events(data, name, 1).document()


def interaction(data: bytes, name: str, line: int) -> Interaction:
    """The one interaction that `data` holds: some lines of a file, the first of them being `line`. CassetteError."""
    return _Events(data, name, line).lone_interaction()


class _Events:
    """The events of one text, with one event of look-ahead, its name and line for errors."""

    def __init__(self, data: bytes, name: str, first_line: int) -> None:
        self._data = data
        self._name = name
        self._first_line = first_line
        self._left = _MOST_EVENTS
        if data.startswith((b"\xff\xfe", b"\xfe\xff")):
            self.refuse(1, "UTF-8", "UTF-16")
        if not data:
            self.refuse(0, "a cassette", "an empty file", "record it again")
        if not data.endswith(b"\n"):
            self.refuse(self._line_at(len(data)), "a line break at the end of the file", "none", _CUT)
        self._parser = _Parser(data)

    def refuse(self, line: int, expected: str, found: str, advice: str = "") -> NoReturn:
        raise CassetteError(name=self._name, line=line, expected=expected, found=found, advice=advice)

    def _line_at(self, offset: int) -> int:
        return self._first_line + self._data.count(b"\n", 0, offset)

    def _next(self) -> Any:
        self._left -= 1
        try:
            event = self._parser.get_event()
        except yaml.reader.ReaderError as error:
            # libyaml counts bytes; the parser in Python counts characters, which is near enough for a line's number.
            self.refuse(self._line_at(error.position), "UTF-8 text of printable characters", str(error.reason))
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            line = mark.line + self._first_line if mark else self._first_line
            self.refuse(line, "YAML", " ".join(filter(None, (error.context, error.problem))), _CUT)
        except (ValueError, OverflowError) as error:  # an escape that is no character, in the parser in Python
            self.refuse(self._first_line, "YAML", str(error))
        if self._left < 0:
            self.refuse(self._line(event), "an interaction", f"more than {_MOST_EVENTS} values in one place")
        return event

    def _line(self, event: Any) -> int:
        line: int = event.start_mark.line
        return self._first_line + line

    def _start(self, expected: str) -> Any:
        """The first event of the text's one document."""
        event = self._next()
        while isinstance(event, (yaml.StreamStartEvent, yaml.DocumentStartEvent)):
            event = self._next()
        if isinstance(event, yaml.StreamEndEvent):
            self.refuse(self._first_line, expected, "nothing", "record it again")
        return event

    def _finish(self) -> bool:
        """Whether the document was ended with `...`. Nothing may follow it."""
        end = self._next()
        event = self._next()
        if not isinstance(event, yaml.StreamEndEvent):
            self.refuse(self._line(event), "the end of the file", "a second document")
        return bool(end.explicit)

    def lone_interaction(self) -> Interaction:
        event = self._start("an interaction")
        if not isinstance(event, yaml.SequenceStartEvent):
            self.refuse(self._line(event), "an interaction", _kind(event))
        found = self._interaction(self._next())
        event = self._next()
        if not isinstance(event, yaml.SequenceEndEvent):
            self.refuse(self._line(event), "one interaction", "two")
        if self._finish():
            self.refuse(self._line(event), "an interaction", "the end of a document")
        return found

    def document(self) -> Document:
        event = self._start("a cassette")
        line = self._line(event)
        if not isinstance(event, yaml.MappingStartEvent):
            self.refuse(line, "a mapping with `version` and `interactions`", _kind(event), "is this a cassette?")
        self._plainness(event)
        seen: dict[str, int] = {}
        found: tuple[Interaction, ...] = ()
        dash: int | None = None
        for key, key_line in self._keys(seen):
            self._left = _MOST_EVENTS
            if key == "version":
                self._version(self._node(self._next(), 1), key_line)
                dash = None
            elif key == "interactions":
                found, dash = self._interactions(self._next())
            else:
                self._node(self._next(), 1)
                dash = None
        end = self._finish()
        for key in ("version", "interactions"):
            if key not in seen:
                self.refuse(line, f"the key `{key}`", "none", "is this a cassette?")
        return Document(interactions=found, dash=None if end else dash)

    def _version(self, node: _Node, line: int) -> None:
        version = node.text if isinstance(node, _Scalar) and node.plain else ""
        if version == "1":
            advice = "this is a cassette of go-vcr v1 to v3's first format; record it again"
            self.refuse(line, "version: 2", "version: 1", advice)
        if version != "2":
            self.refuse(line, "version: 2", "another version", "only go-vcr's version 2 is known")

    def _interactions(self, event: Any) -> tuple[tuple[Interaction, ...], int | None]:
        if isinstance(event, yaml.ScalarEvent):
            if _is_null(self._scalar(event)):
                return (), None
            self.refuse(self._line(event), "a list of interactions", "a text")
        if not isinstance(event, yaml.SequenceStartEvent):
            self.refuse(self._line(event), "a list of interactions", _kind(event))
        self._plainness(event)
        mark: Any = event.start_mark
        found = []
        while not isinstance(item := self._next(), yaml.SequenceEndEvent):
            found.append(self._interaction(item))
            self._left = _MOST_EVENTS
        return tuple(found), None if event.flow_style or not found else mark.column

    def _interaction(self, event: Any) -> Interaction:
        node = self._node(event, 2)
        pairs = self._pairs(node, "an interaction: a mapping with `request` and `response`")
        if "id" in pairs:
            self._integer(pairs["id"], "id")
        request = self._part(node, pairs, "request", REQUEST, NEEDED_IN_REQUEST)
        response = self._part(node, pairs, "response", RESPONSE, NEEDED_IN_RESPONSE)
        return Interaction(request=Request(**request), response=Response(**response))

    def _part(
        self, parent: _Node, pairs: dict[str, _Node], name: str, kinds: dict[str, Kind], needed: tuple[str, ...]
    ) -> dict[str, Any]:
        node = pairs.get(name)
        if node is None:
            self.refuse(parent.line, f"a {name}", "an interaction without one", _CUT)
        values = self._pairs(node, f"a {name}: a mapping")
        for key in needed:
            if key not in values:
                self.refuse(node.line, f"a {name} with `{key}`", "none", _CUT)
        return _ZEROS | {key: self._value(values[key], key, kinds[key]) for key in kinds if key in values}

    # Nodes: the text's own structure, with all that the format never uses refused.

    def _plainness(self, event: Any) -> None:
        """Refuse anchors, and tags other than `!!binary` on a scalar."""
        if getattr(event, "anchor", None) is not None:
            self.refuse(self._line(event), "text without anchors", "an anchor", "write the value out")
        tag = getattr(event, "tag", None)
        if tag is not None and not (tag == _BINARY and isinstance(event, yaml.ScalarEvent)):
            self.refuse(self._line(event), "no tag but !!binary", "a tag", "take it out")

    def _node(self, event: Any, depth: int) -> _Node:
        if isinstance(event, yaml.ScalarEvent):
            return self._scalar(event)
        line = self._line(event)
        if isinstance(event, yaml.AliasEvent):
            self.refuse(line, "text without aliases", "an alias", "write the value out")
        self._plainness(event)
        if depth >= _DEEPEST:
            self.refuse(line, f"at most {_DEEPEST} levels", "more")
        if isinstance(event, yaml.SequenceStartEvent):
            items: list[_Node] = []
            while not isinstance(item := self._next(), yaml.SequenceEndEvent):
                items.append(self._node(item, depth + 1))
            return _Sequence(line=line, items=items)
        pairs: dict[str, _Node] = {}
        for key, _ in self._keys({}):
            pairs[key] = self._node(self._next(), depth + 1)
        return _Mapping(line=line, pairs=pairs)

    def _scalar(self, event: Any) -> _Scalar:
        self._plainness(event)
        plain = event.style is None or event.style == ""
        line = self._line(event)
        return _Scalar(line=line, text=event.value, plain=plain and event.tag is None, binary=event.tag is not None)

    def _keys(self, seen: dict[str, int]) -> Iterator[tuple[str, int]]:
        """The keys of the mapping that has just been entered, each once. The caller takes the value of each."""
        while not isinstance(event := self._next(), yaml.MappingEndEvent):
            line = self._line(event)
            if not isinstance(event, yaml.ScalarEvent):
                self.refuse(line, "a key that is a text", _kind(event))
            scalar = self._scalar(event)
            if scalar.plain and scalar.text == "<<":
                self.refuse(line, "text without merge keys", "`<<`", "write the values out")
            key = self._text(scalar, "a key").decode("utf-8", "surrogateescape")
            if key in seen:
                self.refuse(line, "each key once", f"{key[:60]!r} again (first in line {seen[key]})", _CUT)
            seen[key] = line
            yield key, line

    # Values: what the format says that a key holds.

    def _pairs(self, node: _Node, expected: str) -> dict[str, _Node]:
        if not isinstance(node, _Mapping):
            self.refuse(node.line, expected, _node_kind(node), _CUT)
        return node.pairs

    def _value(self, node: _Node, key: str, kind: Kind) -> Any:
        if kind is Kind.TEXT:
            return self._text(node, f"`{key}`").decode("utf-8", "surrogateescape")
        if kind is Kind.BODY:
            return self._text(node, f"`{key}`")
        if kind is Kind.NUMBER:
            return self._integer(node, key)
        if kind is Kind.FLAG:
            return self._flag(node, key)
        if kind is Kind.DURATION:
            return self._duration(node, key)
        return self._list(node, key) if kind is Kind.LIST else self._fields(node, key)

    def _text(self, node: _Node, what: str) -> bytes:
        """A string. As in go-yaml a plain null is the empty one, and any other plain word is its own text."""
        if not isinstance(node, _Scalar):
            self.refuse(node.line, f"a text as {what}", _node_kind(node))
        if node.binary:
            try:
                return binascii.a2b_base64(node.text.replace("\n", "").replace("\r", ""), strict_mode=True)
            except ValueError as error:  # binascii.Error, and text that is not ASCII
                self.refuse(node.line, f"base64 as {what}", str(error), _CUT)
        if _is_null(node):
            return b""
        try:
            return node.text.encode()
        except UnicodeEncodeError:  # a lone surrogate, from an escape
            self.refuse(node.line, f"Unicode text as {what}", "half a surrogate pair")

    def _integer(self, node: _Node, key: str) -> int:
        number = int(node.text) if _is_plain(node) and _INTEGER.fullmatch(node.text) else INT64_MAX + 1
        if not INT64_MIN <= number <= INT64_MAX:
            self.refuse(node.line, f"a whole number of 64 bits as `{key}`", _node_kind(node), _CUT)
        return number

    def _flag(self, node: _Node, key: str) -> bool:
        if not (_is_plain(node) and node.text in _TRUE | _FALSE):
            self.refuse(node.line, f"true or false as `{key}`", _node_kind(node))
        return node.text in _TRUE

    def _duration(self, node: _Node, key: str) -> int:
        try:
            # go-yaml takes a plain `0` for a number, and a number is no duration.
            text = node.text if isinstance(node, _Scalar) and not (node.plain and node.text.endswith("0")) else ""
            return parse_duration(text)
        except ValueError:
            self.refuse(node.line, f"a duration such as 1.5s as `{key}`", _node_kind(node), _CUT)

    def _list(self, node: _Node, key: str) -> tuple[str, ...]:
        if _is_null(node):
            return ()
        if not isinstance(node, _Sequence):
            self.refuse(node.line, f"a list as `{key}`", _node_kind(node))
        return tuple(self._text(item, f"a value of `{key}`").decode("utf-8", "surrogateescape") for item in node.items)

    def _fields(self, node: _Node, key: str) -> Fields:
        if _is_null(node):
            return Fields()
        pairs = self._pairs(node, f"names with lists of values as `{key}`")
        return Fields.of({name: self._list(values, f"{key}: {name[:60]}") for name, values in pairs.items()})


def _is_plain(node: _Node) -> TypeGuard[_Scalar]:
    return isinstance(node, _Scalar) and node.plain


def _is_null(node: _Node) -> bool:
    return _is_plain(node) and (not node.text or node.text in NULLS)


def _kind(event: Any) -> str:
    if isinstance(event, yaml.MappingStartEvent):
        return "a mapping"
    if isinstance(event, yaml.SequenceStartEvent):
        return "a list"
    return "an alias" if isinstance(event, yaml.AliasEvent) else "a text"


def _node_kind(node: _Node) -> str:
    """For an error. Never the text itself, which may be a secret."""
    if isinstance(node, _Mapping):
        return "a mapping"
    if isinstance(node, _Sequence):
        return "a list"
    return "nothing" if _is_null(node) else "another text"
