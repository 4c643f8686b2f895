"""A body as text that can be searched, and the kinds of bodies that are none."""

from __future__ import annotations

from binascii import b2a_base64
from codecs import getincrementaldecoder
from collections.abc import Callable
from dataclasses import dataclass

from recorder.model import Fields
from recorder.scrub import compressed, utf16
from recorder.scrub.rendered import PIECE
from recorder.wire import aws_event_stream


@dataclass(frozen=True, slots=True, kw_only=True)
class Readable:
    """What a body says, and how the like of it is written back into the body's own form."""

    plain: bytes
    pack: Callable[[bytes], bytes]


def readable(body: bytes, coding: str) -> Readable:
    """What is in a body that is compressed, in Amazon's frames, or in wide characters; `BodyError` if it is broken."""
    unpacked = compressed.unpack(body, coding)
    if unpacked is not None:
        inner = readable(unpacked.plain, "")
        return Readable(plain=inner.plain, pack=lambda plain: unpacked.pack(inner.pack(plain)))
    text = aws_event_stream.as_text(body)
    if text is not None:
        return Readable(plain=text, pack=lambda plain: aws_event_stream.from_text(body, plain))
    charset = utf16.charset(body)
    if charset:
        return Readable(plain=utf16.decode(body, charset), pack=lambda plain: utf16.encode(plain, charset))
    return Readable(plain=body, pack=lambda plain: plain)


def _without_binary(rendered: bytes, body: bytes) -> bytes:
    """The text without the base64 of a body that is no text: three letters of a key come up there by chance."""
    start = rendered.find(_BINARY)
    while start >= 0:
        lines = rendered[start + len(_BINARY) :].split(b"\n")
        count, taken, encoded = 0, 0, b2a_base64(body, newline=False)
        while taken < len(encoded) and (line := lines[count].strip()) and encoded.startswith(line, taken):
            taken += len(line)
            count += 1
        if taken == len(encoded):
            return rendered[: start + len(_BINARY)] + b"\n".join(lines[count:])
        start = rendered.find(_BINARY, start + 1)
    return rendered


_BINARY = b" !!binary |\n"


def coding(headers: Fields) -> str:
    return (
        next((values[0] for name, values in headers.items() if name.lower() == "content-encoding" and values), "")
        .strip()
        .lower()
    )


def is_form(headers: Fields) -> bool:
    types = (value for name, values in headers.items() if name.lower() == "content-type" for value in values)
    return any(value.lower().startswith("application/x-www-form-urlencoded") for value in types)


def is_text(body: bytes) -> bool:
    if body.isascii():
        return True
    decoder = getincrementaldecoder("utf-8")()
    try:
        for start in range(0, len(body), PIECE):
            decoder.decode(body[start : start + PIECE])
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True
