"""Where each value stands in a JSON text, so that one can be replaced without writing the rest anew.

Only this module reads JSON by position; it checks no more than it needs to be sure where strings begin and end.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

Path = tuple[str | int, ...]

_BLANK = re.compile(rb"[ \t\r\n]*+")
_STRING = re.compile(rb'"((?:[^"\\\x00-\x1f]++|\\.)*+)"')
_SCALAR = re.compile(rb"-?[0-9][0-9.eE+-]*+|true|false|null")


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """A string (`start:end` without its quotes) or another scalar, and the keys and indexes that lead to it."""

    path: Path
    start: int
    end: int
    is_string: bool


class NotJsonError(ValueError):
    """The text is no JSON, or is cut. `found` is what stands before the end, a string that was cut included."""

    def __init__(self, found: list[Value]) -> None:
        super().__init__("expected JSON, found something else")
        self.found = found


def values(text: bytes) -> list[Value]:
    """Each string and scalar of `text`, in order; `NotJsonError` if it is none."""
    found: list[Value] = []
    try:
        _read(text, found)
    except _EndError:
        raise NotJsonError(found) from None
    return found


class _EndError(Exception):
    pass


def _read(text: bytes, found: list[Value]) -> None:
    path: list[str | int] = []
    ends: list[int] = []  # of the containers around: the byte that closes each
    position = _skip(text, 0)
    while True:
        position = _into(text, position, path, ends, found)
        position = _skip(text, position)
        while ends and text[position : position + 1] == bytes((ends[-1],)):
            ends.pop()
            path.pop()
            position = _skip(text, position + 1)
        if not ends:
            break
        if text[position : position + 1] != b",":
            raise _EndError
        position = _skip(text, position + 1)
        position = _next(text, position, path, ends)
    if position != len(text):
        raise _EndError


def _into(text: bytes, position: int, path: list[str | int], ends: list[int], found: list[Value]) -> int:
    """Into the containers that open here, down to the first value; behind that, or at the end of an empty one."""
    while (opening := text[position : position + 1]) in {b"{", b"["}:
        closing = b"}" if opening == b"{" else b"]"
        ends.append(closing[0])
        path.append(-1)
        position = _skip(text, position + 1)
        if text[position : position + 1] == closing:
            return position
        position = _next(text, position, path, ends)
    match = _STRING.match(text, position)
    if match is not None:
        found.append(Value(path=tuple(path), start=match.start(1), end=match.end(1), is_string=True))
        return match.end()
    if text[position : position + 1] == b'"':
        found.append(Value(path=tuple(path), start=position + 1, end=len(text), is_string=True))
        raise _EndError
    match = _SCALAR.match(text, position)
    if match is None:
        raise _EndError
    found.append(Value(path=tuple(path), start=match.start(), end=match.end(), is_string=False))
    return match.end()


def _next(text: bytes, position: int, path: list[str | int], ends: list[int]) -> int:
    """To the next value of the innermost container; the end of `path` becomes its key or its index."""
    last = path[-1]
    if ends[-1] == 0x5D:  # ]
        assert isinstance(last, int)
        path[-1] = last + 1
        return position
    match = _STRING.match(text, position)
    if match is None:
        raise _EndError
    path[-1] = _key(match[1])
    position = _skip(text, match.end())
    if text[position : position + 1] != b":":
        raise _EndError
    return _skip(text, position + 1)


def _skip(text: bytes, position: int) -> int:
    match = _BLANK.match(text, position)
    assert match is not None
    return match.end()


def _key(raw: bytes) -> str:
    if b"\\" not in raw:
        return raw.decode("utf-8", "surrogateescape")
    try:
        return str(json.loads(b'"' + raw + b'"'))
    except ValueError:
        return raw.decode("utf-8", "surrogateescape")
