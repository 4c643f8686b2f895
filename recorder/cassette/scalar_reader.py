"""What stands between quotes, or is base64 → its bytes: the way back from `scalars.py`.

Bodies of many kilobytes come through here, so whole texts are asked and changed at once.
"""

from __future__ import annotations

import binascii
import re
from functools import cache

from recorder.cassette.scalars import unusual

_ESCAPE = re.compile(rb"\\(?:x[0-9A-Fa-f]{2}|u[0-9A-Fa-f]{4}|U[0-9A-Fa-f]{8}|.|\Z)", re.DOTALL)
_ESCAPES = {
    b"0": b"\0", b"a": b"\x07", b"b": b"\x08", b"t": b"\t", b"v": b"\x0b", b"f": b"\x0c", b"r": b"\r", b"e": b"\x1b",
    b" ": b" ", b"/": b"/", b"N": b"\xc2\x85", b"_": b"\xc2\xa0", b"L": b"\xe2\x80\xa8", b"P": b"\xe2\x80\xa9",
}  # fmt: skip
_MANY = 64  # kinds of escapes; above that, one pass over the text beats a `replace` for each
_LARGE = 2**20  # bytes; the parts of a larger text may take many times its memory
_BACKSLASH = b"\xff"  # stands for a backslash while escapes are taken out: never in UTF-8


class ForeignError(Exception):
    """Not spelled as go-vcr spells it; it may still be good YAML."""


@cache
def _lost() -> re.Pattern[str]:
    """What a YAML reader does not keep as it is: controls, the line breaks of YAML 1.1 and the byte order mark."""
    return re.compile("[^\u00a0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")


def check(text: bytes, *, tabs: bool) -> None:
    """ForeignError if a YAML reader would refuse a character, or not keep it."""
    rest = unusual(text)
    if tabs:
        rest = rest.replace(b"\t", b"")
    if not rest:
        return
    try:
        text.decode()
        lost = _lost().search(rest.decode())
    except UnicodeDecodeError as error:
        raise ForeignError from error
    if lost:
        raise ForeignError


def single_quoted(text: bytes) -> bytes:
    check(text, tabs=False)
    # Quotes stand in pairs, so that every other part is the nothing between the two of one.
    parts = text.split(b"'")
    if len(parts) % 2 == 0 or any(parts[1::2]):
        raise ForeignError
    return b"'".join(parts[::2])


def double_quoted(text: bytes) -> bytes:
    """Every escape of YAML. A `replace` for each kind of escape that is there beats any loop over the text."""
    check(text, tabs=False)
    if b"\\" not in text:
        if b'"' in text:
            raise ForeignError
        return text
    if text.rfind(b"\\\\") >= 0:  # a third of the time that `in` or `replace` would take: CPython is faster backwards
        text = text.replace(b"\\\\", _BACKSLASH)  # from here on, every backslash starts an escape
    quoted = text.replace(b'\\"', b'"')
    if quoted.count(b'"') != len(text) - len(quoted):  # one that is not escaped
        raise ForeignError
    text = b"\n".join(quoted.rsplit(b"\\n")) if len(quoted) < _LARGE else quoted.replace(b"\\n", b"\n")
    if b"\\" in text:
        kinds = set(_ESCAPE.findall(text))
        if len(kinds) > _MANY:
            text = _ESCAPE.sub(lambda found: _unescape(found[0]), text)
        else:
            for kind in kinds:
                text = text.replace(kind, _unescape(kind))
    return text.replace(_BACKSLASH, b"\\")


def _unescape(escape: bytes) -> bytes:
    if len(escape) <= 2:  # one at the end of the text is a backslash alone
        character = _ESCAPES.get(escape[1:])
        if character is None:
            raise ForeignError
        return character
    code = int(escape[2:], 16)  # noqa: FURB166 - this prefix is no Python prefix
    if code == ord("\\"):
        return _BACKSLASH
    try:
        return chr(code).encode()
    except (ValueError, OverflowError) as error:  # a surrogate, or beyond Unicode
        raise ForeignError from error


def base64(encoded: bytes) -> bytes:
    try:
        return binascii.a2b_base64(encoded, strict_mode=True)
    except binascii.Error as error:
        raise ForeignError from error
