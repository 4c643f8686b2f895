"""Numbers as people read them."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recorder import humanize

SECOND = 1_000_000_000


@pytest.mark.parametrize(
    ("expected", "nanoseconds"),
    [
        ("0 ms", 0),
        ("0 ms", 499_999),
        ("1 ms", 500_000),
        ("406 ms", 406_194_458),
        ("999 ms", 999_499_999),
        ("1.0 s", 999_500_000),
        ("1.5 s", 1_476_046_083),
        ("59.9 s", 59_940_000_000),
        ("1 min 0 s", 59_950_000_000),
        ("1 min 0 s", 60 * SECOND),
        ("59 min 59 s", 3599 * SECOND),
        ("1 h 0 min", 3600 * SECOND),
        ("26 h 3 min", (26 * 3600 + 3 * 60 + 59) * SECOND),
    ],
)
def test_a_duration_has_the_unit_that_says_something(expected: str, nanoseconds: int) -> None:
    assert expected == humanize.duration(nanoseconds)


def as_seconds(text: str) -> float:
    units = {"ms": 0.001, "s": 1, "min": 60, "h": 3600}
    return sum(float(number) * units[unit] for number, unit in re.findall(r"([0-9.]+) ([a-z]+)", text))


@settings(derandomize=True, deadline=None)
@given(st.integers(0, 10**15), st.integers(0, 10**15))
def test_a_longer_duration_never_reads_shorter(one: int, other: int) -> None:
    short, long = sorted((one, other))
    assert as_seconds(humanize.duration(short)) <= as_seconds(humanize.duration(long))


@settings(derandomize=True, deadline=None)
@given(st.integers(0, 10**15))
def test_a_duration_reads_as_what_it_is_within_its_unit(nanoseconds: int) -> None:
    text = humanize.duration(nanoseconds)
    coarse = 60.05 if "h" in text else 1.05 if "min" in text else 0.05 if text.endswith(" s") else 0.0005
    assert abs(as_seconds(text) - nanoseconds / SECOND) <= coarse + 0.0006


@pytest.mark.parametrize(
    ("expected", "amount"),
    [
        ("", None),
        ("$0", 0.0),
        ("$0", 0),
        ("<$0.000001", 0.000_000_4),
        ("$0.000001", 0.000_001),
        ("$0.000285", 0.000285),
        ("$0.1", 0.1),
        ("$1", 0.999_999_9),
        ("$1.00", 1.0),
        ("$1,234.50", 1234.5),
    ],
)
def test_small_amounts_keep_their_digits(expected: str, amount: float | None) -> None:
    assert expected == humanize.dollars(amount)


@pytest.mark.parametrize(
    ("expected", "octets"),
    [
        ("0 B", 0),
        ("999 B", 999),
        ("1.0 KB", 1000),
        ("999.9 KB", 999_949),
        ("1.0 MB", 999_950),
        ("12.3 MB", 12_345_678),
        ("1.0 GB", 999_950_000),
        ("5000.0 GB", 5 * 10**12),
    ],
)
def test_a_size_is_rounded_into_the_next_unit(expected: str, octets: int) -> None:
    assert expected == humanize.size(octets)


def test_one_is_told_in_the_singular() -> None:
    assert ["0 tokens", "1 token", "2,048 tokens"] == [humanize.tokens(number) for number in (0, 1, 2048)]
    assert ["1 incomplete", "2 incomplete"] == [humanize.count(n, "incomplete", "incomplete") for n in (1, 2)]


def test_what_is_not_known_is_not_told() -> None:
    assert ["", "", ""] == [humanize.tokens(None), humanize.dollars(None), humanize.moment("total", None)]
    assert "total 5 ms" == humanize.moment("total", 5_000_000)


def test_what_a_terminal_would_obey_or_could_not_print_is_escaped() -> None:
    assert "é… 日本 🎉" == humanize.printable("é… 日本 🎉")
    for hostile in ("\x1b[2J", "a\nb", "\x9b", "\u202e", "\ud800"):
        assert humanize.printable(hostile).isprintable()
        assert humanize.printable(hostile).isascii()
