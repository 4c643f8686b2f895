"""Amazon's binary event streams (`application/vnd.amazon.eventstream`, Bedrock) as text, and back into valid frames.

A frame is its length, the length of its headers, a CRC of these two, headers, a payload, and a CRC of it all; numbers
are big-endian, four bytes each. Bedrock's payload is `{"bytes":"…"}` with a JSON event in base64, or the event itself.
"""

from __future__ import annotations

import base64
import binascii
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field

from recorder.wire import json_spans

_PRELUDE = struct.Struct(">III")
_CRC = struct.Struct(">I")
_START, _END = b"data: ", b"\n\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Frame:
    headers: bytes = field(repr=False)
    payload: bytes = field(repr=False)
    encoded: tuple[int, int] | None
    """Where in the payload base64 stands, if it does."""

    def event(self) -> bytes:
        if self.encoded is None:
            return self.payload
        return base64.b64decode(self.payload[slice(*self.encoded)], validate=True)

    def with_event(self, event: bytes) -> bytes:
        """The frame, with another event in it."""
        payload = event
        if self.encoded is not None:
            start, end = self.encoded
            payload = self.payload[:start] + base64.b64encode(event) + self.payload[end:]
        length = _PRELUDE.size + len(self.headers) + len(payload) + _CRC.size
        lengths = struct.pack(">II", length, len(self.headers))
        frame = lengths + _CRC.pack(zlib.crc32(lengths)) + self.headers + payload
        return frame + _CRC.pack(zlib.crc32(frame))


def as_text(body: bytes) -> bytes | None:
    """The events of a whole binary stream, as an event stream in text; None if it is no such stream."""
    frames = _frames(body)
    if not frames:
        return None
    return b"".join(_START + frame.event() + _END for frame in frames)


def from_text(body: bytes, text: bytes) -> bytes:
    """`body` with the events of `text`, which came from `as_text`; what did not change stays to the byte."""
    frames = _frames(body)
    assert frames is not None
    events = text.removeprefix(_START).removesuffix(_END).split(_END + _START)
    assert len(frames) == len(events)
    return b"".join(frame.with_event(event) for frame, event in zip(frames, events, strict=True))


def _frames(body: bytes) -> list[_Frame] | None:
    if len(body) < _PRELUDE.size or body[:2] != b"\0\0":
        return None
    try:
        return list(_read(body))
    except (ValueError, struct.error, binascii.Error):
        return None


def _read(body: bytes) -> Iterator[_Frame]:
    start = 0
    while start < len(body):
        length, headers, crc = _PRELUDE.unpack_from(body, start)
        end = start + length
        if (
            zlib.crc32(body[start : start + 8]) != crc
            or end > len(body)
            or length < _PRELUDE.size + headers + _CRC.size
        ):
            raise ValueError("expected a frame of an event stream")
        payload_at = start + _PRELUDE.size + headers
        payload = body[payload_at : end - _CRC.size]
        frame = _Frame(headers=body[start + _PRELUDE.size : payload_at], payload=payload, encoded=_encoded(payload))
        # What could not be put back as it was is left as it is; a blank line would end an event in text.
        if frame.with_event(frame.event()) != body[start:end] or b"\n" in frame.event():
            raise ValueError("expected a frame that can be written again")
        yield frame
        start = end


def _encoded(payload: bytes) -> tuple[int, int] | None:
    try:
        found = json_spans.values(payload)
    except json_spans.NotJsonError:
        return None
    return next(((value.start, value.end) for value in found if value.path == ("bytes",) and value.is_string), None)
