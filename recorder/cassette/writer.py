"""Interaction → text, key for key in the order of go-vcr's structs; what is `omitempty` there is left out if empty."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cmp_to_key, lru_cache
from io import BytesIO

from recorder.cassette.document import Cassette, Layout
from recorder.cassette.duration import format_duration
from recorder.cassette.scalars import Place, scalar
from recorder.model import Fields, Interaction, Request, Response

_START = b"---\nversion: 2\ninteractions:"
# go-yaml's `checkSimpleKey`: a longer key, counted in bytes with its tag, is written behind a question mark.
_LONGEST_SIMPLE_KEY = 128
_BINARY_TAG = b"!!binary "
_LINE_BREAKS = (b"\n", b"\r", b"\xc2\x85", b"\xe2\x80\xa8", b"\xe2\x80\xa9")


def header(layout: Layout) -> bytes:  # noqa: ARG001 - a layout's own, though all three layouts begin alike
    """All that stands before the first interaction."""
    return _START + b"\n"


def dumps(cassette: Cassette) -> bytes:
    if not cassette.interactions:
        return _START + b" []\n"
    layout = cassette.layout
    text = BytesIO()  # grows in place: the parts of a large file would be as much again
    text.write(header(layout))
    for number, interaction in enumerate(cassette.interactions):
        text.write(render(interaction, number, layout))
    return text.getvalue()


def render(interaction: Interaction, id: int, layout: Layout) -> bytes:  # noqa: A002 - the format's word
    """One interaction, to stand behind the header or behind another one."""
    form = _form(layout)
    lines: list[bytes] = [b"%s- id: %d\n%srequest:\n" % (form.item, id, form.key)]
    _request(lines, interaction.request, form)
    lines.append(form.key + b"response:\n")
    _response(lines, interaction.response, form)
    return b"".join(lines)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Form:
    """A layout worked out: the indentation of every line, and the places of the scalars."""

    item: bytes
    key: bytes
    field: bytes
    value: Place  # of a field
    list_item: bytes
    list_value: Place
    name: bytes
    name_value: Place  # a name written behind a question mark
    name_item: bytes
    name_list_value: Place
    long_name_item: bytes  # below such a name
    long_name_value: Place


@lru_cache(maxsize=8)
def _form(layout: Layout) -> _Form:
    item = layout.dash(0)
    field = layout.step(item + 2)
    name = layout.step(field)
    long_item = layout.step(name)  # behind `:` a sequence is never compact
    return _Form(
        item=b" " * item,
        key=b" " * (item + 2),
        field=b" " * field,
        value=_place(layout, field, layout.step(field)),
        list_item=b" " * layout.dash(field) + b"- ",
        list_value=_place(layout, layout.dash(field), layout.dash(field) + 2),
        name=b" " * name,
        name_value=_place(layout, name, layout.step(name)),
        name_item=b" " * layout.dash(name) + b"- ",
        name_list_value=_place(layout, layout.dash(name), layout.dash(name) + 2),
        long_name_item=b" " * long_item + b"- ",
        long_name_value=_place(layout, long_item, long_item + 2),
    )


def _place(layout: Layout, parent: int, column: int) -> Place:
    digit = b"%d" % layout.indent if column - parent == layout.indent else b""
    return Place(pad=b" " * column, digit=digit, candidate=layout.candidate)


def _request(lines: list[bytes], request: Request, form: _Form) -> None:
    pad = form.field
    lines += (pad, b"proto: ", _scalar(request.proto, form.value))
    lines.append(
        b"%sproto_major: %d\n%sproto_minor: %d\n%scontent_length: %d\n"
        % (pad, request.proto_major, pad, request.proto_minor, pad, request.content_length)
    )
    if request.transfer_encoding:
        _list(lines, b"transfer_encoding", request.transfer_encoding, form)
    if request.trailer:
        _fields(lines, b"trailer", request.trailer, form)
    lines += (pad, b"host: ", _scalar(request.host, form.value))
    if request.remote_addr:
        lines += (pad, b"remote_addr: ", _scalar(request.remote_addr, form.value))
    if request.request_uri:
        lines += (pad, b"request_uri: ", _scalar(request.request_uri, form.value))
    if request.body:
        lines += (pad, b"body: ", scalar(request.body, form.value))
    if request.form:
        _fields(lines, b"form", request.form, form)
    if request.headers:
        _fields(lines, b"headers", request.headers, form)
    lines += (pad, b"url: ", _scalar(request.url, form.value))
    lines += (pad, b"method: ", _scalar(request.method, form.value))


def _response(lines: list[bytes], response: Response, form: _Form) -> None:
    pad = form.field
    lines += (pad, b"proto: ", _scalar(response.proto, form.value))
    lines.append(b"%sproto_major: %d\n%sproto_minor: %d\n" % (pad, response.proto_major, pad, response.proto_minor))
    if response.transfer_encoding:
        _list(lines, b"transfer_encoding", response.transfer_encoding, form)
    if response.trailer:
        _fields(lines, b"trailer", response.trailer, form)
    lines.append(b"%scontent_length: %d\n" % (pad, response.content_length))
    if response.uncompressed:
        lines += (pad, b"uncompressed: true\n")
    lines += (pad, b"body: ", scalar(response.body, form.value))
    _fields(lines, b"headers", response.headers, form)
    lines += (pad, b"status: ", _scalar(response.status, form.value))
    lines.append(b"%scode: %d\n%sduration: " % (pad, response.code, pad))
    lines.append(format_duration(response.duration).encode() + b"\n")


def _scalar(text: str, place: Place) -> bytes:
    return scalar(text.encode("utf-8", "surrogateescape"), place)


def _list(lines: list[bytes], key: bytes, values: Iterable[str], form: _Form) -> None:
    lines += (form.field, key, b":\n")
    for value in values:
        lines += (form.list_item, _scalar(value, form.list_value))


def _fields(lines: list[bytes], key: bytes, fields: Fields, form: _Form) -> None:
    lines += (form.field, key, b":\n" if fields else b": {}\n")
    for name in natural_order(tuple(fields)):
        simple = _simple_key(name, form.value.candidate)
        if simple is None:
            _long_name(lines, name, fields[name], form)
        elif values := fields[name]:
            lines += (form.name, simple, b":\n")
            for value in values:
                lines += (form.name_item, _scalar(value, form.name_list_value))
        else:
            lines += (form.name, simple, b": []\n")


def _long_name(lines: list[bytes], name: str, values: tuple[str, ...], form: _Form) -> None:
    """A name behind a question mark. The first dash of its values stands in the line of the colon."""
    lines += (form.name, b"? ", _scalar(name, form.name_value), form.name, b":")
    if not values:
        lines.append(b" []\n")
    item = form.long_name_item[len(form.name) + 1 :]
    for value in values:
        lines += (item, _scalar(value, form.long_name_value))
        item = form.long_name_item


@lru_cache(maxsize=1024)  # the names of headers are few
def _simple_key(name: str, candidate: int) -> bytes | None:
    """The name as a key on one line; None where go-yaml puts it behind a question mark (`checkSimpleKey`)."""
    place = Place(pad=b"", digit=b"", candidate=candidate)
    value = name.encode("utf-8", "surrogateescape")
    key = scalar(value, place)[:-1]
    if key.startswith(_BINARY_TAG):
        return None if b"\n" in key else key
    if len(value) > _LONGEST_SIMPLE_KEY or any(line_break in value for line_break in _LINE_BREAKS):
        return None
    return key


@lru_cache(maxsize=256)
def natural_order(names: tuple[str, ...]) -> tuple[str, ...]:
    """Names as go-yaml sorts the keys of a map (`keyList.Less`): letters after others, numbers by value.

    What is a letter, Python's Unicode says; Go's may know newer ones.
    """
    if len(names) < 2:
        return names
    return tuple(sorted(names, key=cmp_to_key(_compare)))


def _compare(a: str, b: str) -> int:
    left, right = _runes(a), _runes(b)
    return -1 if _less(left, right) else _less(right, left)


def _runes(name: str) -> list[int]:
    # In Go's runes, each byte that is not UTF-8 is a U+FFFD; here it is a lone surrogate.
    return [0xFFFD if 0xDC80 <= ord(character) <= 0xDCFF else ord(character) for character in name]


def _less(a: list[int], b: list[int]) -> bool:
    digits = False
    for position, (left, right) in enumerate(zip(a, b, strict=False)):
        if left == right:
            digits = _is_digit(left)
            continue
        left_letter, right_letter = _is_letter(left), _is_letter(right)
        if left_letter and right_letter:
            return left < right
        if left_letter or right_letter:
            return left_letter if digits else right_letter
        return _number_less(a, b, position)
    return len(a) < len(b)


def _number_less(a: list[int], b: list[int], position: int) -> bool:
    start = 0
    if ord("0") in (a[position], b[position]):
        before = position - 1
        while before >= 0 and _is_digit(a[before]):
            if a[before] != ord("0"):
                start = 1
                break
            before -= 1
    left, left_end = _number(a, position, start)
    right, right_end = _number(b, position, start)
    if left != right:
        return left < right
    if left_end != right_end:
        return left_end < right_end
    return a[position] < b[position]


def _number(runes: list[int], position: int, start: int) -> tuple[int, int]:
    value = start
    while position < len(runes) and _is_digit(runes[position]):
        value = value * 10 + runes[position] - ord("0")
        position += 1
    return (value + 2**63) % 2**64 - 2**63, position  # Go's int64 wraps


def _is_digit(rune: int) -> bool:
    return unicodedata.category(chr(rune)) == "Nd"


def _is_letter(rune: int) -> bool:
    return unicodedata.category(chr(rune))[0] == "L"
