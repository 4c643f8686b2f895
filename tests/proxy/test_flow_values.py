"""Flows of mitmproxy as values of ours."""

from __future__ import annotations

import json
import zlib

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st
from mitmproxy import http
from mitmproxy.test.tflow import tflow
from mitmproxy.test.tutils import treq, tresp

from recorder.proxy import flow_values


def flow(
    *, status: int = 200, method: str = "GET", version: str = "HTTP/1.1", headers: tuple[tuple[bytes, bytes], ...] = ()
) -> http.HTTPFlow:
    request = treq(method=method.encode(), http_version=version.encode())
    return tflow(req=request, resp=tresp(status_code=status, headers=http.Headers(headers)))


@given(st.integers(0, 4_000_000_000_000_000_000))
@settings(derandomize=True)
def test_times_are_whole_nanoseconds_within_half_a_microsecond(at: int) -> None:
    assert abs(at - flow_values.nanoseconds(at / 1_000_000_000)) < 500


def test_a_request_is_taken_as_it_was_sent() -> None:
    made = tflow(
        req=treq(
            method=b"POST",
            scheme=b"https",
            host="openrouter.ai",
            port=443,
            authority=b"",
            path=b"/api/v1/chat?b=1&a=%41",
            headers=http.Headers(((b"HoSt", b"openrouter.ai"), (b"x-two", b"1"), (b"X-Two", b"\xff"))),
            content=b"\x00\xff",
            trailers=http.Headers(((b"X-End", b"1"),)),
        )
    )
    taken = flow_values.request(made)
    assert ("POST", "https://openrouter.ai/api/v1/chat?b=1&a=%41", "HTTP/1.1") == (
        taken.method,
        taken.url,
        taken.http_version,
    )
    assert ((b"HoSt", b"openrouter.ai"), (b"x-two", b"1"), (b"X-Two", b"\xff")) == taken.headers
    assert (b"\x00\xff", ((b"X-End", b"1"),)) == (taken.body, taken.trailers)


def test_the_authority_of_http2_stands_before_the_headers() -> None:
    made = tflow(
        req=treq(http_version=b"HTTP/2.0", authority=b"openrouter.ai", headers=http.Headers(((b"accept", b"*/*"),)))
    )
    assert ((b":authority", b"openrouter.ai"), (b"accept", b"*/*")) == flow_values.request(made).headers


@pytest.mark.parametrize(
    ("host", "named", "expected"),
    [
        ("openrouter.ai", b"other.example", "https://openrouter.ai/path"),  # a name that was connected to stands
        ("192.0.2.7", b"openrouter.ai", "https://openrouter.ai/path"),
        ("2001:db8::7", b"openrouter.ai", "https://openrouter.ai/path"),
    ],
)
def test_an_address_gives_way_to_the_name_in_the_request(host: str, named: bytes, expected: str) -> None:
    headers = http.Headers(((b"Host", named),))
    made = tflow(req=treq(scheme=b"https", host=host, port=443, authority=b"", path=b"/path", headers=headers))
    assert expected == flow_values.request(made).url


def test_a_response_head_is_taken_as_it_was_sent() -> None:
    made = flow(status=299, headers=((b"x-A", b"\xff"), (b"X-a", b"2")))
    assert made.response is not None
    made.response.data.reason = b"Fine \xff"
    head = flow_values.response_head(made)
    assert (299, "Fine \udcff", "HTTP/1.1") == (head.code, head.reason, head.http_version)
    assert ((b"x-A", b"\xff"), (b"X-a", b"2")) == head.headers
    assert b"" == head.body


def test_trailers_are_those_of_the_response_if_it_has_any() -> None:
    made = flow()
    assert made.response is not None
    assert () == flow_values.trailers(made)
    made.response.trailers = http.Headers(((b"X-End", b"1"),))
    assert ((b"X-End", b"1"),) == flow_values.trailers(made)
    made.response = None
    assert () == flow_values.trailers(made)


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        (((b"Content-Length", b"12"),), 12),
        (((b"content-length", b"0"),), 0),
        ((), None),
        (((b"Content-Length", b"12"), (b"Transfer-Encoding", b"chunked")), None),  # RFC 9112, section 6.3
        (((b"Content-Length", b"-1"),), None),
        (((b"Content-Length", b"12, 12"),), None),
        (((b"Content-Length", b"\xc2\xb2"),), None),  # a superscript two is a digit, and no number
    ],
)
def test_the_announced_length_is_a_number_or_none(
    headers: tuple[tuple[bytes, bytes], ...], expected: int | None
) -> None:
    assert expected == flow_values.announced_length(flow(headers=headers))


