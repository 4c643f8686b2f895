"""Go's durations ⇄ nanoseconds: `time.Duration.String` and `time.ParseDuration`, rounding included."""

from __future__ import annotations

import re

from recorder.model import INT64_MAX, INT64_MIN

_MICROSECOND, _MILLISECOND, _SECOND = 10**3, 10**6, 10**9
_MINUTE, _HOUR = 60 * _SECOND, 3600 * _SECOND

# Go takes the micro sign (U+00B5) and the Greek letter mu (U+03BC).
_UNITS = {
    "ns": 1,
    "us": _MICROSECOND,
    "\u00b5s": _MICROSECOND,
    "\u03bcs": _MICROSECOND,
    "ms": _MILLISECOND,
    "s": _SECOND,
    "m": _MINUTE,
    "h": _HOUR,
}
_TERM = re.compile(r"([0-9]*)(\.([0-9]*))?([^0-9.]+)")
# A number of more digits than this has overflowed long before its end.
_MOST_DIGITS = 40
_SURELY_64_BITS = 18


def format_duration(nanoseconds: int) -> str:
    """As `time.Duration.String` writes it: `1m0.5s`, `484.715417ms`, `980.667µs`, `0s`."""
    sign, rest = "-" if nanoseconds < 0 else "", abs(nanoseconds)
    if rest >= _MINUTE:
        minutes, rest = divmod(rest, _MINUTE)
        hours, minutes = divmod(minutes, 60)
        return f"{sign}{f'{hours}h' if hours else ''}{minutes}m{_decimal(rest, 9)}s"
    for digits, unit in ((9, "s"), (6, "ms"), (3, "µs")):
        if rest >= 10**digits:
            return f"{sign}{_decimal(rest, digits)}{unit}"
    return f"{sign}{rest}ns" if rest else "0s"


def _decimal(number: int, digits: int) -> str:
    """`number` with its last `digits` behind the point, without zeros at the end."""
    whole, fraction = divmod(number, 10**digits)
    return f"{whole}.{fraction:0{digits}}".rstrip("0").rstrip(".")


def parse_duration(text: str) -> int:
    """As `time.ParseDuration` reads it; ValueError for what Go refuses, a number without a unit among it."""
    unsigned = text[1:] if text[:1] in ("+", "-") else text
    if unsigned == "0":
        return 0
    total = position = 0
    while term := _TERM.match(unsigned, position):
        total += _term(*term.group(1, 3, 4))
        position = term.end()
    nanoseconds = -total if text.startswith("-") else total
    if not position or position < len(unsigned) or not INT64_MIN <= nanoseconds <= INT64_MAX:
        raise ValueError(f"{text[:_MOST_DIGITS]!r} is not a duration")
    return nanoseconds


def _term(whole: str, fraction: str | None, unit: str) -> int:
    scale = _UNITS.get(unit)
    significant = whole.lstrip("0")
    if scale is None or not (whole or fraction) or len(significant) > _MOST_DIGITS:
        raise ValueError("a duration is numbers, each with its unit")
    value = int(significant or "0") * scale
    if fraction:
        value += _fraction(fraction, scale)
    if value > -INT64_MIN:
        raise ValueError("a duration has 64 bits")
    return value


def _fraction(digits: str, scale: int) -> int:
    """Nanoseconds of `0.digits` units, in floating point and cut off as Go does it (`leadingFraction`)."""
    if len(digits) <= _SURELY_64_BITS:
        return int(int(digits) * (scale / 10.0 ** len(digits)))  # powers of ten that a float holds exactly
    numerator, divisor = 0, 1.0
    for digit in digits:
        longer = numerator * 10 + int(digit)
        if numerator > INT64_MAX // 10 or longer > -INT64_MIN:
            break  # Go drops the digits that its integer cannot take
        numerator = longer
        divisor *= 10
    return int(numerator * (scale / divisor))
