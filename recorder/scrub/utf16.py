"""Text in UTF-16 and UTF-32: whole bodies as UTF-8, and runs of such characters inside of something else as a view."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass

from recorder.scrub.decoding import View

_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_PLAIN = rb"[\t\n\r\x20-\x7e\xa0-\xff]"
"""ASCII, and Latin-1 as single bytes: learned values are searched for in that spelling too."""
_SHORTEST = 8
"""Characters: no shorter value is learned."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Form:
    """How a character of ASCII is written: `width` bytes, itself at `place`."""

    charset: str
    width: int
    place: int
    run: re.Pattern[bytes]


def _form(charset: str, width: int, place: int) -> _Form:
    character = rb"\0" * place + _PLAIN + rb"\0" * (width - 1 - place)
    run = re.compile(rb"(?:%s){%d,}+" % (character, _SHORTEST))
    return _Form(charset=charset, width=width, place=place, run=run)


_FORMS = (
    _form("utf-32-le", 4, 0),
    _form("utf-32-be", 4, 3),
    _form("utf-16-le", 2, 0),
    _form("utf-16-be", 2, 1),
)


def charset(body: bytes) -> str:
    """The charset of a body that is all in wide characters, by its mark or its first ones; "" if it is not."""
    if b"\0" not in body[:64]:
        return ""
    named = next((name for mark, name in _MARKS if body.startswith(mark)), "")
    named = named or next((form.charset for form in _FORMS if form.run.match(body, 0, 64)), "")
    return named if named and _goes_back(body, named) else ""


def _goes_back(body: bytes, name: str) -> bool:
    try:
        return body.decode(name).encode(name) == body
    except UnicodeError:
        return False


def decode(body: bytes, name: str) -> bytes:
    return body.decode(name).encode()


def encode(text: bytes, name: str) -> bytes:
    return text.decode().encode(name)


def views(text: bytes) -> Iterator[tuple[str, View]]:
    """For each charset that there is a run of: the text with such runs as ASCII."""
    if b"\0" not in text:
        return
    for form in _FORMS:
        found = list(form.run.finditer(text))
        if found:
            yield form.charset, _view(text, form, [match.span() for match in found])


def _view(text: bytes, form: _Form, spans: list[tuple[int, int]]) -> View:
    parts: list[bytes] = []
    at: list[int] = []
    source_at: list[int] = []
    done = length = 0
    for start, end in spans:
        size = (end - start) // form.width
        parts += (text[done:start], text[start + form.place : end : form.width])
        length += start - done
        at += range(length, length + size)
        source_at += range(start, end, form.width)
        length += size
        done = end
    parts.append(text[done:])
    return View(
        text=b"".join(parts), at=at, sizes=[1] * len(at), source_at=source_at, source_sizes=[form.width] * len(at)
    )
