"""Bodies in chunks, many at once and with trailers behind them, at mitmproxy's own HTTP layer."""

from __future__ import annotations

from typing import Any

import pytest
from h11 import Data, EndOfMessage, ProtocolError
from h11._readers import ChunkedReader
from h11._receivebuffer import ReceiveBuffer
from hypothesis import given, settings
from hypothesis import strategies as st

from recorder.proxy.patches import chunks, held_end
from recorder.proxy.patches.chunks import ChunkReader
from tests.proxy import wiring
from tests.proxy.wiring import Wire

HEAD = b"HTTP/1.1 200 OK\r\nTrailer: X-End\r\nTransfer-Encoding: chunked\r\n\r\n"
BODY = b"2\r\nab\r\n0\r\nX-End: 1\r\n\r\n"


@given(st.binary(max_size=30) | st.text("0123aF\r\n; ", max_size=30).map(str.encode), st.integers(0, 30))
@settings(derandomize=True, max_examples=1000)
def test_what_is_no_chunk_is_refused_where_h11_refuses_it(sent: bytes, cut: int) -> None:
    ours, theirs = _read_by(ChunkReader(), sent, cut), _read_by(ChunkedReader(), sent, cut)
    assert ours == theirs


def _read_by(reader: Any, sent: bytes, cut: int) -> tuple[bytes, str, bytes]:
    """The data, what ended it, and what is left behind that."""
    buffer, data = ReceiveBuffer(), b""
    for part in (sent[:cut], sent[cut:]):
        buffer += part
        try:
            while event := reader(buffer):
                if isinstance(event, EndOfMessage):
                    return data, "end", bytes(buffer)
                data += event.data
        except ProtocolError:
            return data, "refused", b""
    return data, "open", b""


@pytest.fixture
def wired() -> Wire:
    held_end.install()
    chunks.install()
    return wiring.wire(wiring.options())


@pytest.mark.parametrize("size", [1, 5, len(BODY)])
def test_a_response_with_trailers_comes_to_its_end(wired: Wire, size: int) -> None:
    wired.ask()
    wired.answer(HEAD, *(BODY[at : at + size] for at in range(0, len(BODY), size)))
    assert HEAD == wired.seen[0]
    assert ["response", b"0\r\n\r\n"] == wired.seen[-2:]


def test_the_connection_serves_the_next_request(wired: Wire) -> None:
    for _ in range(2):
        wired.ask()
        wired.answer(HEAD, BODY)
    assert [HEAD, b"2\r\nab\r\n", "response", b"0\r\n\r\n"] * 2 == wired.seen


PLAIN = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


def test_chunks_that_came_together_go_on_together(wired: Wire) -> None:
    wired.ask()
    wired.answer(PLAIN, b"2\r\nab\r\n1\r\nc\r\n", b"1\r\nd\r\n0\r\n\r\n")
    assert [PLAIN, b"3\r\nabc\r\n", b"1\r\nd\r\n", "response", b"0\r\n\r\n"] == wired.seen


def test_a_chunk_that_came_alone_goes_on_alone_and_a_part_of_one_too(wired: Wire) -> None:
    wired.ask()
    wired.answer(PLAIN, b"2\r\nab\r\n", b"4\r\nab", b"cd\r\n")
    assert [PLAIN, b"2\r\nab\r\n", b"2\r\nab\r\n", b"2\r\ncd\r\n"] == wired.seen


def test_what_came_before_an_illegal_chunk_is_still_passed_on(wired: Wire) -> None:
    wired.ask()
    wired.answer(PLAIN, b"2\r\nab\r\n1\r\nc\r\nno size\r\n")
    assert [PLAIN, b"3\r\nabc\r\n"] == wired.seen[:2]
    assert "error" in wired.seen
    assert "response" not in wired.seen


SPELLINGS = (b"%x\r\n%b\r\n", b"%X\r\n%b\r\n", b"00%x\r\n%b\r\n", b"%x;name=value\r\n%b\r\n", b"%x \r\n%b\r\n")


@given(
    st.lists(st.tuples(st.binary(min_size=1, max_size=40), st.sampled_from(SPELLINGS)), max_size=9),
    st.sampled_from((b"", b"X-End: 1\r\n")),
    st.data(),
)
@settings(derandomize=True)
def test_in_whatever_reads_it_comes_the_body_is_the_same(
    spelled: list[tuple[bytes, bytes]], trailer: bytes, data: st.DataObject
) -> None:
    chunks = [chunk for chunk, _ in spelled]
    sent = b"".join(spelling % (len(chunk), chunk) for chunk, spelling in spelled) + b"0\r\n" + trailer + b"\r\n"
    cuts = sorted(data.draw(st.lists(st.integers(0, len(sent)), max_size=9)))
    reader, buffer, seen = ChunkReader(), ReceiveBuffer(), []
    for start, end in zip([0, *cuts], [*cuts, len(sent)], strict=True):
        buffer += sent[start:end]
        while end > start and (event := reader(buffer)):
            seen.append(event)
            if isinstance(event, EndOfMessage):
                break
    assert isinstance(seen[-1], EndOfMessage)
    assert b"".join(chunks) == b"".join(event.data for event in seen if isinstance(event, Data))
