"""What a determined reader gets out of a recorder's files, by other means than the scrubber's.

Every text is read as it is, with its escapes taken off, as base64 and hex, and unpacked; the strings of a stream's
frames are joined. A secret leaks if it is found whole, or a part of it of `_LONG_PART` characters.
"""

from __future__ import annotations

import base64
import bz2
import json
import lzma
import re
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from html import unescape
from typing import Any
from urllib.parse import unquote_to_bytes

import yaml
import zstandard

_SEED = 5
_LONG_PART = 12

_JSON_ESCAPE = re.compile(rb'\\(?:u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2})|(["\\/\'n]))')
_BASE64 = re.compile(rb"[A-Za-z0-9+/_-]{11,}")
_HEX = re.compile(rb"[0-9a-fA-F]{16,}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sought:
    """`core`: the part of the secret that no other secret has. `told`: what to say if it is found."""

    core: str
    told: str


def readings(text: bytes, depth: int = 2) -> Iterator[bytes]:
    seen: set[bytes] = set()
    layer = text
    for _ in range(3):
        for undo in (lambda data: data, _percent, _html, _json):
            layer = undo(layer)
            if layer not in seen:
                seen.add(layer)
                yield layer
                if b"\0" in layer:
                    yield layer.replace(b"\0", b"")  # UTF-16 and UTF-32
    if depth:
        for layer in seen:
            inner = b"\n".join(_decoded(layer))
            if inner:
                yield from readings(inner, depth - 1)
                for packed in _decoded(layer):
                    yield from unpacked(packed)


def unpacked(data: bytes) -> Iterator[bytes]:
    """What is compressed in it, wherever it begins; of what was cut, what is there."""
    for magic, begin in _PACKERS.items():
        at = data.find(magic)
        while at >= 0:
            with suppress(*_BROKEN):
                yield begin().decompress(data[at:])
            at = data.find(magic, at + 1)


_PACKERS: Mapping[bytes, Callable[[], Any]] = {
    b"\x1f\x8b\x08": lambda: zlib.decompressobj(wbits=31),
    b"\x28\xb5\x2f\xfd": lambda: zstandard.ZstdDecompressor().decompressobj(),
    b"BZh": bz2.BZ2Decompressor,
    b"\xfd7zXZ": lzma.LZMADecompressor,
    b"\x78\x9c": zlib.decompressobj,
}
_BROKEN = (OSError, EOFError, ValueError, zlib.error, lzma.LZMAError, zstandard.ZstdError)


def _percent(text: bytes) -> bytes:
    return unquote_to_bytes(text) if b"%" in text else text


def _html(text: bytes) -> bytes:
    return unescape(text.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogatepass") if b"&" in text else text


def _json(text: bytes) -> bytes:
    return _JSON_ESCAPE.sub(_escaped, text)


def _escaped(match: re.Match[bytes]) -> bytes:
    digits = match[1] or match[2]
    if digits:
        return chr(int(digits, 16)).encode("utf-8", "surrogatepass")
    return b"\n" if match[3] == b"n" else match[3]


def _decoded(text: bytes) -> Iterator[bytes]:
    for run in set(_BASE64.findall(text)):
        standard = run.translate(bytes.maketrans(b"-_", b"+/"))
        for offset in range(4):
            part = standard[offset:]
            part = part[: len(part) - (len(part) % 4 == 1)]
            yield base64.b64decode(part + b"=" * (-len(part) % 4))
    for digits in set(_HEX.findall(text)):
        for offset in range(2):
            part = digits[offset:]
            yield bytes.fromhex(part[: len(part) // 2 * 2].decode())


def of_cassette(text: bytes) -> Iterator[bytes]:
    """The bodies as a client would get them, and what their frames add up to."""
    document = yaml.load(text, Loader=yaml.CSafeLoader)
    for interaction in document["interactions"] if document else ():
        for side in ("request", "response"):
            body = interaction[side].get("body", "")
            raw = body if isinstance(body, bytes) else body.encode("utf-8", "surrogatepass")
            yield raw
            if b"\0" in raw:
                yield raw.replace(b"\0", b"")  # UTF-16 and UTF-32
            if isinstance(body, bytes):
                yield from unpacked(raw)
            yield from joined(raw)


def joined(body: bytes) -> Iterator[bytes]:
    """The strings of all frames, put together by their path, apart by index and not."""
    columns: dict[tuple[object, ...], list[str]] = {}
    for line in body.replace(b"\r\n", b"\n").split(b"\n"):
        try:
            frame = json.loads(line.removeprefix(b"data:"))
        except ValueError:
            continue
        for path, value in _strings(frame, ()):
            columns.setdefault(path, []).append(value)
            columns.setdefault(("all", *(part for part in path if not isinstance(part, int))), []).append(value)
    for values in columns.values():
        yield "".join(values).encode("utf-8", "surrogatepass")


def _strings(node: Any, path: tuple[object, ...]) -> Iterator[tuple[tuple[object, ...], str]]:
    if isinstance(node, str):
        yield path, node
    elif isinstance(node, dict):
        for key, value in node.items():
            yield from _strings(value, (*path, key))
    elif isinstance(node, list):
        for index, value in enumerate(node):
            yield from _strings(value, (*path, index))


def leaks(files: Mapping[str, bytes], sought: Iterable[Sought]) -> list[str]:
    """A line for each case and file: what of the secret is there."""
    seeds = _seeds(sought)
    found: dict[str, None] = {}
    for name, raw in files.items():
        for text in _all_readings(name, raw):
            for at in range(0, len(text), _SEED):
                for one, place in seeds.get(text[at : at + _SEED], ()):
                    if (part := _around(text, at, one.core.encode(), place)) is not None:
                        found[f"{one.told}: {len(part)} of {len(one.core)} characters are in {name}"] = None
    return list(found)


def _all_readings(name: str, raw: bytes) -> Iterator[bytes]:
    yield from readings(raw)
    if name.endswith(".yaml"):
        parts = list(of_cassette(raw))
        yield from readings(b"\n\n".join(parts))


def _seeds(sought: Iterable[Sought]) -> dict[bytes, list[tuple[Sought, int]]]:
    """Every piece of `_SEED` characters: one read text in so many is looked up, so that none is passed over."""
    seeds: dict[bytes, list[tuple[Sought, int]]] = {}
    for one in sought:
        core = one.core.encode()
        for at in range(len(core) - _SEED + 1):
            seeds.setdefault(core[at : at + _SEED], []).append((one, at))
    return seeds


def _around(text: bytes, at: int, core: bytes, place: int) -> bytes | None:
    """The part of the secret that stands in the text around a seed, if it is long enough to matter."""
    start, end = 0, _SEED
    while place + start > 0 and at + start > 0 and core[place + start - 1] == text[at + start - 1]:
        start -= 1
    while place + end < len(core) and at + end < len(text) and core[place + end] == text[at + end]:
        end += 1
    part = text[at + start : at + end]
    return part if len(part) >= min(len(core), _LONG_PART) else None
