from __future__ import annotations

import json
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recorder.wire import event_stream
from recorder.wire.event_stream import Event, TerminalWatch, has_terminal_frame, is_event_stream

STREAM = "text/event-stream"

# The pieces that streams are made of, and those that parsers get wrong.
PIECES = st.sampled_from(
    [
        b"\n",
        b"\r",
        b"\r\n",
        b"\n\n",
        b"data: a",
        b"data:b",
        b"data",
        b"data:  c",
        b"event: k",
        b": x",
        b"id: 1",
        b"\xef\xbb\xbf",
        b"\xff",
        b" ",
    ],
)
BODIES = st.lists(PIECES, max_size=24).map(b"".join)
LINE_ENDS = [b"\n", b"\r", b"\r\n"]


def told(body: bytes) -> list[tuple[str, bytes]]:
    return [(event.kind, event.data) for event in event_stream.events(body) if event.spans]


# --- events


@pytest.mark.parametrize("end", LINE_ENDS)
def test_each_line_end_ends_a_line(end: bytes) -> None:
    body = end.join([b"event: one", b"data: a", b"data: b", b"", b"data: c", b"", b""])
    assert [("one", b"a\nb"), ("", b"c")] == told(body)


def test_cr_lf_is_one_line_end_and_not_an_empty_line() -> None:
    assert [("", b"a\nb")] == told(b"data: a\r\ndata: b\r\n\r\n")


def test_line_ends_may_be_mixed() -> None:
    assert [("", b"a\nb"), ("", b"c"), ("", b"d")] == told(b"data: a\rdata: b\r\n\rdata: c\n\r\ndata: d\n\n")


def test_one_space_behind_the_colon_is_no_part_of_the_value() -> None:
    assert [("", b"a"), ("", b"a"), ("", b" a")] == told(b"data:a\n\ndata: a\n\ndata:  a\n\n")


def test_a_field_without_a_colon_has_an_empty_value() -> None:
    assert [("", b""), ("", b"\n")] == told(b"data\n\ndata\ndata\n\n")


def test_a_byte_order_mark_at_the_start_is_skipped_and_elsewhere_is_not() -> None:
    assert [("", b"a")] == told(b"\xef\xbb\xbfdata: a\n\n\xef\xbb\xbfdata: b\n\n")


def test_other_fields_are_no_data() -> None:
    assert [("", b"a")] == told(b"id: 1\nretry: 5\ndata: a\nDATA: b\n\n")


def test_a_kind_does_not_outlive_its_event() -> None:
    assert [("", b"a")] == told(b"event: one\n\ndata: a\n\n")


def test_comments_are_reported_as_events_without_data() -> None:
    body = b": OPENROUTER PROCESSING\n\ndata: a\n\n"
    assert [
        (0, 25, b"", ()),
        (25, len(body), b"a", ((31, 32),)),
    ] == [(event.start, event.end, event.data, event.spans) for event in event_stream.events(body)]


def test_an_event_that_the_end_cuts_off_is_not_complete() -> None:
    assert [True, False] == [event.complete for event in event_stream.events(b"data: a\n\ndata: b\n")]


@given(BODIES)
@settings(derandomize=True, max_examples=400)
def test_events_cover_every_byte_once_and_spans_hold_their_data(body: bytes) -> None:
    position = 0
    for event in event_stream.events(body):
        assert position == event.start
        assert event.end > event.start
        assert b"\n".join(body[start:end] for start, end in event.spans) == event.data
        assert all(event.start <= start <= end <= event.end for start, end in event.spans)
        position = event.end
    assert len(body) == position


@given(BODIES)
@settings(derandomize=True, max_examples=200)
def test_a_cut_stream_has_the_complete_events_of_the_whole_one(body: bytes) -> None:
    whole = list(event_stream.events(body))
    for cut in range(len(body)):
        kept = [event for event in event_stream.events(body[:cut]) if event.complete]
        if body[cut - 1 : cut + 1] == b"\r\n":
            continue  # the CR alone ends a line, too; with its LF the same event is a byte longer
        assert whole[: len(kept)] == kept


@given(BODIES, st.integers(1, 6), st.sampled_from([1, 2, 3, 5, 8]))
@settings(derandomize=True, max_examples=400)
def test_the_last_events_are_the_last_of_all_events(body: bytes, count: int, window: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(event_stream, "_FIRST_WINDOW", window)
        assert list(event_stream.events(body))[-count:] == event_stream.last_events(body, count)


@given(BODIES, st.data())
@settings(derandomize=True, max_examples=400)
def test_whole_until_is_where_the_last_complete_event_with_lines_ends(body: bytes, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(body)))
    until = event_stream.whole_until(body, start)
    ends = [event.end for event in event_stream.events(body) if event.complete]
    if until is None:
        # An empty line is found by the end of the line before it, which the first line of a stream has not got.
        first = 3 if body.startswith(b"\xef\xbb\xbf") else 0
        assert all(end <= max(start, first) + 2 for end in ends)
    else:
        assert max(ends) == until


@pytest.mark.parametrize(
    ("content_type", "expected"),
    [(STREAM, True), ("Text/Event-Stream; charset=utf-8", True), ("application/json", False), ("", False)],
)
def test_a_content_type_is_told_without_its_parameters(content_type: str, expected: bool) -> None:
    assert expected is is_event_stream(content_type)


# --- terminal frames

