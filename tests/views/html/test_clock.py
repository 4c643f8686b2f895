from __future__ import annotations

from itertools import pairwise

import pytest

from recorder.llm.conversation import Turn
from recorder.replay.timing import Timing
from recorder.views.html.clock import Course, courses, ticks
from tests.llm.conversation.making import STREAM, events, turn

MS = 1_000_000


def streamed() -> Turn:
    first = {"choices": [{"delta": {"role": "assistant"}}]}
    second = {"choices": [{"delta": {"content": "Hi"}}]}
    return turn("/v1/chat/completions", {"model": "m", "messages": []}, events(first, second), content_type=STREAM)


def timing(shown: Turn) -> Timing:
    """In two pieces: the first event, 2 ms after the headers, and the second, 5 ms later."""
    body = shown.interaction.response.body
    half = body.index(b"\n\n") + 2
    return Timing(headers=MS, chunks=((3 * MS, half), (8 * MS, len(body) - half)))


def test_interactions_stand_one_after_another_for_as_long_as_is_known() -> None:
    plain, kept = streamed(), streamed()
    assert [
        Course(start=0, headers=MS, end=MS),
        Course(start=MS, headers=MS, end=8 * MS, first_token=8 * MS, pieces=timing(kept).chunks),
        Course(start=9 * MS, headers=MS, end=MS),
    ] == courses([plain, kept, plain], [None, timing(kept), None])


def test_the_first_token_is_unknown_where_the_body_is_not_what_came_over_the_wire() -> None:
    shown = streamed()
    scrubbed = Timing(headers=MS, chunks=((3 * MS, 7), (8 * MS, 7)))
    (course,) = courses([shown], [scrubbed])
    assert (None, 8 * MS) == (course.first_token, course.end)


def test_no_interactions_take_no_time() -> None:
    assert [] == courses([])


@pytest.mark.parametrize("end", [0, 1, 999_999, MS, 6 * MS, 7 * MS, 25 * MS, 12_345 * MS, 10**15])
def test_ticks_are_few_round_and_within(end: int) -> None:
    moments = list(ticks(end))
    assert 0 == moments[0]
    assert moments[-1] <= end
    assert len(moments) <= 6
    steps = {later - earlier for earlier, later in pairwise(moments)}
    assert len(steps) <= 1
    assert all(str(step).rstrip("0") in ("1", "2", "5") for step in steps)
