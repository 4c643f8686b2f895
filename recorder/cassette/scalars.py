"""One string → its YAML scalar, as go-yaml v4 writes it. Bytes in, bytes out, because Go's strings are bytes.

The order of the questions is go-yaml's: `stringv` and `resolve` choose a style, the emitter's `analyzeScalar` and
`selectScalarStyle` may overrule it. What differs on purpose: a block that a reader would not give back unchanged is
written in double quotes. Bodies of many kilobytes come through here, so whole texts are asked and changed at once
(`translate`, `readlines`, `join`), with no loop of our own over lines.
"""

from __future__ import annotations

import base64
import calendar
import re
from dataclasses import dataclass
from functools import cache
from io import BytesIO
from operator import itemgetter

_ASCII_TEXT = bytes(range(0x20, 0x7F)) + b"\n"
_CONTROLS = (*(control for control in range(0x20) if control != ord("\n")), 0x7F)
_SHORT, _PIECE, _LARGE = 2**12, 2**14, 2**20  # bytes
_SPACE_BREAK = re.compile(rb" \n")  # over a long text three times as fast as `in`
_LAST_TWO = itemgetter(slice(-2, None))
_SEPARATORS = (b"\xe2\x80\xa8", b"\xe2\x80\xa9")  # U+2028 and U+2029: line breaks in YAML 1.1
_BREAKS = (b"\n", *_SEPARATORS)
# A block without a digit that starts like this is lost: readers take a space for indentation, and stop at a tab.
_LOST_INDENT = re.compile(rb"(?:\n|\xe2\x80[\xa8\xa9])*[ \t]")
_BREAK_RUN = re.compile(rb"(?:\n|\xe2\x80[\xa8\xa9])++(?!\Z)")
_SEPARATOR_RUN = re.compile(rb"(?:\xe2\x80[\xa8\xa9])++(?!\Z)")
_SPACE_SEPARATOR = re.compile(rb" \xe2\x80[\xa8\xa9]")
_SEPARATOR_SPACE = re.compile(rb"\xe2\x80[\xa8\xa9] ")

# Text that is plain beyond doubt, for the many short values of a cassette; the long way round gives the same.
# `PLAIN_REST` is all of it but the first character.
PLAIN_REST = r"""[!-9;-~]*+(?:(?::(?=[!-~])| (?=[!"$-~]))[!-9;-~]*+)*+"""
SURELY_PLAIN = re.compile(f"[A-Za-z/]{PLAIN_REST}".encode())
INDICATOR = re.compile(
    rb"""(?:---|\.\.\.|[#,\[\]{}&*!|>'"%@`]|[?:-](?:[ \t]|\Z))|.*?(?::(?:[ \t]|\Z)|[ \t]\#)""", re.DOTALL
)