BEFORE = b': OPENROUTER PROCESSING\n\ndata: {"choices":[]}\n\n'
DONE = BEFORE + b"data: [DONE]\n\n"
TERMINAL = [
    b"data: [DONE]\n\n",
    b"data:[DONE]\r\n\r\n",
    b"data: [DONE] \r\r",
    b'event: message_stop\ndata: {"type":"message_stop"}\n\n',
    b'data: {"type": "message_stop"}\n\n',
    b'event: response.completed\ndata: {"type":"response.completed","response":{}}\n\n',
    b'event: response.failed\ndata: {"type":"response.failed"}\n\n',
    b'event: response.incomplete\ndata: {"type":"response.incomplete"}\n\n',
]
NOT_TERMINAL = [
    b"",
    BEFORE,
    b": [DONE]\n\n",
    b"event: message_stop\n\n",
    b'data: {"text":"data: [DONE]"}\n\n',
    b'data: {"type":"content_block_delta","delta":{"text":"\\"type\\":\\"message_stop\\""}}\n\n',
    b'data: {"type":"x","response":{"type":"response.completed"}}\n\n',
    b'data: ["message_stop"]\n\n',
    b"data: message_stop\n\n",
    b"data: " + b"[" * 100_000 + b"message_stop\n\n",
]


@pytest.mark.parametrize("frame", TERMINAL)
@pytest.mark.parametrize("behind", [b"", b": bye\n\n", b"\n\n", b": cut of"])
def test_a_terminal_frame_is_found_at_the_end(frame: bytes, behind: bytes) -> None:
    assert has_terminal_frame(BEFORE + frame + behind, STREAM)


@pytest.mark.parametrize("body", NOT_TERMINAL)
def test_what_only_looks_like_a_terminal_frame_is_none(body: bytes) -> None:
    assert not has_terminal_frame(body, STREAM)


@pytest.mark.parametrize("frame", [frame for frame in TERMINAL if b"[DONE]" not in frame])
def test_a_cut_terminal_frame_does_not_count(frame: bytes) -> None:
    for cut in range(len(frame)):
        assert not has_terminal_frame(BEFORE + frame[:cut], STREAM)


def test_done_counts_from_the_end_of_its_own_line_on() -> None:
    counts = [cut for cut in range(len(DONE) + 1) if has_terminal_frame(DONE[:cut], STREAM)]
    assert [len(DONE) - 1, len(DONE)] == counts


def test_only_an_event_stream_has_terminal_frames() -> None:
    assert not has_terminal_frame(DONE, "application/json")


def test_eight_megabytes_are_not_read_through() -> None:
    frame = b"data: " + json.dumps({"delta": "x" * 400}).encode() + b"\n\n"
    body = frame * (8_000_000 // len(frame))
    began = time.process_time()
    assert has_terminal_frame(body + b"data: [DONE]\n\n", STREAM)
    assert not has_terminal_frame(body, STREAM)
    assert time.process_time() - began < 0.5  # some milliseconds; reading all of it takes ten times as long


def test_a_last_frame_of_megabytes_is_found() -> None:
    response = json.dumps({"type": "response.completed", "response": {"output": "x" * 3_000_000}}).encode()
    assert has_terminal_frame(BEFORE + b"event: response.completed\ndata: " + response + b"\n\n", STREAM)


def test_an_event_says_where_it_stands() -> None:
    body = b"event: k\ndata: a\ndata: bc\n\n"
    assert [
        Event(kind="k", data=b"a\nbc", start=0, end=len(body), spans=((15, 16), (23, 25)), complete=True),
    ] == list(event_stream.events(body))


FRAMES = st.sampled_from(
    [
        b"data: [DONE]\n\n",
        b'event: message_stop\ndata: {"type":"message_stop"}\n\n',
        b'data: {"type":"response.completed"}\r\n\r\n',
        b'data: {"say":"[DONE] message_stop"}\n\n',
        b": ping\n\n",
        b'data: {"a":1}\n\n',
    ]
)


@given(st.lists(PIECES | FRAMES, max_size=12).map(b"".join), st.data())
@settings(derandomize=True, max_examples=500)
def test_a_watch_says_in_mid_stream_what_the_whole_stream_would(body: bytes, data: st.DataObject) -> None:
    """In whatever pieces it comes: from the first piece on with which the stream so far has its terminal frame."""
    cuts = sorted(data.draw(st.lists(st.integers(0, len(body)), max_size=12)))
    watch, over = TerminalWatch(), False
    for start, end in zip([0, *cuts], [*cuts, len(body)], strict=True):
        over = over or has_terminal_frame(body[:end], STREAM)
        assert over == watch.feed(body[start:end])


@pytest.mark.parametrize(
    ("pieces", "expected"),
    [
        ((b"data: 1\n\ndata: [DONE]\n\n",), 9),
        ((b"data: 1\n\ndata: [DO", b"NE]\n\n"), 0),
        ((b"data: 1\n\ndata: [DONE]", b"\n"), 0),
        ((b"data: 1", b'\n\nevent: message_stop\ndata: {"type":"message_stop"}\n\n: ping\n\n'), 2),
        ((b"data: 1\n\ndata: [DONE]\n\n", b": ping\n\n"), 0),
    ],
)
def test_a_watch_says_where_in_the_last_piece_the_terminal_frame_starts(
    pieces: tuple[bytes, ...], expected: int
) -> None:
    watch = TerminalWatch()
    assert [watch.feed(piece) for piece in pieces][-1]
    assert expected == watch.start


def test_a_watch_of_a_long_stream_costs_little() -> None:
    watch = TerminalWatch()
    piece = b'data: {"choices":[{"delta":{"content":"say [DONE]"}}]}\n\n'
    began = time.perf_counter()
    assert not any(watch.feed(piece) for _ in range(10_000))
    assert not any(watch.feed(b"x") for _ in range(100_000))
    assert time.perf_counter() - began < 2
