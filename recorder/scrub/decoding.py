"""The text behind an encoding, with the way back: where in the source each decoded piece stands.

Escapes of every kind (JSON, percent, HTML) are taken off together, one layer at a time; who searches looks at each
layer. That finds a value whatever subset of its characters was escaped, which no list of spellings could.
Base64 and hex are found as long runs; there the alignment is unknown, so that each is tried.
"""

from __future__ import annotations

import binascii
import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from html.entities import html5
from itertools import islice

SHORTEST_RUN = 20
"""Characters. No issued key is shorter, and runs that long are rare in prose and in the frames of a stream."""

_RUN_CHARACTERS = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_.~")
_TO_RUNS = bytes(0x52 if code in _RUN_CHARACTERS else 0x20 for code in range(256))
_A_RUN = b"R" * SHORTEST_RUN
_TO_PRINTABLE = bytes(0x50 if 0x20 <= code < 0x7F else 0x20 for code in range(256))
_PRINTABLE = b"P" * SHORTEST_RUN
_URLSAFE_TO_STANDARD, STANDARD_TO_URLSAFE = bytes.maketrans(b"-_", b"+/"), bytes.maketrans(b"+/", b"-_")

_ESCAPE = re.compile(
    rb"""\\(?: u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2} | u[0-9a-fA-F]{4} | U[0-9a-fA-F]{8}
             | x[0-9a-fA-F]{2} | ["'\\/bfnrt] )
       | %[0-9a-fA-F]{2}
       | &(?: \#[0-9]{1,7} | \#[xX][0-9a-fA-F]{1,6} | [A-Za-z][A-Za-z0-9]{1,31} );""",
    re.VERBOSE,
)
_SIMPLE = {
    b'"': b'"',
    b"'": b"'",
    b"\\": b"\\",
    b"/": b"/",
    b"b": b"\b",
    b"f": b"\f",
    b"n": b"\n",
    b"r": b"\r",
    b"t": b"\t",
}
_PACKED = tuple(b"H4sI KLUv Qlpo /Td6 _Td6 1f8b08 1F8B08 28b52ffd 28B52FFD".split())
"""How base64 or hex begins of what `packed` recognises."""

_WRAP = re.compile(rb"(?:\n(?<=[A-Za-z0-9+/]{60}\n)|\r\n(?<=[A-Za-z0-9+/]{60}\r\n))[ \t]*(?=[A-Za-z0-9+/])")
"""A line end inside base64 in lines (MIME's have 76 characters, PEM's 64, YAML's 70)."""

_MOST_PACKED = 8
"""Places in one run that are tried; what begins so by chance is no compressed text at once."""
_LEAST_ENCODED = 10
"""Characters that eight bytes have in base64 at least, seen from inside; in hex they have more."""
_NO_TEXT = (b"////", b"///////", b"//////", b"/////")
"""Behind a run in base64, by its length modulo four: what fills its last group, and one group more."""
_BASE64_ONLY = re.compile(rb"[A-Za-z0-9+/]++")

_HEX = re.compile(rb"(?:[0-9a-fA-F]{2}){8,}")


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """`text`, and for each piece of it that was decoded: where it stands here (`at`, `size`) and there."""

    text: bytes = field(repr=False)
    at: list[int]
    sizes: list[int]
    source_at: list[int]
    source_sizes: list[int]

    def source(self, start: int, end: int) -> tuple[int, int]:
        """The smallest span of the source that decodes to all of `start:end`; an escape is never cut in two."""
        return self._left(start), self._right(end)

    def _left(self, position: int) -> int:
        index = bisect_right(self.at, position) - 1
        # A piece that decodes to nothing (a line end in base64) stands before the character at the same place.
        if index < 0:
            return position
        behind = position - self.at[index] - self.sizes[index]
        return self.source_at[index] if behind < 0 else self.source_at[index] + self.source_sizes[index] + behind

    def _right(self, position: int) -> int:
        return self._left(position - 1) + self._width(position - 1) if position > 0 else 0

    def _width(self, position: int) -> int:
        index = bisect_right(self.at, position) - 1
        inside = index >= 0 and position < self.at[index] + self.sizes[index]
        return self.source_sizes[index] if inside else 1