_OLD_BOOLEANS = frozenset(b"y Y yes Yes YES on On ON n N no No NO off Off OFF".split())
_BASE_60 = re.compile(rb"[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?")
_WORDS = frozenset(
    b"true True TRUE false False FALSE ~ null Null NULL .nan .NaN .NAN .inf .Inf .INF +.inf +.Inf +.INF"
    b" -.inf -.Inf -.INF <<".split()
)
_INTEGER = re.compile(rb"[-+]?(?:0[xX][0-9a-fA-F]+|0[oO]?[0-7]+|0[bB][01]+|0|[1-9][0-9]*)")
_FLOAT = re.compile(rb"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_POINT_FLOAT = re.compile(rb"\.[0-9]+(?:_[0-9]+)*(?:[eE][-+]?[0-9]+(?:_[0-9]+)*)?")  # Go's ParseFloat
_TIMESTAMP = re.compile(
    rb"([0-9]{4})-([0-9]{1,2})-([0-9]{1,2})"
    rb"(?:(?:[Tt]|[ ]+(?=[^Zz+-]*\Z))([0-9]{1,2}):([0-9]{1,2}):([0-9]{1,2})(?:[.,][0-9]+)?"
    rb"(Z|[-+]([0-9]{2}):([0-9]{2}))?)?"
)

_ESCAPES = {
    0x00: b"0", 0x07: b"a", 0x08: b"b", 0x09: b"t", 0x0A: b"n", 0x0B: b"v", 0x0C: b"f", 0x0D: b"r", 0x1B: b"e",
    0x22: b'"', 0x5C: b"\\", 0x85: b"N", 0xA0: b"_", 0x2028: b"L", 0x2029: b"P",
}  # fmt: skip
_MANY = 64  # kinds of characters to escape; above that, one pass over the text beats a `replace` for each

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"

_BASE64_LINE = 70


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a scalar stands.

    `pad`: the indentation of its further lines. `digit`: what a block that starts with a space has behind its `|`;
    empty where go-yaml's digit would be wrong (in a sequence, its own readers count otherwise). `candidate`: see
    `Layout`.
    """

    pad: bytes
    digit: bytes
    candidate: int


def scalar(value: bytes, place: Place) -> bytes:
    """The scalar with the line break that ends it, without the space before it."""
    if SURELY_PLAIN.fullmatch(value) and value not in _WORDS and value not in _OLD_BOOLEANS:
        return value + b"\n"
    if not value:
        return b'""\n'
    rest = unusual(value)
    if not value.isascii() and not _is_utf8(value):
        return _binary(value, place.pad)
    beyond = rest.replace(b"\t", b"").decode()
    special = bool(beyond) and _not_printable().search(beyond) is not None
    separated = "\u2028" in beyond or "\u2029" in beyond
    if b"\n" not in value:
        return _line(value, place, tabs=b"\t" in rest, special=special, separated=separated)
    block = None if special else _block(value, place, separated=separated)
    return block or _double_quoted(value)


# Sets of characters from all of Unicode take some milliseconds each to compile, and many a cassette is ASCII.


@cache
def _not_printable() -> re.Pattern[str]:
    """Not in go-yaml's `isPrintable`, of what is left once _ASCII_TEXT and tabs are taken out."""
    return re.compile("[^\u00a0-\ud7ff\ue000-\ufefe\uff00-\ufffd]")


@cache
def _escaped() -> re.Pattern[str]:
    # U+00A0 is printable, so it is never escaped; the two separators are printable too, but they are line breaks.
    return re.compile("[^\n\x20-\x7e\u00a0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd]")


def unusual(text: bytes) -> bytes:
    """All of the text that is neither printable ASCII nor a line feed."""
    if len(text) > _SHORT and text.isascii() and _has_no_controls(text):
        return b""
    return text.translate(None, _ASCII_TEXT)


def _has_no_controls(text: bytes) -> bool:
    """By C's `memchr`, thirty times over pieces that stay in the fastest cache: half the time of one `translate`."""
    for start in range(0, len(text), _PIECE):
        piece = text[start : start + _PIECE]
        for control in _CONTROLS:
            if control in piece:
                return False
    return True


def _is_utf8(value: bytes) -> bool:
    try:
        value.decode()
    except UnicodeDecodeError:
        return False
    return True


def _binary(value: bytes, pad: bytes) -> bytes:
    encoded = base64.b64encode(value)
    if len(encoded) <= _BASE64_LINE:
        return b"!!binary " + encoded + b"\n"
    lines = (encoded[start : start + _BASE64_LINE] for start in range(0, len(encoded), _BASE64_LINE))
    return b"!!binary |\n" + b"".join(pad + line + b"\n" for line in lines)


def _fits_block(value: bytes, rows: list[bytes], *, separated: bool) -> bool:
    blank_at_end = b" \n" in map(_LAST_TWO, rows) if rows else _SPACE_BREAK.search(value)
    if value.endswith(b" ") or blank_at_end or (separated and _SPACE_SEPARATOR.search(value)):
        return False
    return not value.isspace() and (value.isascii() or not value.decode().isspace())


def _block(value: bytes, place: Place, *, separated: bool) -> bytes | None:
    """A literal block; None where it cannot be one, or would not be read back as it is."""
    # Three times as fast as `split`; of a large text the lines may take many times its memory.
    rows = BytesIO(value).readlines() if len(value) < _LARGE else []
    if not _fits_block(value, rows, separated=separated):
        return None
    digit = b""
    if value.startswith(b" ") or (place.candidate < 4 and value.startswith(_BREAKS)):
        if not place.digit:
            return None
        digit = place.digit
    elif _LOST_INDENT.match(value):
        return None
    if separated:
        lines = _separated_lines(value, place.pad)
    else:
        lines = _indented(rows, place.pad) if rows else _indented_whole(value, place.pad)
    return b"|%b%b\n%b" % (digit, _chomping(value), lines)


def _indented_whole(value: bytes, pad: bytes) -> bytes:
    """The lines of a block; empty ones stay so. None ends with a space: `pad` before a break is all of a line."""
    text = pad + value.removesuffix(b"\n").replace(b"\n", b"\n" + pad) + b"\n"
    return text.replace(pad + b"\n", b"\n")


def _indented(rows: list[bytes], pad: bytes) -> bytes:
    """The same in a third of the time."""
    texts = rows[::2]
    if rows[1::2].count(b"\n") == len(rows) // 2 and b"\n" not in texts:  # an event stream, most of the time
        lines = (b"\n" + pad).join([b"", *texts])[1:] + (b"" if len(rows) % 2 else b"\n")
    else:
        lines = b"\n".join((pad + pad.join(rows)).rsplit(pad + b"\n"))  # `split` and `replace` take twice as long
    return lines if rows[-1].endswith(b"\n") else lines + b"\n"


def _separated_lines(value: bytes, pad: bytes) -> bytes:
    start = b"" if value.startswith(_BREAKS) else pad
    end = b"" if value.endswith(_BREAKS) else b"\n"
    return start + _BREAK_RUN.sub(rb"\g<0>" + pad, value) + end


def _chomping(value: bytes) -> bytes:
    if not value.endswith(_BREAKS):
        return b"-"
    before = len(value) - (1 if value.endswith(b"\n") else 3)
    return b"+" if not before or value.endswith(_BREAKS, 0, before) else b""


def _line(value: bytes, place: Place, *, tabs: bool, special: bool, separated: bool) -> bytes:
    """A text without a line feed: plain, else in single quotes, else in double quotes."""
    if is_old(value):
        return _double_quoted(value) if place.candidate < 5 else b"'" + value + b"'\n"
    if resolves(value):
        return _double_quoted(value)
    if tabs or special or (separated and (_SPACE_SEPARATOR.search(value) or _SEPARATOR_SPACE.search(value))):
        return _double_quoted(value)
    if not (separated or value[:1] == b" " or value[-1:] == b" " or INDICATOR.match(value)):
        return value + b"\n"
    quoted = value.replace(b"'", b"''")
    if separated:
        quoted = _SEPARATOR_RUN.sub(rb"\g<0>" + place.pad, quoted)
    return b"'" + quoted + b"'\n"


def is_old(value: bytes) -> bool:
    """Whether YAML 1.1 takes it for a boolean, a base-60 number or a merge key (go-yaml's `isOldBool` and so on)."""
    return value in _OLD_BOOLEANS or value == b"<<" or (b":" in value and _BASE_60.fullmatch(value) is not None)


def resolves(value: bytes) -> bool:
    """Whether go-yaml takes the plain text for anything but a string (`resolve`)."""
    if not value or value in _WORDS:
        return True
    if value.startswith(b"."):
        return _POINT_FLOAT.fullmatch(value) is not None and _is_finite(value)
    if value[0] not in b"+-0123456789":
        return False
    if _is_timestamp(value):
        return True
    number = value.replace(b"_", b"")
    return _is_integer(number) or (_FLOAT.fullmatch(number) is not None and _is_finite(number))


def _is_finite(number: bytes) -> bool:
    # Go's ParseFloat reports what overflows as an error, and go-yaml then takes it for a string.
    return abs(float(number)) != float("inf")


def _is_integer(number: bytes) -> bool:
    """Go's `ParseInt(…, 0, 64)`, then `ParseUint`, which takes no sign."""
    if not _INTEGER.fullmatch(number):
        return False
    digits = number.lstrip(b"+-").lower()
    if digits[:1] == b"0" and digits[1:2].isdigit():
        digits = b"0o" + digits[1:]
    if len(digits.lstrip(b"0xob")) > 70:  # longer than 64 bits in any base
        return False
    value = int(digits, 0)
    if number[:1] == b"-":
        return value <= 2**63
    return value < (2**63 if number[:1] == b"+" else 2**64)


def _is_timestamp(value: bytes) -> bool:
    match = _TIMESTAMP.fullmatch(value)
    if match is None:
        return False
    year, month, day = (int(part) for part in match.group(1, 2, 3))
    if not 1 <= month <= 12 or not 1 <= day <= _days(year, month):
        return False
    if match[4] is None:
        return True
    if (value[match.start(4) - 1] in b"Tt") != (match[7] is not None):
        return False  # with a T there is a zone, with a space there is none
    hour, minute, second = (int(part) for part in match.group(4, 5, 6))
    zone_hour, zone_minute = (int(part or 0) for part in match.group(8, 9))
    return hour < 24 and minute < 60 and second < 60 and zone_hour <= 24 and zone_minute <= 60


def _days(year: int, month: int) -> int:
    # Year 0 is a leap year in Go's calendar, and `calendar` agrees with it.
    return 29 if month == 2 and calendar.isleap(year) else (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)[month - 1]


def _double_quoted(value: bytes) -> bytes:
    if value.startswith(_BYTE_ORDER_MARK):
        # go-yaml asks of every character whether the *text* starts with a byte order mark, and so escapes them all.
        return b'"' + b"".join(map(_escape, value.decode())) + b'"\n'
    text = value.replace(b"\\", b"\\\\").replace(b'"', b'\\"').replace(b"\n", b"\\n")
    rest = text.translate(None, _ASCII_TEXT)
    if rest:
        kinds = set(_escaped().findall(rest.decode()))
        if len(kinds) > _MANY:
            text = _escaped().sub(lambda found: _escape(found[0]).decode(), text.decode()).encode()
        else:
            for kind in kinds:
                text = text.replace(kind.encode(), _escape(kind))
    return b'"' + text + b'"\n'


def _escape(character: str) -> bytes:
    code = ord(character)
    if code in _ESCAPES:
        return b"\\" + _ESCAPES[code]
    if code <= 0xFF:
        return b"\\x%02X" % code
    return b"\\u%04X" % code if code <= 0xFFFF else b"\\U%08X" % code
