"""A layout worked out for reading: how each line of an interaction starts, and where a block ends."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from recorder.cassette.document import Layout
from recorder.cassette.schema import REQUEST, RESPONSE


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """The text of literal blocks at one place: how it is indented, which digit says so, and where it ends."""

    pad: bytes
    digit: bytes
    end: re.Pattern[bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """A layout worked out for reading."""

    item_start: bytes  # up to the number
    item: re.Pattern[bytes]
    request_line: bytes
    request: re.Pattern[bytes]
    response_line: bytes
    response: re.Pattern[bytes]
    field: bytes
    block: Block
    behind_body: bytes  # what nearly always follows one; the longer, the faster it is found
    list_item: bytes
    list_block: Block
    name: bytes
    name_item: bytes
    name_block: Block
    starts: tuple[bytes, ...]  # all that a line inside an interaction can start with, the text of blocks aside


@lru_cache(maxsize=8)
def form_of(layout: Layout) -> Form:
    item = layout.dash(0)
    field = layout.step(item + 2)
    name = layout.step(field)
    item_start = b" " * item + b"- id: "
    pad, key = b" " * field, b" " * (item + 2)
    list_item, name_item = b" " * layout.dash(field) + b"- ", b" " * layout.dash(name) + b"- "
    keys = (pad + key.encode() + b":" for key in (*REQUEST, *RESPONSE))
    return Form(
        item_start=item_start,
        item=re.compile(item_start + rb"(?:0|[1-9][0-9]{0,17})\n"),
        request_line=key + b"request:",
        request=re.compile(key + b"request:\n"),
        response_line=key + b"response:",
        response=re.compile(key + b"response:\n"),
        field=pad,
        block=_block(field, layout.step(field)),
        behind_body=b"\n%bheaders:\n%b" % (pad, b" " * name),
        list_item=list_item,
        list_block=_block(layout.dash(field), layout.dash(field) + 2),
        name=b" " * name,
        name_item=name_item,
        name_block=_block(layout.dash(name), layout.dash(name) + 2),
        starts=(key + b"request:", key + b"response:", *keys, list_item, name_item, b" " * name),
    )


def _block(parent: int, column: int) -> Block:
    pad = b" " * column
    return Block(pad=pad, digit=b"%d" % (column - parent), end=re.compile(rb"\n(?!%b|\n)" % pad))
