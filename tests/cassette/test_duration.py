from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recorder.cassette import format_duration, parse_duration
from recorder.model import INT64_MAX, INT64_MIN
from tests.cassette.strategies import for_strings

# As printed by Go.
WRITTEN = {
    0: "0s",
    1: "1ns",
    999: "999ns",
    1_000: "1µs",
    980_667: "980.667µs",
    999_999: "999.999µs",
    484_715_417: "484.715417ms",
    1_476_046_083: "1.476046083s",
    60_500_000_000: "1m0.5s",
    3_600_000_000_000: "1h0m0s",
    -1_500_000_000: "-1.5s",
    INT64_MAX: "2562047h47m16.854775807s",
    INT64_MIN: "-2562047h47m16.854775808s",
}
# Go reads these, and never writes them.
READ = {
    "0": 0,
    "+0": 0,
    "-0": 0,
    "1us": 1_000,
    "1\u03bcs": 1_000,
    "+5s": 5_000_000_000,
    ".5s": 500_000_000,
    "1.s": 1_000_000_000,
    "1s1h": 3_601_000_000_000,
    "0.3333333333333333333h": 1_200_000_000_000,
    "0.100000000000000000000h": 360_000_000_000,
    "0.830103483285477580700h": 2_988_372_539_827,
    "39h9m14.425s": 140_954_425_000_000,
    "-9223372036854775808ns": INT64_MIN,
}
REFUSED = (
    "", "3", "-", "s", ".", "-.", ".s", "+.s", "1d", "1.5", "1 s", " 1s", "1s ", "1..5s", "--1s", "\x85", "\u0661s",
    "9223372036854775808ns", "3000000h", "9223372036854775.808us", "1" * 5000 + "s", "1\n2s",
)  # fmt: skip


@pytest.mark.parametrize(("nanoseconds", "text"), WRITTEN.items(), ids=str)
def test_a_duration_is_spelled_as_go_spells_it(nanoseconds: int, text: str) -> None:
    assert text == format_duration(nanoseconds)
    assert nanoseconds == parse_duration(text)


@pytest.mark.parametrize(("text", "nanoseconds"), READ.items())
def test_a_duration_is_read_as_go_reads_it(text: str, nanoseconds: int) -> None:
    assert nanoseconds == parse_duration(text)


@pytest.mark.parametrize("text", REFUSED, ids=lambda text: repr(text[:20]))
def test_what_go_refuses_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="duration"):
        parse_duration(text)


@for_strings
@given(st.integers(INT64_MIN, INT64_MAX))
def test_every_duration_comes_back(nanoseconds: int) -> None:
    assert nanoseconds == parse_duration(format_duration(nanoseconds))
