"""The lines that say when the pieces of an answer came."""

from __future__ import annotations

import pytest

from recorder.model import Interaction, Request, Response
from recorder.replay import timing
from recorder.replay.timing import Timing


def interaction(body: bytes, *, duration: int = 1, asked: bytes = b"") -> Interaction:
    return Interaction(
        request=Request(method="POST", url="https://openrouter.ai/", body=asked),
        response=Response(status="200 OK", code=200, duration=duration, body=body),
    )


def timed(*chunks: tuple[int, int]) -> Timing:
    return Timing(headers=5, chunks=chunks)


def test_each_interaction_finds_its_line_in_whatever_order_they_stand() -> None:
    interactions = [interaction(b"one"), interaction(b"two"), interaction(b"three", duration=2)]
    timings = [timed((7, 3)), timed((8, 1), (9, 2)), timed()]
    lines = [timing.dumps(*pair) for pair in zip(interactions, timings, strict=True)]
    assert timings == timing.of(interactions, b"".join(reversed(lines)))


def test_equal_interactions_take_their_lines_in_order() -> None:
    same = interaction(b"one")
    data = timing.dumps(same, timed((1, 3))) + timing.dumps(same, timed((2, 3)))
    assert [timed((1, 3)), timed((2, 3)), None] == timing.of([same] * 3, data)


def test_what_is_no_line_is_passed_over() -> None:
    same = interaction(b"one")
    line = timing.dumps(same, timed((1, 3)))
    assert [timed((1, 3))] == timing.of([same], b'\xff\n[]\n{"interaction":1}\n' + line + line[:-9])


def test_an_interaction_that_was_edited_has_lost_its_line() -> None:
    assert [None] == timing.of([interaction(b"two")], timing.dumps(interaction(b"one"), timed((1, 3))))
    assert timing.key(interaction(b"ab", asked=b"c")) != timing.key(interaction(b"b", asked=b"ca"))


@pytest.mark.parametrize("number", [b"1e999", b"NaN", b"-1", b"1.5", b'"1"', b"null", b"9" * 30, b"9" * 5000])
def test_what_no_clock_and_no_body_can_tell_is_no_line(number: bytes) -> None:
    same = interaction(b"one")
    line = timing.dumps(same, timed((1, 3)))
    headers, at, length = (
        line.replace(*pair, 1)
        for pair in ((b":5", b":" + number), (b"[1,", b"[" + number + b","), (b",3]", b"," + number + b"]"))
    )
    assert line not in (headers, at, length)
    assert [None] == timing.of([same], headers + at + length)
