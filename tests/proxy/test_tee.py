"""The tee, and the seam in mitmproxy that it needs: mitmproxy's own HTTP layer is driven without a socket.

What the layer would send, and which hooks it waits for, comes as a list, so that an order is a fact and not a race.
"""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mitmproxy.http import HTTPFlow
from mitmproxy.options import Options
from mitmproxy.proxy.layers.http import HttpStream

from recorder.proxy.tee import Tee, deliver_held
from recorder.wire.event_stream import TerminalWatch
from recorder.wire.exchange import Capture
from tests.proxy import wiring
from tests.proxy.wiring import Wire, capture, never, tee_for


class Full(Capture):
    def chunk(self, data: bytes, *, at: int) -> None:
        raise MemoryError(f"no room for {len(data)} bytes at {at}")


def body(kept: Capture) -> bytes:
    response = kept.end(at=0).response
    assert response is not None
    return response.body


# The callable


@given(st.lists(st.binary(min_size=1), max_size=9), st.booleans())
@settings(derandomize=True)
def test_what_is_passed_and_held_is_what_came_and_what_is_kept(pieces: list[bytes], announced: bool) -> None:
    whole = b"".join(pieces)
    kept = capture()
    tee = Tee(kept, zero=0, length=len(whole) if announced and whole else None, failed=never)
    passed = [b"".join(tee(piece)) for piece in [*pieces, b""]]
    assert whole == b"".join(passed + tee.held) == body(kept)
    if announced and whole:
        assert pieces[-1:] == tee.held
    else:
        assert [] == tee.held
        assert [*pieces, b""] == passed


def test_only_the_piece_that_fills_the_length_is_held() -> None:
    tee = Tee(capture(), zero=0, length=5, failed=never)
    assert ((b"ab",), (b"cd",), ()) == (tee(b"ab"), tee(b"cd"), tee(b"e"))
    assert [b"e"] == tee.held


def test_what_comes_behind_the_length_is_held_with_it() -> None:
    """mitmproxy's reader does not give more than the length; were it to, nothing would pass before the disk has it."""
    tee = Tee(capture(), zero=0, length=2, failed=never)
    assert ((), ()) == (tee(b"abc"), tee(b"d"))
    assert [b"abc", b"d"] == tee.held


def test_a_body_that_ended_without_a_byte_leaves_a_piece_without_a_byte() -> None:
    kept = capture()
    tee = Tee(kept, zero=0, length=None, failed=never)
    assert () == tee(b"")
    assert [0] == [size for _, size in kept.end(at=0).chunks]


def test_an_empty_frame_in_the_middle_is_not_passed_on() -> None:
    """As a chunk of HTTP/1.1 it would be the end."""
    kept = capture()
    tee = Tee(kept, zero=0, length=None, failed=never)
    assert ((b"a",), (), (b"b",), ()) == (tee(b"a"), tee(b""), tee(b"b"), tee(b""))
    assert b"ab" == body(kept)


def test_times_are_counted_from_the_request() -> None:
    kept = capture()
    now = iter([1_000, 1_500])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("recorder.proxy.tee.time.monotonic_ns", lambda: next(now))
        tee = Tee(kept, zero=900, length=None, failed=never)
        tee(b"a")
        tee(b"bc")
    assert ((100, 1), (600, 2)) == kept.end(at=700).chunks


def test_a_piece_that_cannot_be_kept_is_not_passed_on_and_none_after_it() -> None:
    failures: list[BaseException] = []
    tee = Tee(Full(capture().request, began=0), zero=0, length=None, failed=failures.append)
    assert ((), (), ()) == (tee(b"a"), tee(b"b"), tee(b""))
    assert [MemoryError] == [type(failure) for failure in failures]
    assert tee.shut


def test_what_came_with_the_terminal_frame_and_before_it_is_passed_on() -> None:
    kept = capture()
    tee = Tee(kept, zero=0, length=None, watch=TerminalWatch(), failed=never)
    whole = b"data: 1\n\ndata: [DONE]\n\n"
    assert (b"data: 1\n\n",) == tee(whole)
    assert [b"data: [DONE]\n\n"] == tee.held
    assert whole == body(kept)


