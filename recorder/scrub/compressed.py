"""Bodies that are compressed in themselves, or whose request says so: what they say, and back into the same form.

go-vcr stores such bodies as they came, so they stay to the byte where there is nothing to hide. What is cut off is read
as far as it goes; what is broken cannot be searched, and is a `BodyError`.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field

import brotli  # type: ignore[import-untyped]  # it has none
import zstandard

from recorder.errors import BodyError
from recorder.wire.content_coding import LIMIT, Decoder, codings

MAGIC = {"gzip": b"\x1f\x8b\x08", "zstd": b"\x28\xb5\x2f\xfd", "bzip2": b"BZh", "xz": b"\xfd7zXZ\0"}
_MAGICS = tuple(MAGIC.values())
_BZIP2_BLOCK = b"1AY&SY"  # behind the magic and the level
_MOST_LAYERS = 4
_PIECE = 1 << 16

_PACK: dict[str, Callable[[bytes], bytes]] = {
    "gzip": lambda plain: gzip.compress(plain, mtime=0),
    "deflate": zlib.compress,
    "br": brotli.compress,
    "zstd": lambda plain: zstandard.ZstdCompressor().compress(plain),
    "bzip2": bz2.compress,
    "xz": lzma.compress,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Packed:
    """`plain` was in these layers, the innermost first."""

    plain: bytes = field(repr=False)
    layers: tuple[str, ...]

    def pack(self, plain: bytes) -> bytes:
        for layer in self.layers:
            plain = _PACK[layer](plain)
        return plain


def unpack(body: bytes, coding: str = "", *, limit: int = LIMIT) -> Packed | None:
    """What a compressed body says, None if it is not compressed; `coding`: its Content-Encoding, not undone yet."""
    layers: list[str] = []
    for name in reversed(codings(coding)):
        body = _undone(body, name, limit)
        layers.append(name)
    while len(layers) < _MOST_LAYERS and (name := _recognised(body)):
        body = _undone(body, name, limit)
        layers.append(name)
    return Packed(plain=body, layers=tuple(reversed(layers))) if layers else None


def _recognised(body: bytes) -> str:
    if not body.startswith(_MAGICS):
        return ""
    name = next((name for name, magic in MAGIC.items() if body.startswith(magic)), "")
    return "" if name == "bzip2" and body[4:10] != _BZIP2_BLOCK else name


def _undone(body: bytes, name: str, limit: int) -> bytes:
    if name in {"bzip2", "xz"}:
        return _decompressed(body, name, limit)
    return Decoder(name, limit=limit).feed(body)  # not ended: what is cut off says no more than what is there


def _decompressed(body: bytes, name: str, limit: int) -> bytes:
    """Of each stream, one behind the other, as `bz2.decompress` and `lzma.decompress` have it; bounded."""
    parts: list[bytes] = []
    size = 0
    while body:
        decompressor = bz2.BZ2Decompressor() if name == "bzip2" else lzma.LZMADecompressor()
        while not decompressor.eof:
            try:
                part = decompressor.decompress(body, max_length=_PIECE)
            except (OSError, ValueError, lzma.LZMAError) as error:
                raise BodyError(f"expected a body in {name}, found one that is broken: {error}") from error
            body = b""
            parts.append(part)
            size += len(part)
            if size > limit:
                raise BodyError(f"expected a body in {name} of at most {limit} bytes, found more")
            if not part and decompressor.needs_input:
                return b"".join(parts)
        body = decompressor.unused_data
    return b"".join(parts)
