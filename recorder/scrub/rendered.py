"""An interaction as it is written: its body as lines, and the rest without it."""

from __future__ import annotations

import re
from functools import cache

PIECE = 1 << 17
"""Bytes searched at once: about a millisecond for the slowest single call."""


_LINE_BREAKS = re.compile(rb"\n+")


def as_lines(rendered: bytes) -> bytes:
    """A body that stands in double quotes (one with an emoji in it, say) as the lines that it has."""
    if b"\\n\\ndata:" not in rendered and b"\\n{" not in rendered:
        return rendered
    parts = []
    start = 0
    while start < len(rendered):
        end = start + PIECE
        while rendered[end - 1 : end] == b"\\":  # not in the middle of an escape
            end += 1
        piece = rendered[start:end].replace(b"\\\\", b"\0").replace(b"\\n", b"\n").replace(b"\\r", b"\r")
        parts.append(piece.replace(b'\\"', b'"').replace(b"\0", b"\\"))
        start = end
    return b"".join(parts)


def without_body(rendered: bytes, body: bytes, column: bytes) -> bytes | None:
    """An interaction as it is written, without this body; None where it is not written as most bodies are.

    `column`: the indentation of its fields. Every line of a text is indented further.
    """
    start = column + b"body: "
    if b"\n" not in body:
        for written in (b"%b'%b'\n" % (start, body.replace(b"'", b"''")), b"%b%b\n" % (start, body)):
            if written in rendered:
                return rendered.replace(written, start + b"\n", 1)
        return None
    for header in _block_header(column).finditer(rendered):  # at most two
        indent = b"\n" + header[1]
        block = body.rstrip(b"\n").replace(b"\n", indent)
        for _ in range(2):  # the second time for every other one of a row of empty lines
            block = block.replace(indent + b"\n", b"\n\n")
        end = header.end() + len(block)
        behind = _LINE_BREAKS.match(rendered, end)
        if behind and rendered.startswith(block, header.end()) and not rendered.startswith(header[1], behind.end()):
            return rendered[: header.end()] + rendered[end:]
    return None


@cache
def _block_header(column: bytes) -> re.Pattern[bytes]:
    return re.compile(column + rb"body: \|[1-9]?[-+]?\n( +)")


@cache
def own_numbers(column: bytes) -> re.Pattern[bytes]:
    """Fields in which only numbers can stand, in an interaction without its bodies."""
    duration = rb"-?(?:[0-9.]+(?:h|m|s|ms|\xc2\xb5s|ns))+"
    return re.compile(column + rb"(?:(?:content_length|code): -?[0-9]+|duration: " + duration + rb")(?=\n)")
