"""Interim answers before the answer, at mitmproxy's own HTTP layer."""

from __future__ import annotations

import pytest

from recorder.proxy.patches import held_end, interim
from tests.proxy import wiring
from tests.proxy.wiring import Wire

EARLY = b"HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\n\r\n"
CONTINUE = b"HTTP/1.1 100\r\n\r\n"
HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
BODY = b"2\r\nab\r\n0\r\n\r\n"


@pytest.fixture
def wired() -> Wire:
    held_end.install()
    interim.install()
    return wiring.wire(wiring.options())


@pytest.mark.parametrize("size", [1, 7, 1000])
@pytest.mark.parametrize("interim", [b"", CONTINUE, EARLY, EARLY + CONTINUE + EARLY])
def test_the_client_gets_the_answer_behind_interim_ones(wired: Wire, interim: bytes, size: int) -> None:
    sent = interim + HEAD + BODY
    for _ in range(2):
        wired.ask()
        wired.answer(*(sent[at : at + size] for at in range(0, len(sent), size)))
        assert HEAD == wired.seen[0]
        assert ["response", b"0\r\n\r\n"] == wired.seen[-2:]
        wired.seen.clear()


def test_a_change_of_protocols_is_an_answer(wired: Wire) -> None:
    head = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n"
    wired.ask()
    wired.answer(head)
    assert head in wired.seen
