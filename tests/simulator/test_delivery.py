"""The pieces of a body, without a connection; what leaves through one is in test_serve.py."""

from __future__ import annotations

import zlib
from collections.abc import Callable

import brotli  # type: ignore[import-untyped]  # it has no stubs
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from recorder.simulator.behaviour import Behaviour
from recorder.simulator.delivery import _accepted, _pieces

EVENTS = [f"data: {number} Olá 🙂\n\n".encode() for number in range(20)]
BODIES = st.lists(st.binary(min_size=1, max_size=40), max_size=20)


def decoder(encoding: str) -> Callable[[bytes], bytes]:
    """One that gives at once what it can of each piece."""
    if encoding == "br":
        step: Callable[[bytes], bytes] = brotli.Decompressor().process
        return step
    if encoding == "zstd":
        return zstandard.ZstdDecompressor().decompressobj().decompress
    return zlib.decompressobj(31 if encoding == "gzip" else 15).decompress


@settings(derandomize=True)
@given(BODIES, st.integers(1, 50))
def test_the_size_of_writes_makes_no_difference_to_the_body(events: list[bytes], size: int) -> None:
    pieces = list(_pieces(events, Behaviour(write_bytes=size), "identity"))
    assert b"".join(events) == b"".join(pieces)
    assert all(len(piece) == size for piece in pieces[:-1])
    assert all(0 < len(piece) <= size for piece in pieces[-1:])


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd"])
def test_each_event_can_be_read_as_soon_as_it_is_sent(encoding: str) -> None:
    decode = decoder(encoding)
    assert EVENTS == [read for piece in _pieces(EVENTS, Behaviour(), encoding) if (read := decode(piece))]


@settings(derandomize=True)
@given(BODIES, st.integers(0, 300), st.integers(1, 9))
def test_a_cut_leaves_the_first_bytes_whatever_the_writes(events: list[bytes], size: int, write: int) -> None:
    for write_bytes in (0, write):
        pieces = _pieces(events, Behaviour(cut_bytes=size, write_bytes=write_bytes), "identity")
        assert b"".join(events)[:size] == b"".join(pieces)


@pytest.mark.parametrize(("cut", "stall"), [(3, None), (None, 3), (5, 3), (3, 5)])
def test_a_cut_or_a_stall_leaves_the_first_events(cut: int | None, stall: int | None) -> None:
    assert EVENTS[:3] == list(_pieces(EVENTS, Behaviour(cut_events=cut, stall_events=stall), "identity"))


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        ("gzip", "gzip"),
        ("GZIP, br", "gzip"),
        ("br;q=1.0, gzip;q=0.5", "gzip"),
        ("*", "gzip"),
        ("gzip;q=0", "identity"),
        ("gzip; q=0.0, br", "identity"),
        ("br", "identity"),
        ("", "identity"),
    ],
)
def test_an_encoding_is_used_only_if_the_client_takes_it(accept: str, chosen: str) -> None:
    assert chosen == _accepted("gzip", accept)