def is_plain(text: bytes) -> bool:
    """Whether no escape of `text` stands for a letter, a digit or a sign that is used in keys."""
    return not (
        b"%" in text
        or b"&" in text
        or (b"\\" in text and any(escape in text for escape in (b"\\u", b"\\x", b"\\/", b"\\U")))
    )


def unescape(text: bytes) -> View | None:
    """One layer of escapes taken off; None if there is none."""
    if b"\\" not in text and b"%" not in text and b"&" not in text:
        return None
    return _view(text, _ESCAPE, _meaning)


def unwrap(text: bytes) -> View | None:
    """Base64 in lines as one line; None if there is none."""
    return _view(text, _WRAP, lambda _: b"")


def _view(text: bytes, expression: re.Pattern[bytes], meaning: Callable[[bytes], bytes | None]) -> View | None:
    parts: list[bytes] = []
    at: list[int] = []
    sizes: list[int] = []
    source_at: list[int] = []
    source_sizes: list[int] = []
    done = length = 0
    for match in expression.finditer(text):
        decoded = meaning(match[0])
        if decoded is None:
            continue
        start, end = match.span()
        parts += (text[done:start], decoded)
        length += start - done
        at.append(length)
        sizes.append(len(decoded))
        source_at.append(start)
        source_sizes.append(end - start)
        length += len(decoded)
        done = end
    if not at:
        return None
    parts.append(text[done:])
    return View(text=b"".join(parts), at=at, sizes=sizes, source_at=source_at, source_sizes=source_sizes)


def _meaning(escape: bytes) -> bytes | None:
    if escape[0] == 0x25:  # %
        return bytes.fromhex(escape[1:].decode("ascii"))
    if escape[0] == 0x26:  # &
        return _entity(escape)
    simple = _SIMPLE.get(escape[1:])
    if simple is not None:
        return simple
    if len(escape) == 12:  # a surrogate pair
        high, low = int(escape[2:6], 16), int(escape[8:12], 16)
        return _character(0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00))
    return _character(int(escape[2:].decode("ascii"), base=16))


def _entity(escape: bytes) -> bytes | None:
    name = escape[1:].decode("ascii")
    if name[0] != "#":
        known = html5.get(name)
        return None if known is None else known.encode("utf-8")
    digits = name[1:-1]
    return _character(int(digits[1:], 16) if digits[0] in "xX" else int(digits))


def _character(code: int) -> bytes | None:
    return chr(code).encode("utf-8", "surrogatepass") if code <= 0x10FFFF else None


def runs(text: bytes) -> dict[bytes, list[int]]:
    """Each different run of at least `SHORTEST_RUN` characters of keys, with the places where it starts."""
    found: dict[bytes, list[int]] = {}
    mapped = text.translate(_TO_RUNS)
    end = 0
    while (start := mapped.find(_A_RUN, end)) >= 0:
        end = mapped.find(b" ", start + SHORTEST_RUN)
        end = end if end >= 0 else len(text)
        found.setdefault(text[start:end], []).append(start)
    return found


def run_around(text: bytes, start: int, end: int) -> tuple[int, int]:
    """The run, short or long, that `start:end` stands in."""
    while start > 0 and text[start - 1] in _RUN_CHARACTERS:
        start -= 1
    while end < len(text) and text[end] in _RUN_CHARACTERS:
        end += 1
    return start, end


def longest_run(text: bytes) -> bytes:
    """The longest of the runs of `text` that are long enough to be found by `runs`; empty if none is."""
    return max(runs(text), key=len, default=b"")


