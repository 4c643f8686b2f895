"""Faults, from the words of the command line, and which interactions they are for."""

from __future__ import annotations

import math

import pytest

from recorder.errors import UsageError
from recorder.replay.faults import Fault, Kind, parse_fault

SECOND = 1_000_000_000


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("cut:after=3", Fault(kind=Kind.CUT, after=3)),
        ("cut:after=0,times=2", Fault(kind=Kind.CUT, times=2)),
        ("stall:after=2,for=5s", Fault(kind=Kind.STALL, after=2, pause=5 * SECOND)),
        ("stall:after=2,for=0.2s", Fault(kind=Kind.STALL, after=2, pause=SECOND // 5)),
        ("stall:for=200ms,after=2", Fault(kind=Kind.STALL, after=2, pause=SECOND // 5)),
        ("status:429,retry-after=1", Fault(kind=Kind.STATUS, code=429, retry_after="1", times=1)),
        ("status:503,times=2,id=4+7", Fault(kind=Kind.STATUS, code=503, times=2, ids=frozenset((4, 7)))),
        ("reset", Fault(kind=Kind.RESET, times=1)),
        ("reset,rate=0.1,seed=7", Fault(kind=Kind.RESET, times=1, rate=0.1, seed="7")),
        ("reset:rate=.5", Fault(kind=Kind.RESET, times=1, rate=0.5)),
    ],
)
def test_the_words_of_a_fault(text: str, fault: Fault) -> None:
    assert fault == parse_fault(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "burn",
        "cut",
        "cut:3",
        "cut:after=-1",
        "cut:after=x",
        "cut:after=1,for=5s",
        "stall:after=1",
        "stall:after=1,for=5",
        "status",
        "status:99",
        "status:600",
        "status:429,retry-after=soon",
        "reset:after=1",
        "reset,rate=2",
        "reset,rate=nan",
        "reset,seed=7",
        "reset,id=",
        "reset,id=a",
    ],
)
def test_other_words_are_refused_in_one_line(text: str) -> None:
    with pytest.raises(UsageError, match="--fault") as caught:
        parse_fault(text)
    assert "\n" not in str(caught.value)


def test_a_fault_is_for_its_ids_or_for_all() -> None:
    assert [4, 7] == [item for item in range(10) if parse_fault("reset,id=4+7").chooses(item)]
    assert all(parse_fault("cut:after=1").chooses(item) for item in range(10))


def test_a_rate_chooses_about_that_many_and_the_same_for_the_same_seed() -> None:
    chosen = [
        [item for item in range(1000) if parse_fault(f"reset,rate=0.1,seed={seed}").chooses(item)] for seed in (7, 8)
    ]
    assert chosen[0] == [item for item in range(1000) if parse_fault("reset,rate=0.1,seed=7").chooses(item)]
    assert chosen[0] != chosen[1]
    assert all(60 < len(items) < 140 for items in chosen)
    assert [] == [item for item in range(1000) if parse_fault("reset,rate=0").chooses(item)]


def test_by_default_what_comes_instead_comes_once() -> None:
    assert [math.inf, math.inf, 1, 1] == [
        parse_fault(text).times for text in ("cut:after=1", "stall:after=1,for=1s", "status:500", "reset")
    ]
