"""What a tee holds, as mitmproxy's HTTP layer sends it."""

from __future__ import annotations

import pytest
from mitmproxy.http import HTTPFlow
from mitmproxy.options import Options
from mitmproxy.proxy.layers.http import HttpStream

from recorder.proxy.patches import held_end
from recorder.proxy.tee import Tee
from tests.proxy import wiring
from tests.proxy.wiring import tee_for


@pytest.fixture
def options() -> Options:
    held_end.install()
    return wiring.options()


def test_the_last_piece_of_a_length_follows_the_response_hook(options: Options) -> None:
    wired = wiring.wire(options, tee=tee_for)
    wired.ask()
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n"
    wired.answer(head + b"ab", b"cd", b"ef")
    assert [head, b"ab", b"cd", "response", b"ef"] == wired.seen


def test_a_length_in_one_piece_follows_the_response_hook(options: Options) -> None:
    wired = wiring.wire(options, tee=tee_for)
    wired.ask()
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n"
    wired.answer(head + b"abcdef")
    assert [head, "response", b"abcdef"] == wired.seen


def test_the_final_chunk_follows_the_response_hook(options: Options) -> None:
    wired = wiring.wire(options, tee=tee_for)
    wired.ask()
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    wired.answer(head, b"2\r\nab\r\n", b"1\r\nc\r\n0\r\n\r\n")
    assert [head, b"2\r\nab\r\n", b"1\r\nc\r\n", "response", b"0\r\n\r\n"] == wired.seen


def test_the_close_follows_the_response_hook(options: Options) -> None:
    wired = wiring.wire(options, tee=tee_for)
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
    wired = wiring.wire(options, tee=tee_for)
    wired.ask(method)
    wired.answer(head)
    assert ["response", head] == wired.seen


def test_the_next_request_on_the_connection_is_served_alike(options: Options) -> None:
    wired = wiring.wire(options, tee=tee_for)
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

    wired = wiring.wire(options, tee=tee_for, written=kill)
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

    wired = wiring.wire(options, tee=make, written=shut)
    wired.ask()
    wired.answer(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n", b"a", b"b")
    assert b"b" not in wired.seen


def test_a_break_fires_error_and_delivers_nothing_more(options: Options) -> None:
    wired = wiring.wire(options, tee=tee_for)
    wired.ask()
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n"
    wired.answer(head, b"ab", b"")
    assert [head, b"ab", "error"] == [item for item in wired.seen if item not in ("upstream closed", "client closed")]


def test_a_response_that_no_tee_holds_is_none_of_the_seams_business(options: Options) -> None:
    def raw(_flow: HTTPFlow) -> Tee:
        return True  # type: ignore[return-value] # mitmproxy's own way to stream

    wired = wiring.wire(options, tee=raw)
    wired.ask()
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"
    wired.answer(head, b"a", b"b")
    assert [head, b"a", b"b", "response"] == wired.seen


def test_the_seam_is_made_once(options: Options) -> None:
    del options
    made = HttpStream.send_response
    held_end.install()
    assert made is HttpStream.send_response