@pytest.mark.parametrize(
    ("status", "method", "headers", "expected"),
    [
        (200, "GET", (), False),
        (200, "HEAD", (), True),
        (200, "HEAD", ((b"Content-Length", b"12"),), True),
        (204, "GET", (), True),
        (304, "GET", ((b"Content-Length", b"12"),), True),
        (101, "GET", (), True),
        (205, "GET", (), False),
        (200, "GET", ((b"Content-Length", b"0"),), True),
        (200, "GET", ((b"Content-Length", b"1"),), False),
        (200, "GET", ((b"Content-Length", b"0"), (b"Transfer-Encoding", b"chunked")), False),
    ],
)
def test_what_ends_with_its_headers_is_known(
    status: int, method: str, headers: tuple[tuple[bytes, bytes], ...], expected: bool
) -> None:
    assert expected == flow_values.ends_with_headers(flow(status=status, method=method, headers=headers))


@pytest.mark.parametrize(
    ("version", "headers", "expected"),
    [
        ("HTTP/1.1", ((b"Connection", b"close"), (b"X", b"1")), ((b"X", b"1"), (b"Transfer-Encoding", b"chunked"))),
        ("HTTP/1.1", ((b"Content-Length", b"1"),), ((b"Content-Length", b"1"),)),
        ("HTTP/1.1", ((b"Transfer-Encoding", b"chunked"),), ((b"Transfer-Encoding", b"chunked"),)),
        ("HTTP/2.0", ((b"X", b"1"),), ((b"X", b"1"),)),
        ("HTTP/1.0", ((b"X", b"1"),), ((b"X", b"1"),)),  # it knows no chunks
    ],
)
def test_a_body_without_an_end_of_its_own_is_chunked_for_http1(
    version: str, headers: tuple[tuple[bytes, bytes], ...], expected: tuple[tuple[bytes, bytes], ...]
) -> None:
    made = flow(version=version, headers=headers)
    upstreams = made.response
    assert upstreams is not None
    flow_values.frame_for_http1(made)
    assert made.response is not None
    assert expected == made.response.headers.fields
    assert headers == upstreams.headers.fields  # mitmproxy's upstream side goes by it


def test_what_is_chunked_says_that_it_is_http_1_1() -> None:
    """A server of HTTP/1.0 ends its bodies with the connection; a client takes no chunks from one."""
    made = tflow(resp=tresp(http_version=b"HTTP/1.0", headers=http.Headers()))
    upstreams = made.response
    assert upstreams is not None
    flow_values.frame_for_http1(made)
    assert made.response is not None
    assert ("HTTP/1.1", "HTTP/1.0") == (made.response.http_version, upstreams.http_version)


PLAIN = b'data: {"choices":[]}\n\ndata: [DONE]\n\n'


def coded(coding: str, body: bytes) -> bytes:
    """As a server sends an event stream: what has been written can be read."""
    if coding == "gzip":
        compressor = zlib.compressobj(wbits=31)
        return compressor.compress(body) + compressor.flush(zlib.Z_SYNC_FLUSH)
    frames = zstandard.ZstdCompressor().compressobj()
    return frames.compress(body) + frames.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK)


@pytest.mark.parametrize(
    ("coding", "sent"),
    [
        ("", PLAIN),
        ("identity", PLAIN),
        ("gzip", coded("gzip", PLAIN)),
        ("zstd", coded("zstd", PLAIN)),
        ("gzip, zstd", coded("zstd", coded("gzip", PLAIN))),
    ],
)
def test_the_terminal_frame_is_seen_in_every_coding(coding: str, sent: bytes) -> None:
    headers = ((b"Content-Type", b"text/event-stream"), (b"Content-Encoding", coding.encode()))
    watch = flow_values.terminal_watch(flow(headers=headers))
    assert watch is not None
    cut = len(sent) // 2
    assert [False, True, True] == [watch.feed(sent[:cut]), watch.feed(sent[cut:]), watch.feed(b"")]


@pytest.mark.parametrize(
    "headers",
    [
        (),
        ((b"Content-Type", b"application/json"),),
        ((b"Content-Type", b"text/event-stream"), (b"Content-Encoding", b"rot13")),
    ],
)
def test_what_shows_no_events_is_not_watched(headers: tuple[tuple[bytes, bytes], ...]) -> None:
    assert flow_values.terminal_watch(flow(headers=headers)) is None


@pytest.mark.parametrize("sent", [b"data: [DONE]\n\n", coded("gzip", bytes(40_000_000) + b"\n\n" + PLAIN)])
def test_a_stream_that_is_not_in_its_coding_or_is_a_bomb_is_not_watched_on(sent: bytes) -> None:
    headers = ((b"Content-Type", b"text/event-stream"), (b"Content-Encoding", b"gzip"))
    watch = flow_values.terminal_watch(flow(headers=headers))
    assert watch is not None
    assert [False, False] == [watch.feed(sent), watch.feed(coded("gzip", PLAIN))]


def test_a_refusal_is_an_error_that_sdks_can_read() -> None:
    refusal = flow_values.refusal("the disk is full")
    assert (502, "application/json") == (refusal.status_code, refusal.headers["content-type"])
    assert flow_values.REFUSED in refusal.headers
    assert "recorder: the disk is full" == json.loads(refusal.content or b"")["error"]["message"]
