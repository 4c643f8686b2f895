"""The pieces of an answer, and when each is due."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recorder.errors import UsageError
from recorder.model import Fields, Interaction, Request, Response
from recorder.replay.cadence import INSTANT, Delivery, Pace, deliver, framed, parse_pace, spoiled
from recorder.replay.faults import parse_fault
from recorder.replay.timing import Timing

MS = 1_000_000
STREAM = (
    b': PROCESSING\n\ndata: {"a":1}\n\ndata: {"usage":{"completion_tokens":30,"prompt_tokens":1}}\n\ndata: [DONE]\n\n'
)
FRAMES = (b": PROCESSING\n\n", *(frame + b"\n\n" for frame in STREAM.split(b"\n\n")[1:-1]))


def answer(body: bytes = STREAM, *, kind: str = "text/event-stream", duration: int = 40 * MS) -> Interaction:
    headers = Fields([("Content-Type", kind)])
    return Interaction(
        request=Request(method="POST", url="https://openrouter.ai/api/v1/chat/completions"),
        response=Response(status="200 OK", code=200, duration=duration, body=body, headers=headers),
    )


def test_an_event_stream_goes_out_event_by_event_and_the_rest_in_one() -> None:
    assert FRAMES == framed(answer().response)
    assert (b'{"a":1}',) == framed(answer(b'{"a":1}', kind="application/json").response)
    assert () == framed(answer(b"").response)


def test_by_default_everything_is_due_at_once() -> None:
    assert Delivery(headers=0, pieces=tuple((0, frame) for frame in FRAMES)) == deliver(answer())


def test_the_pieces_of_the_wire_are_due_when_they_came() -> None:
    sizes = (3, 50, len(STREAM) - 53)
    timing = Timing(
        headers=40 * MS, chunks=tuple((at * MS, size) for at, size in zip((50, 60, 90), sizes, strict=True))
    )
    delivery = deliver(answer(), parse_pace("recorded"), timing)
    assert 40 * MS == delivery.headers
    assert [(50 * MS, 3), (60 * MS, 50), (90 * MS, len(STREAM) - 53)] == [
        (at, len(data)) for at, data in delivery.pieces
    ]
    assert STREAM == delivery.body
    twice = deliver(answer(), parse_pace("2x"), timing)
    assert [20 * MS, 25 * MS, 30 * MS, 45 * MS] == [twice.headers, *(at for at, _ in twice.pieces)]


def test_events_that_were_compressed_are_due_when_their_last_byte_came() -> None:
    body = b"data: 1\n\n" * 4
    timing = Timing(headers=MS, chunks=((10 * MS, 5), (20 * MS, 5)))  # half of the wire's bytes each
    delivery = deliver(answer(body), parse_pace("recorded"), timing)
    assert [10 * MS, 10 * MS, 20 * MS, 20 * MS] == [at for at, _ in delivery.pieces]


def test_without_kept_times_all_is_due_with_the_headers() -> None:
    delivery = deliver(answer(), parse_pace("recorded"))
    assert {40 * MS} == {delivery.headers, *(at for at, _ in delivery.pieces)}


def test_tokens_a_second_are_those_the_answer_tells_of() -> None:
    delivery = deliver(answer(), parse_pace(tokens=60))
    assert [125 * MS, 250 * MS, 375 * MS, 500 * MS] == [at for at, _ in delivery.pieces]


CHUNKS = st.lists(st.tuples(st.integers(0, 10**10), st.integers(0, 60)), max_size=8)


@given(chunks=CHUNKS, tokens=st.none() | st.floats(0.1, 1000), speed=st.sampled_from(["", "recorded", "3x"]))
def test_the_body_is_the_recorded_one_at_any_pace(
    chunks: list[tuple[int, int]], tokens: float | None, speed: str
) -> None:
    pace = parse_pace(tokens=tokens) if tokens else parse_pace(speed)
    timing = Timing(headers=0, chunks=tuple(sorted(chunks)))
    delivery = deliver(answer(), pace, timing)
    assert STREAM == delivery.body
    assert sorted(at for at, _ in delivery.pieces) == [at for at, _ in delivery.pieces]


def test_a_cut_leaves_the_first_events_and_breaks() -> None:
    delivery = spoiled(deliver(answer()), parse_fault("cut:after=2"))
    assert (b"".join(FRAMES[:2]), True) == (delivery.body, delivery.cut)


def test_a_stall_holds_up_what_comes_behind() -> None:
    delivery = spoiled(deliver(answer()), parse_fault("stall:after=1,for=2s"))
    assert [0, 2000 * MS, 2000 * MS, 2000 * MS] == [at for at, _ in delivery.pieces]
    assert (STREAM, False) == (delivery.body, delivery.cut)


@pytest.mark.parametrize(
    ("speed", "pace"),
    [
        ("", INSTANT),
        ("instant", INSTANT),
        ("recorded", Pace(speed=1)),
        ("2x", Pace(speed=2)),
        ("0.5x", Pace(speed=0.5)),
    ],
)
def test_the_words_of_a_pace(speed: str, pace: Pace) -> None:
    assert pace == parse_pace(speed)
    assert pace.waits == (not math.isinf(pace.speed))


@pytest.mark.parametrize(
    ("speed", "tokens"), [("fast", None), ("0x", None), ("2", None), ("2x", 10.0), ("", 0.0), ("", math.nan)]
)
def test_other_words_are_refused(speed: str, tokens: float | None) -> None:
    with pytest.raises(UsageError):
        parse_pace(speed, tokens)
