"""Content codings (RFC 9110, section 8.4.1): an encoded body → its plain bytes. Sans-IO, bounded, and never a guess.

What is known: `gzip` (any number of members), `deflate` (zlib, and the raw form that some servers send), `br`, `zstd`
(any number of frames), `identity`, and lists of them. Everything else is a `BodyError`: a body that was not understood
cannot be searched for secrets.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from io import BytesIO
from types import MappingProxyType
from typing import Protocol

import brotli  # type: ignore[import-untyped]  # it has none
import zstandard

from recorder.errors import BodyError

LIMIT = 256 * 1024 * 1024
"""Bytes that a body may come to at any step of its decoding, if the caller does not say otherwise."""

_LONGEST_NAME = 16  # characters; those that are registered have at most 12
_MOST_CODINGS = 5  # as in curl (MAX_ENCODE_STACK): nobody sends more than two, and each one costs a pass


class _Member(Protocol):
    """One gzip member, zstd frame, or zlib, raw deflate or brotli stream, as `zlib.decompressobj` has it."""

    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, /) -> bytes: ...


class _Brotli:
    """Brotli's decoder, which has no `unused_data`: what follows the stream's end is an error of its own."""

    __slots__ = ("_decompressor",)

    unused_data = b""

    def __init__(self) -> None:
        self._decompressor = brotli.Decompressor()

    @property
    def eof(self) -> bool:
        return bool(self._decompressor.is_finished())

    def decompress(self, data: bytes, /) -> bytes:
        return bytes(self._decompressor.process(data))


def _gzip(_start: bytes) -> _Member:
    return zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)


def _deflate(start: bytes) -> _Member:
    """`deflate` means zlib (RFC 9110, section 8.4.1.2, which has the note on servers that send it raw)."""
    is_zlib = len(start) > 1 and start[0] & 0x0F == 8 and (start[0] << 8 | start[1]) % 31 == 0  # RFC 1950, section 2.2
    return zlib.decompressobj(wbits=zlib.MAX_WBITS if is_zlib else -zlib.MAX_WBITS)


def _brotli(_start: bytes) -> _Member:
    return _Brotli()


def _zstd(_start: bytes) -> _Member:
    return zstandard.ZstdDecompressor().decompressobj()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Coding:
    """`begin` gets the member's first bytes, at least `peek` of them.

    `slice`: bytes that are fed at once. The decoders cannot be told when to stop, so this is what bounds a bomb:
    deflate makes at most 1,032 bytes of one, zstd 128 KiB of a block of four, brotli 16 MiB of some ten.
    """

    begin: Callable[[bytes], _Member]
    slice: int
    peek: int = 1
    many: bool = False


_CODINGS: Mapping[str, _Coding] = MappingProxyType(
    {
        "gzip": _Coding(begin=_gzip, slice=16 * 1024, many=True),
        "deflate": _Coding(begin=_deflate, slice=16 * 1024, peek=2),
        "br": _Coding(begin=_brotli, slice=64),
        "zstd": _Coding(begin=_zstd, slice=1024, many=True),
    },
)
_ALIASES: Mapping[str, str] = MappingProxyType({"x-gzip": "gzip"})  # RFC 9110, section 8.4.1.3

_BROKEN = (zlib.error, brotli.error, zstandard.ZstdError)


class _LimitError(BodyError):
    """Apart from the others: even who takes what there is must not get this much."""


def codings(content_encoding: str) -> tuple[str, ...]:
    """The codings that were applied, in their order, in lower case; `BodyError` if one of them is not known."""
    if not content_encoding:
        return ()
    named = (name.strip(" \t").lower() for name in content_encoding.split(","))
    names = tuple(_ALIASES.get(name, name) for name in named if name not in ("", "identity"))
    for name in names:
        if name not in _CODINGS:
            raise BodyError(f"expected a body in {', '.join(_CODINGS)} or identity, found {_shown(name)}")
    if len(names) > _MOST_CODINGS:
        raise BodyError(f"expected at most {_MOST_CODINGS} content encodings on a body, found {len(names)}")
    return names


def _shown(name: str) -> str:
    """A server may say anything there, the client's key included."""
    return f"the encoding {name!a}" if len(name) <= _LONGEST_NAME else f"an encoding of {len(name)} characters"


class Decoder:
    """A body's codings undone piece by piece, for who must know which piece made which bytes."""

    __slots__ = ("_steps",)

    def __init__(self, content_encoding: str, *, limit: int = LIMIT) -> None:
        self._steps = [_Step(name, limit) for name in reversed(codings(content_encoding))]

    def feed(self, data: bytes) -> bytes:
        for step in self._steps:
            data = b"".join(step.feed(data))
        return data

    def end(self) -> None:
        """The body is over: `BodyError` if one of its codings is not."""
        for step in self._steps:
            step.end()


def decode(body: bytes, content_encoding: str, *, partial: bool = False, limit: int = LIMIT) -> bytes:
    """The plain bytes of `body`. With `partial`, of one that is cut off or broken: what stands before the break.

    Raises `BodyError` for an unknown coding, for more than `limit` bytes, and, unless `partial`, for a body that is cut
    off or broken. No bytes are no bytes in every coding: servers name one with HEAD and 304, too.
    """
    names = codings(content_encoding)
    if not body:
        return b""
    for name in reversed(names):
        body = _undo(body, _Step(name, limit), partial=partial)
    return body


def _undo(body: bytes, step: _Step, *, partial: bool) -> bytes:
    plain = BytesIO()  # gives out what it holds without a copy: a large body is in memory once
    try:
        for piece in step.feed(body):
            plain.write(piece)
        step.end()
    except _LimitError:
        raise
    except BodyError:
        if not partial:
            raise
    return plain.getvalue()


class _Step:
    """One coding being undone."""

    __slots__ = ("_coding", "_held", "_limit", "_made", "_member", "_name", "_over")

    def __init__(self, name: str, limit: int) -> None:
        self._name = name
        self._coding = _CODINGS[name]
        self._limit = limit
        self._made = 0
        self._held = b""  # the first bytes of a member, until there are enough to tell its kind
        self._member: _Member | None = None
        self._over = False  # a member has ended; more may follow

    def feed(self, data: bytes) -> Iterator[bytes]:
        for start in range(0, len(data), self._coding.slice):
            yield from self._slice(data[start : start + self._coding.slice])

    def _slice(self, data: bytes) -> Iterator[bytes]:
        while data:
            member = self._member
            if member is None:
                data = self._held + data
                self._held = b""
                if self._over and not (data := self._next(data)):
                    return
                if len(data) < self._coding.peek:
                    self._held = data
                    return
                member = self._member = self._coding.begin(data)
            yield self._decompress(member, data)
            if not member.eof:
                return
            data, self._member, self._over = member.unused_data, None, True

    def _next(self, data: bytes) -> bytes:
        """What follows a member: another one, or (gzip(1) says so of tapes) padding with zeros."""
        if self._coding.many:
            return data.lstrip(b"\0") if self._name == "gzip" else data
        raise BodyError(f"expected the end of a {self._name} body, found {len(data)} bytes behind it")

    def _decompress(self, member: _Member, data: bytes) -> bytes:
        try:
            plain = member.decompress(data)
        except _BROKEN as error:
            raise BodyError(f"expected a {self._name} body, found data that is none ({error})") from None
        self._made += len(plain)
        if self._made > self._limit:
            raise _LimitError(f"expected a body of at most {self._limit:,} bytes, found more ({self._name} makes them)")
        return plain

    def end(self) -> None:
        if self._member or self._held or not self._over:
            raise BodyError(f"expected a whole {self._name} body, found one that is cut off")
