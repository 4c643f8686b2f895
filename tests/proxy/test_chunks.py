"""Bodies in chunks with trailers behind them, at mitmproxy's own HTTP layer."""

from __future__ import annotations

import pytest

from recorder.proxy.chunks import read_chunks_together
from recorder.proxy.tee import deliver_held
from tests.proxy import wiring
from tests.proxy.wiring import Wire, tee_for

HEAD = b"HTTP/1.1 200 OK\r\nTrailer: X-End\r\nTransfer-Encoding: chunked\r\n\r\n"
BODY = b"2\r\nab\r\n0\r\nX-End: 1\r\n\r\n"


@pytest.fixture
def wired() -> Wire:
    deliver_held()
    read_chunks_together()
    return Wire(options=wiring.options(), tee=tee_for)


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