@dataclass(frozen=True, slots=True, kw_only=True)
class Codec:
    """`unit` bytes are `width` characters."""

    name: str
    unit: int
    width: int

    def encode(self, text: bytes) -> bytes:
        if self.name == "hex":
            return text.hex().encode("ascii")
        if self.name == "HEX":
            return text.hex().upper().encode("ascii")
        standard = binascii.b2a_base64(text, newline=False).rstrip(b"=")
        return standard if self.name == "base64" else standard.translate(STANDARD_TO_URLSAFE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoded:
    """A run read as base64 or hex: `text` is what `run[start:end]` says."""

    text: bytes = field(repr=False)
    start: int
    end: int
    codec: Codec

    def widen(self, start: int, end: int) -> tuple[int, int]:
        """`start:end` of the text, widened to whole groups; the last group of the run may be a part of one."""
        unit = self.codec.unit
        return start - start % unit, min(len(self.text), -(-end // unit) * unit)

    def source(self, start: int, end: int) -> tuple[int, int]:
        """Where the widened `start:end` stands in the run."""
        unit, width = self.codec.unit, self.codec.width
        last = self.end if end == len(self.text) else self.start + end // unit * width
        return self.start + start // unit * width, last


_HEX_LOWER = Codec(name="hex", unit=1, width=2)
_HEX_UPPER = Codec(name="HEX", unit=1, width=2)
_BASE64 = Codec(name="base64", unit=3, width=4)
_BASE64URL = Codec(name="base64url", unit=3, width=4)


def decodings(run: bytes, *, binary: bool = False) -> Iterator[Decoded]:
    """Every reading of a run, at each alignment, that has some text in it; with `binary` the others too."""
    start = 0
    for part in run.replace(b"~", b".").split(b"."):
        if len(part) >= _LEAST_ENCODED:
            for decoded in _decodings(part, binary=binary):
                yield replace(decoded, start=decoded.start + start, end=decoded.end + start)
        start += len(part) + 1


def may_have_text(found: Iterable[bytes]) -> bool:
    """Whether any of these runs may have a reading with text in it: all are read at once, which for thousands of ids is
    several times as fast as one by one."""
    parts = [part for run in found for part in run.replace(b"~", b".").split(b".") if len(part) >= _LEAST_ENCODED]
    for offset in range(4):
        joined = b"".join([part[offset:] + _NO_TEXT[(len(part) - offset) % 4] for part in parts])
        if has_text(binascii.a2b_base64(joined.translate(_URLSAFE_TO_STANDARD))):
            return True
    digits = [match[0] for part in parts for match in _HEX.finditer(part)]
    for offset in range(2):
        if has_text(bytes.fromhex(b"ff".join(run[offset : len(run) - offset] for run in digits).decode("ascii"))):
            return True
    return False


def may_be_packed(text: bytes) -> bool:
    return any(start in text for start in _PACKED)


def _starts(run: bytes) -> Iterator[int]:
    for start in _PACKED:
        at = run.find(start)
        while at >= 0:
            yield at
            at = run.find(start, at + 1)


def packed_parts(run: bytes) -> Iterator[tuple[int, bytes]]:
    """What in a run may be base64 or hex of something compressed: where it starts, and its bytes."""
    for start in islice(_starts(run), _MOST_PACKED):
        if run[start : start + 1] in {b"1", b"2"}:
            digits = _HEX.match(run, start)
            assert digits is not None or len(run) - start < 16
            if digits is not None:
                yield start, bytes.fromhex(digits[0].decode("ascii"))
            continue
        part = _BASE64_ONLY.match(run.translate(_URLSAFE_TO_STANDARD), start)
        assert part is not None
        text = part[0][: len(part[0]) - (len(part[0]) % 4 == 1)]
        yield start, binascii.a2b_base64(text + b"=" * (-len(text) % 4))


def _decodings(run: bytes, *, binary: bool) -> Iterator[Decoded]:
    codec = _BASE64URL if b"-" in run or b"_" in run else _BASE64
    standard = run.translate(_URLSAFE_TO_STANDARD)
    for offset in range(4):
        # One character over a multiple of four says only six bits of a byte: it is no part of the reading.
        end = len(run) - ((len(run) - offset) % 4 == 1)
        part = standard[offset:end]
        text = binascii.a2b_base64(part + b"=" * (-len(part) % 4))
        if binary or has_text(text):
            yield Decoded(text=text, start=offset, end=end, codec=codec)
    for match in _HEX.finditer(run):
        for offset in range(2):
            start = match.start() + offset
            end = match.end() - offset
            digits = run[start:end]
            text = bytes.fromhex(digits.decode("ascii"))
            if binary or has_text(text):
                codec = _HEX_UPPER if digits.isupper() else _HEX_LOWER
                yield Decoded(text=text, start=start, end=end, codec=codec)


def has_text(decoded: bytes) -> bool:
    """Whether enough printable ASCII characters stand in a row for a key: in an image they never do."""
    return _PRINTABLE in decoded.translate(_TO_PRINTABLE, b"\0")  # in UTF-16 they stand apart
