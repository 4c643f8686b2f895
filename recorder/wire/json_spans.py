"""Where each value stands in a JSON text, so that one can be replaced without writing the rest anew.

Only this module reads JSON by position; it checks no more than it needs to be sure where strings begin and end.
"""

from __future__ import annotations

import json
import re
from typing import NamedTuple

Path = tuple[str | int, ...]

_TOKEN = re.compile(
    rb"""[ \t\r\n]*+(?: "((?:[^"\\\x00-\x1f]++|\\.)*+)"(?:[ \t\r\n]*+(:))? | ([\[{]) | ([\]}]) | (,)
       | (-?[0-9][0-9.eE+-]*+|true|false|null) )""",
    re.VERBOSE,
)
_STRING, _NAME, _OPEN, _CLOSE, _COMMA, _SCALAR = range(1, 7)
_PAIRS = {b"[": b"]", b"{": b"}"}


class Value(NamedTuple):
    """A string (`start:end` without its quotes) or another scalar, and the keys and indexes that lead to it.

    A tuple: there are twenty in a frame, and a frozen dataclass takes three times as long to make.
    """

    path: Path
    start: int
    end: int
    is_string: bool


class NotJsonError(ValueError):
    """The text is no JSON, or is cut. `found` is what stands before the end, a string that was cut included."""

    def __init__(self, found: list[Value]) -> None:
        super().__init__("expected JSON, found something else")
        self.found = found


def values(text: bytes, start: int = 0) -> list[Value]:
    """Each string and scalar of `text[start:]`, in order; `NotJsonError` if it is no JSON."""
    found: list[Value] = []
    path: list[str | int] = []
    end = _read(text, start, found, path)
    if end == len(text.rstrip(b" \t\r\n")) and end > start:
        return found
    rest = text[end:].lstrip(b" \t\r\n")
    if rest.startswith(b'"'):
        found.append(Value(path=tuple(path), start=len(text) - len(rest) + 1, end=len(text), is_string=True))
    raise NotJsonError(found)


def _read(text: bytes, start: int, found: list[Value], path: list[str | int]) -> int:
    """Where reading ended: before the end of `text` if it is cut, or more than one value; `path` is where that was."""
    closing: list[bytes] = []
    end = start
    while end < len(text) and (closing or end == start):
        token = _TOKEN.match(text, end)  # not finditer: it would search on from each space of a run of them
        if token is None:
            break
        kind = token.lastindex
        if kind == _NAME:
            if not closing or closing[-1] != b"}":
                return end
            path[-1] = _key(token[_STRING])
        elif kind in {_STRING, _SCALAR}:
            assert kind is not None
            found.append(Value(tuple(path), *token.span(kind), kind == _STRING))
        elif kind == _OPEN:
            closing.append(_PAIRS[token[_OPEN]])
            path.append(0)
        elif kind == _CLOSE:
            if not closing or closing.pop() != token[_CLOSE]:
                return end
            path.pop()
        elif closing and closing[-1] == b"]":
            path[-1] = int(path[-1]) + 1
        end = token.end()
    return start if closing and end == len(text.rstrip(b" \t\r\n")) else end


def _key(raw: bytes) -> str:
    if b"\\" not in raw:
        return raw.decode("utf-8", "surrogateescape")
    try:
        return str(json.loads(b'"' + raw + b'"'))
    except ValueError:
        return raw.decode("utf-8", "surrogateescape")
