"""A request in the form in which it is compared: what does not matter is gone, and what was scrubbed is neutral.

Both sides come here scrubbed, the recorded one and the one that is asked for, so that a secret never makes a
difference. Two requests match if and only if their keys are equal.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import reduce
from hashlib import blake2b
from typing import Any

from recorder.model import Fields, Request
from recorder.replay.matching.criteria import Criteria
from recorder.scrub import neutral
from recorder.wire import json_paths
from recorder.wire.ports import DEFAULT_PORTS

_URL = re.compile(r"(?P<scheme>[^/?#]*)://(?P<authority>[^/?#]*)(?P<path>[^?#]*)(?:\?(?P<query>[^#]*))?", re.DOTALL)
# RFC 2046, section 5.1.1; the quoted form too.
_BOUNDARY = re.compile(r'(?i)boundary=(?:"([^"]{1,200})"|([^\s;"]{1,200}))')
_KEY_BYTES = 16
_BYTES = ("utf-8", "surrogateescape")


@dataclass(frozen=True, slots=True, kw_only=True)
class Json:
    """`text`: the value in one canonical spelling, by which two are compared; `value` as Python has it."""

    value: Any
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Multipart:
    """Each part as (head, content); the head's lines without their order and case."""

    parts: tuple[tuple[bytes, bytes], ...]


Body = Json | Multipart | bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """`address`: what names the resource, (part, value): method, url, path, query. `body` None: not compared."""

    address: tuple[tuple[str, str], ...]
    headers: tuple[tuple[str, str], ...]
    body: Body | None

    @classmethod
    def of(cls, request: Request, criteria: Criteria) -> Subject:
        return cls(
            address=tuple(_address(request, criteria)),
            headers=tuple((name, _joined(request.headers, name)) for name in criteria.headers),
            body=_body(request, criteria),
        )

    @property
    def address_key(self) -> bytes:
        return _digest(part.encode(*_BYTES) for pair in self.address for part in pair)

    @property
    def key(self) -> bytes:
        named = (part.encode(*_BYTES) for pair in (*self.address, *self.headers) for part in pair)
        return _digest((*named, *_body_parts(self.body)))


def _body_parts(body: Body | None) -> Iterator[bytes]:
    if isinstance(body, Json):
        yield from (b"json", body.text.encode())
    elif isinstance(body, Multipart):
        yield b"multipart"
        yield from (text for part in body.parts for text in part)
    elif body is not None:
        yield from (b"bytes", body)


def canonical_text(value: Any) -> str:
    """One spelling for each JSON value: keys sorted, no blanks, ASCII."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def _digest(parts: Iterable[bytes]) -> bytes:
    digest = blake2b(digest_size=_KEY_BYTES)
    for part in parts:
        digest.update(b"%d:" % len(part))
        digest.update(part)
    return digest.digest()


def _address(request: Request, criteria: Criteria) -> list[tuple[str, str]]:
    match = _URL.fullmatch(_neutral(request.url).partition("#")[0])
    if match is None:
        url = path = _neutral(request.url)
        query = ""
    else:
        scheme, authority = match["scheme"].lower(), match["authority"]
        userinfo, at, host = authority.rpartition("@")
        host = host.lower().removesuffix(f":{DEFAULT_PORTS.get(scheme)}")
        path, query = match["path"] or "/", match["query"] or ""
        url = f"{scheme}://{userinfo}{at}{host}{path}" + (f"?{query}" if query else "")
    values = {"method": request.method or "GET", "url": url, "path": path, "query": _sorted_query(query)}
    return [(part, value) for part, value in values.items() if part in criteria.parts]


def _sorted_query(query: str) -> str:
    """Names in one order; the values of one name in theirs, which may mean something."""
    return "&".join(sorted(query.split("&"), key=lambda pair: pair.partition("=")[0]))


def _joined(fields: Fields, name: str) -> str:
    values = ", ".join(fields.get(name, ()))
    if name == "Content-Type":
        values = _BOUNDARY.sub("boundary=", values)
    return _neutral(values)


def _neutral(text: str) -> str:
    return neutral(text.encode(*_BYTES)).decode(*_BYTES)


def _body(request: Request, criteria: Criteria) -> Body | None:
    if not criteria.compares_bodies:
        return None
    body = neutral(request.body)
    if "raw-body" in criteria.parts:
        return body
    kind = request.headers.first("Content-Type")
    if kind.lower().startswith("multipart/"):
        return _multipart(body, kind) or body
    try:
        parsed = _json(body, kind)
        if parsed is None:
            return body
        value = reduce(json_paths.without, criteria.ignored, parsed[0])
        return Json(value=value, text=canonical_text(value))
    except (ValueError, RecursionError):  # no JSON, or nested deeper than Python goes
        return body


def _json(body: bytes, kind: str) -> tuple[Any] | None:
    """The value of a JSON body, in a tuple since it may be None; of an object or an array whatever its type says."""
    start = body[:64].lstrip()[:1]
    if start not in {b"{", b"["} and "json" not in kind.lower():
        return None
    return (json.loads(body.decode("utf-8"), parse_float=_number, parse_constant=_refused),)


def _number(text: str) -> float | int:
    """1.0 and 1 are one number; one that is too large for a double is told from others (RFC 8259, section 6)."""
    number = float(text)
    if math.isinf(number):
        raise ValueError(text)
    return int(number) if number.is_integer() else number


def _refused(text: str) -> Any:
    raise ValueError(text)  # NaN and Infinity are Python's, not JSON's


def _multipart(body: bytes, kind: str) -> Multipart | None:
    """The parts of a body (RFC 2046, section 5.1.1); None if it does not keep to its boundary."""
    found = _BOUNDARY.search(kind)
    if found is None:
        return None
    boundary = re.escape((found[1] or found[2]).encode("latin-1", "replace"))
    before, *parts, behind = re.split(rb"(?:\A|\r?\n)--" + boundary + rb"(?:(?:--)?[ \t]*(?=\r?\n)|--[ \t]*\Z)", body)
    if not parts or before.strip() or behind.strip():
        return None
    return Multipart(parts=tuple(map(_part, parts)))


def _part(piece: bytes) -> tuple[bytes, bytes]:
    head, _, content = re.sub(rb"\A\r?\n", b"", piece, count=1).partition(b"\r\n\r\n")
    lines = (line.partition(b":") for line in head.split(b"\r\n"))
    return b"\r\n".join(sorted(name.strip().lower() + b": " + value.strip() for name, _, value in lines)), content
