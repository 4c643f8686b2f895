"""Flows that mitmproxy has saved become what the recorder would have seen, whatever is in the file."""

from __future__ import annotations

import io
import random

import pytest
from mitmproxy import http, tcp
from mitmproxy.io import FlowWriter
from mitmproxy.test import tflow

from recorder.cassette import go_http
from recorder.errors import CassetteError
from recorder.proxy import saved_flows
from recorder.wire.exchange import Exchange

URL = "https://openrouter.ai/api/v1/chat/completions"
SENT = http.Headers(content_type="a/b", authorization="Bearer sk-or-v1-0000000000000000")


def flow(**response: object) -> http.HTTPFlow:
    made = tflow.tflow(resp=True)
    made.request = http.Request.make("POST", URL, b"{}", SENT.copy())
    made.request.timestamp_start = 1000.0
    assert made.response is not None
    made.response = http.Response.make(200, b"data: [DONE]\n\n", {"content-type": "text/event-stream"})
    made.response.timestamp_start, made.response.timestamp_end = 1000.25, 1001.5
    for name, value in response.items():
        setattr(made.response, name, value)
    return made


def saved(*kept: http.HTTPFlow | tcp.TCPFlow) -> bytes:
    file = io.BytesIO()
    for each in kept:
        FlowWriter(file).add(each)
    return file.getvalue()


def loaded(data: bytes) -> list[Exchange]:
    return list(saved_flows.loads(io.BytesIO(data), "flows"))


def test_a_flow_is_what_the_recorder_would_have_seen() -> None:
    (found,) = loaded(saved(flow()))
    assert (1_000_000_000_000, 250_000_000, 1_500_000_000) == (found.began, found.duration, found.ended)
    assert found.broken is None
    seen = go_http.interaction(found)
    assert ("POST", URL, b"{}") == (seen.request.method, seen.request.url, seen.request.body)
    assert ("200 OK", b"data: [DONE]\n\n") == (seen.response.status, seen.response.body)


def test_what_broke_off_and_what_was_not_kept_is_told() -> None:
    unanswered, cut, streamed = tflow.tflow(err=True), flow(), flow(raw_content=None)
    cut.error = tflow.terr("peer closed connection")
    found = loaded(saved(unanswered, cut, streamed))
    assert [None, "peer closed connection", "the stored flow has no body"] == [
        each.broken if each.response else None for each in found
    ]
    assert found[1].response is not None
    assert b"data: [DONE]\n\n" == found[1].response.body


def test_what_is_no_exchange_over_http_is_left_out() -> None:
    assert 1 == len(loaded(saved(tflow.ttcpflow(), flow(status_code=101), flow())))
    assert [] == loaded(b"")


def test_json_is_for_the_other_formats() -> None:
    for data in (b'{"log":{}}', b'\xef\xbb\xbf{"log":{}}'):
        with pytest.raises(CassetteError, match=r"flows: expected flows of mitmproxy's, found JSON; try --from har"):
            loaded(data)


def refusal(data: bytes) -> str:
    try:
        loaded(data)
    except CassetteError as error:
        return str(error)
    return ""


def test_damage_anywhere_is_one_clear_line() -> None:
    data = saved(flow(), flow())
    chance = random.Random(9)
    cuts = [data[:cut] for cut in range(1, len(data), 97)]
    bent = [bytes(chance.randrange(256) if chance.random() < 0.01 else code for code in data) for _ in range(200)]
    refused = 0
    for text in (*cuts, *bent, b"1" * 50, b"99999999999:x,", b"0:]", b"0:}", b"\xff"):
        said = refusal(text)
        refused += bool(said)
        assert said == "" or said.startswith("flows: expected flows of mitmproxy's, found behind ")
        assert "\n" not in said
    assert refused > len(cuts)
