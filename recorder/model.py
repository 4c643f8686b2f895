"""The nouns: an interaction is a request and its response, as go-vcr v4 stores them.

House rules: every value is frozen and checks itself, so that an illegal one cannot exist. Text that came as bytes which
are not UTF-8 (Go strings may hold any) is kept with `surrogateescape`; bodies are bytes. Where a value comes from is
said in `cassette/go_http.py`, how it is spelled on disk in `cassette/`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

INT64_MIN, INT64_MAX = -(2**63), 2**63 - 1


class Fields(Mapping[str, tuple[str, ...]]):
    """Names, each with its values in order: headers, trailers or a form (Go's `map[string][]string`).

    Names are compared as they are (a form's are case-sensitive); `gohttp.canonical` gives a header's Go spelling.
    Two are equal if they hold the same names with the same values, in whatever order the names came.
    """

    __slots__ = ("_values",)

    def __init__(self, pairs: Iterable[tuple[str, str]] = ()) -> None:
        collected: dict[str, list[str]] = {}
        for name, value in pairs:
            collected.setdefault(name, []).append(value)
        self._values = {name: tuple(values) for name, values in collected.items()}

    @classmethod
    def of(cls, mapping: Mapping[str, Iterable[str]]) -> Fields:
        """From a name → values mapping; a name may have no values, as in Go."""
        fields = cls()
        fields._values = {name: tuple(values) for name, values in mapping.items()}
        return fields

    def __getitem__(self, name: str) -> tuple[str, ...]:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Fields) and self._values == other._values

    def __hash__(self) -> int:
        return hash(frozenset(self._values.items()))

    def __repr__(self) -> str:  # names only: a repr ends up in logs and tracebacks, and a value may be a key
        return f"Fields({', '.join(self._values)})"

    def first(self, name: str, default: str = "") -> str:
        values = self._values.get(name)
        return values[0] if values else default


NO_FIELDS = Fields()


def _check_int64(**numbers: int) -> None:
    for name, number in numbers.items():
        if not INT64_MIN <= number <= INT64_MAX:
            raise ValueError(f"{name} {number} is not a 64-bit integer")


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """`cassette.Request` of go-vcr v4, field by field; `content_length` in bytes, -1 where it was not announced."""

    method: str
    url: str
    proto: str = "HTTP/1.1"
    proto_major: int = 1
    proto_minor: int = 1
    content_length: int = 0
    transfer_encoding: tuple[str, ...] = ()
    trailer: Fields = NO_FIELDS
    host: str = ""
    remote_addr: str = ""
    request_uri: str = ""
    body: bytes = field(default=b"", repr=False)
    form: Fields = NO_FIELDS
    headers: Fields = NO_FIELDS

    def __post_init__(self) -> None:
        _check_int64(content_length=self.content_length, proto_major=self.proto_major, proto_minor=self.proto_minor)


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """`cassette.Response` of go-vcr v4; `duration` is nanoseconds from the request sent to the response's headers."""

    status: str
    code: int
    duration: int
    proto: str = "HTTP/1.1"
    proto_major: int = 1
    proto_minor: int = 1
    transfer_encoding: tuple[str, ...] = ()
    trailer: Fields = NO_FIELDS
    content_length: int = 0
    uncompressed: bool = False
    body: bytes = field(default=b"", repr=False)
    headers: Fields = NO_FIELDS

    def __post_init__(self) -> None:
        _check_int64(
            content_length=self.content_length,
            proto_major=self.proto_major,
            proto_minor=self.proto_minor,
            code=self.code,
            duration=self.duration,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Interaction:
    """A request and its response. Its id is its place in the cassette, counted from 0."""

    request: Request
    response: Response