# The seam


@pytest.fixture
def options() -> Options:
    deliver_held()
    return wiring.options()


def test_the_last_piece_of_a_length_follows_the_response_hook(options: Options) -> None:
    wired = Wire(options=options, tee=tee_for)
    wired.ask()
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n"
    wired.answer(head + b"ab", b"cd", b"ef")
    assert [head, b"ab", b"cd", "response", b"ef"] == wired.seen


def test_a_length_in_one_piece_follows_the_response_hook(options: Options) -> None:
    wired = Wire(options=options, tee=tee_for)
    wired.ask()
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n"
    wired.answer(head + b"abcdef")
    assert [head, "response", b"abcdef"] == wired.seen


def test_the_final_chunk_follows_the_response_hook(options: Options) -> None:
    wired = Wire(options=options, tee=tee_for)
    wired.ask()
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    wired.answer(head, b"2\r\nab\r\n", b"1\r\nc\r\n0\r\n\r\n")
    assert [head, b"2\r\nab\r\n", b"1\r\nc\r\n", "response", b"0\r\n\r\n"] == wired.seen


def test_the_close_follows_the_response_hook(options: Options) -> None:
    wired = Wire(options=options, tee=tee_for)
    wired.ask()
    head = b"HTTP/1.1 200 OK\r\n\r\n"
    wired.answer(head, b"ab", b"")
    assert [head, b"ab", "response", "client closed"] == [item for item in wired.seen if item != "upstream closed"]


@pytest.mark.parametrize(
    ("method", "head"),
    [
        ("GET", b"HTTP/1.1 204 No Content\r\n\r\n"),
        ("GET", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n"),
        ("GET", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
        ("HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"),
        ("HEAD", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"),
    ],
)
def test_headers_that_are_the_end_follow_the_response_hook(options: Options, method: str, head: bytes) -> None:
    wired = Wire(options=options, tee=tee_for)
    wired.ask(method)
    wired.answer(head)
    assert ["response", head] == wired.seen


def test_the_next_request_on_the_connection_is_served_alike(options: Options) -> None:
    wired = Wire(options=options, tee=tee_for)
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"
    for _ in range(3):
        wired.ask()
        wired.answer(head, b"a", b"b")
    assert [head, b"a", "response", b"b"] * 3 == wired.seen


def test_what_is_held_is_not_delivered_when_the_flow_was_killed(options: Options) -> None:
    """What the recorder does when the exchange could not be written."""

    def kill(flow: HTTPFlow) -> None:
        if flow.killable:
            flow.kill()

    wired = Wire(options=options, tee=tee_for, written=kill)
    wired.ask()
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"
    wired.answer(head, b"a", b"b")
    assert [head, b"a", "response", "client closed"] == wired.seen


def test_what_is_held_is_not_delivered_when_the_tee_was_shut(options: Options) -> None:
    tees: list[Tee] = []

    def make(flow: HTTPFlow) -> Tee:
        tees.append(tee_for(flow))
        return tees[-1]

    def shut(_flow: HTTPFlow) -> None:
        tees[-1].shut = True

    wired = Wire(options=options, tee=make, written=shut)
    wired.ask()
    wired.answer(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n", b"a", b"b")
    assert b"b" not in wired.seen


def test_a_break_fires_error_and_delivers_nothing_more(options: Options) -> None:
    wired = Wire(options=options, tee=tee_for)
    wired.ask()
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n"
    wired.answer(head, b"ab", b"")
    assert [head, b"ab", "error"] == [item for item in wired.seen if item not in ("upstream closed", "client closed")]


def test_a_response_that_no_tee_holds_is_none_of_the_seams_business(options: Options) -> None:
    def raw(_flow: HTTPFlow) -> Tee:
        return True  # type: ignore[return-value] # mitmproxy's own way to stream

    wired = Wire(options=options, tee=raw)
    wired.ask()
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"
    wired.answer(head, b"a", b"b")
    assert [head, b"a", b"b", "response"] == wired.seen


def test_the_seam_is_made_once(options: Options) -> None:
    del options
    made = HttpStream.send_response
    deliver_held()
    assert made is HttpStream.send_response
