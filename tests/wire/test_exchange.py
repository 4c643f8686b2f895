from __future__ import annotations

from dataclasses import FrozenInstanceError

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recorder.wire.exchange import Capture, Exchange, WireRequest, WireResponse

REQUEST = WireRequest(
    method="POST", url="https://openrouter.ai/api/v1/chat/completions", http_version="HTTP/1.1", headers=(), body=b"{}"
)
HEAD = WireResponse(code=200, reason="OK", http_version="HTTP/1.1", headers=((b"Content-Type", b"text/plain"),))


def test_an_exchange_is_what_came_in_the_order_in_which_it_came() -> None:
    capture = Capture(REQUEST, began=1_700_000_000_000_000_000)
    capture.respond(HEAD, at=10)
    capture.chunk(b"one ", at=20)
    capture.chunk(b"two", at=30)
    assert Exchange(
        request=REQUEST,
        response=WireResponse(
            code=200,
            reason="OK",
            http_version="HTTP/1.1",
            headers=HEAD.headers,
            body=b"one two",
            trailers=((b"X-Sum", b"1"),),
        ),
        began=1_700_000_000_000_000_000,
        duration=10,
        chunks=((20, 4), (30, 3)),
        ended=40,
        broken=None,
    ) == capture.end(at=40, trailers=((b"X-Sum", b"1"),))


def test_an_aborted_exchange_has_what_had_come_and_says_why() -> None:
    capture = Capture(REQUEST, began=0)
    capture.respond(HEAD, at=10)
    capture.chunk(b"one", at=20)
    exchange = capture.abort("the client hung up", at=25)
    assert "the client hung up" == exchange.broken
    assert exchange.response is not None
    assert b"one" == exchange.response.body
    assert 25 == exchange.ended


def test_without_an_answer_there_is_no_response() -> None:
    exchange = Capture(REQUEST, began=0).abort("upstream unreachable", at=5)
    assert exchange.response is None
    assert 0 == exchange.duration
    assert () == exchange.chunks


def test_a_body_that_is_there_at_once_has_no_chunks() -> None:
    capture = Capture(REQUEST, began=0)
    capture.respond(HEAD, at=1)
    exchange = capture.end(at=2, body=b"all")
    assert exchange.response is not None
    assert b"all" == exchange.response.body
    assert () == exchange.chunks


def test_a_piece_of_no_bytes_is_kept_as_one() -> None:
    """HTTP/2 tells an empty body that ends with the headers from one that ends later; see `gohttp`."""
    capture = Capture(REQUEST, began=0)
    capture.respond(HEAD, at=1)
    capture.chunk(b"", at=2)
    assert ((2, 0),) == capture.end(at=3).chunks


def test_times_before_the_beginning_count_as_the_beginning() -> None:
    capture = Capture(REQUEST, began=0)
    capture.respond(HEAD, at=-5)
    exchange = capture.end(at=-1)
    assert (0, 0) == (exchange.duration, exchange.ended)


@given(st.lists(st.binary(max_size=20), max_size=20))
@settings(derandomize=True, max_examples=50)
def test_chunks_add_up_to_the_body(pieces: list[bytes]) -> None:
    capture = Capture(REQUEST, began=0)
    capture.respond(HEAD, at=0)
    for at, piece in enumerate(pieces):
        capture.chunk(piece, at=at)
    exchange = capture.end(at=99)
    assert exchange.response is not None
    assert b"".join(pieces) == exchange.response.body
    assert tuple((at, len(piece)) for at, piece in enumerate(pieces)) == exchange.chunks


def test_an_exchange_cannot_be_changed() -> None:
    exchange = Capture(REQUEST, began=0).end(at=0)
    with pytest.raises(FrozenInstanceError):
        exchange.ended = 1  # type: ignore[misc]  # that is the point


def test_no_header_and_no_body_stands_in_a_repr() -> None:
    key = b"sk-or-v1-secret"
    request = WireRequest(
        method="POST",
        url="https://openrouter.ai/",
        http_version="HTTP/1.1",
        headers=((b"Authorization", key),),
        body=key,
        trailers=((b"X-Key", key),),
    )
    capture = Capture(request, began=0)
    capture.respond(
        WireResponse(code=200, reason="", http_version="HTTP/1.1", headers=((b"Set-Cookie", key),), body=key), at=0
    )
    assert "secret" not in repr(capture.end(at=0, trailers=((b"X-Key", key),)))
