"""The tee, and the seam in mitmproxy that it needs: mitmproxy's own HTTP layer is driven without a socket.

What the layer would send, and which hooks it waits for, comes as a list, so that an order is a fact and not a race.
"""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recorder.proxy.tee import Tee
from recorder.wire.event_stream import TerminalWatch
from recorder.wire.exchange import Capture
from tests.proxy.wiring import capture, never


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
