"""YAML of other programs ⇄ plain values: mappings, lists, texts, bytes, whole numbers, flags, None. No object is made.

As in `yaml_reader.py` only events are used: a tag can make no object, depth and size are bounded, and what aliases add
up to counts as often as it is there. A scalar is no text only where it stands plain and cannot be meant as one.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import Any, NoReturn

import yaml

from recorder.cassette.schema import NULLS
from recorder.errors import CassetteError

LARGEST = 64 * 2**20
"""Bytes, of the text and of all that its aliases add up to."""
_DEEPEST = 32
_INTEGER = re.compile(r"0|-?[1-9][0-9]{0,18}")
_FLAGS = {"true": True, "false": False}
_BINARY = "tag:yaml.org,2002:binary"

# libyaml where PyYAML was built with it, as all its wheels are.
_Parser: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_Dumper: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


def loads(data: bytes, name: str) -> Any:
    """The one document that `data` holds; `name` is the file's, for errors. CassetteError."""
    if len(data) > LARGEST:
        raise CassetteError(
            name=name, line=0, expected=f"no more than {LARGEST // 2**20} MiB", found=f"{len(data) // 2**20} MiB"
        )
    reader = _Reader(data, name)
    try:
        return reader.document()
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        reader.refuse(mark.line + 1 if mark else 0, "YAML", getattr(error, "problem", None) or "bytes that are none")
    except UnicodeDecodeError:
        reader.refuse(0, "UTF-8", "other bytes")


def dumps(value: Any) -> str:
    """As PyYAML writes it by default, names sorted: which is what vcrpy does."""
    text: str = yaml.dump(value, Dumper=_Dumper)
    return text


class _Reader:
    def __init__(self, data: bytes, name: str) -> None:
        self._name = name
        self._parser = _Parser(data)
        self._anchors: dict[str, tuple[Any, int]] = {}

    def refuse(self, line: int, expected: str, found: str) -> NoReturn:
        raise CassetteError(name=self._name, line=line, expected=expected, found=found)

    def document(self) -> Any:
        self._parser.get_event()  # the stream's start
        if isinstance(self._parser.get_event(), yaml.StreamEndEvent):
            return None
        value, _ = self._node(self._parser.get_event(), 0)
        self._parser.get_event()  # the document's end
        event = self._parser.get_event()
        if not isinstance(event, yaml.StreamEndEvent):
            self.refuse(event.start_mark.line + 1, "one document", "another one")
        return value

    def _node(self, event: Any, depth: int) -> tuple[Any, int]:
        """The value, and the bytes that it stands for."""
        line = event.start_mark.line + 1
        if isinstance(event, yaml.AliasEvent):
            if event.anchor not in self._anchors:
                self.refuse(line, "an alias of something before it", f"*{event.anchor}")
            return self._anchors[event.anchor]
        if depth > _DEEPEST:
            self.refuse(line, f"no more than {_DEEPEST} levels", "more")
        found: tuple[Any, int]
        if isinstance(event, yaml.ScalarEvent):
            found = self._scalar(event, line), len(event.value) + 1
        elif isinstance(event, yaml.SequenceStartEvent):
            found = self._sequence(depth)
        else:
            found = self._mapping(depth)
        if found[1] > LARGEST:
            self.refuse(line, f"no more than {LARGEST // 2**20} MiB", "aliases that add up to more")
        if event.anchor:
            self._anchors[event.anchor] = found
        return found

    def _sequence(self, depth: int) -> tuple[list[Any], int]:
        items: list[Any] = []
        weight = 1
        while not isinstance(event := self._parser.get_event(), yaml.SequenceEndEvent):
            item, more = self._node(event, depth + 1)
            items.append(item)
            weight += more
        return items, weight

    def _mapping(self, depth: int) -> tuple[dict[str, Any], int]:
        values: dict[str, Any] = {}
        weight = 1
        while not isinstance(event := self._parser.get_event(), yaml.MappingEndEvent):
            if not isinstance(event, yaml.ScalarEvent):
                self.refuse(event.start_mark.line + 1, "a name", "a list or a mapping")
            value, more = self._node(self._parser.get_event(), depth + 1)
            values[event.value] = value
            weight += more + len(event.value)
        return values, weight

    def _scalar(self, event: Any, line: int) -> str | bytes | int | bool | None:
        text: str = event.value
        if event.tag == _BINARY:
            try:
                return base64.b64decode(text)
            except (binascii.Error, ValueError):
                self.refuse(line, "base64", "something else")
        if event.style or event.tag:
            return text
        if not text or text in NULLS:
            return None
        if text in _FLAGS:
            return _FLAGS[text]
        return int(text) if _INTEGER.fullmatch(text) else text
