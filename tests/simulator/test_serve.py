"""A real server on loopback, asked by real clients over HTTP/1.1 and HTTP/2."""

from __future__ import annotations

import json
import re
import socket
import ssl
import statistics
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from itertools import pairwise
from threading import Thread
from typing import Any

import httpx
import pytest

from recorder.simulator import Served, Upstream, start

BODY = {"model": "x-ai/grok-code-fast-1", "messages": [{"role": "user", "content": "Hi"}]}
STREAM = {**BODY, "stream": True}
BOTH = pytest.mark.parametrize("version", ["HTTP/1.1", "HTTP/2"])


@pytest.fixture
def client(
    upstream: Upstream, trust: ssl.SSLContext, key: str, request: pytest.FixtureRequest
) -> Iterator[httpx.Client]:
    version = request.getfixturevalue("version") if "version" in request.fixturenames else "HTTP/1.1"
    with httpx.Client(
        verify=trust,
        http1=version == "HTTP/1.1",
        http2=version == "HTTP/2",
        base_url=upstream.origin,
        headers={"authorization": f"Bearer {key}"},
        timeout=20,
        trust_env=False,
    ) as client:
        yield client


def chat(client: httpx.Client, sim: str, body: dict[str, Any] = STREAM, **headers: str) -> httpx.Response:
    return client.post("/api/v1/chat/completions", json=body, headers={"x-sim": sim, **headers})


def take(client: httpx.Client, sim: str, timeout: float = 20) -> tuple[bytes, httpx.Response, httpx.HTTPError | None]:
    """What of a stream came, and the error that ended it."""
    got = b""
    with client.stream(
        "POST", "/api/v1/chat/completions", json=STREAM, headers={"x-sim": sim}, timeout=timeout
    ) as response:
        try:
            for chunk in response.iter_raw():
                got += chunk
        except httpx.HTTPError as error:
            return got, response, error
    return got, response, None


def settled(upstream: Upstream) -> Served:
    """The last request, when it is over: a client can be done a moment before the server has noted so."""
    number = upstream.log(after=sys.maxsize).requested
    for _ in range(200):
        served = upstream.log(after=number - 1).requests[0]
        if served.outcome:
            return served
        time.sleep(0.01)
    raise AssertionError(f"it is not over: {served}")


@BOTH
def test_both_versions_of_http_give_the_same_body(client: httpx.Client, version: str) -> None:
    response = chat(client, "chunks=50, write-bytes=7", {**STREAM, "user": version[-1]})
    assert (200, version) == (response.status_code, response.http_version)
    assert "text/event-stream" == response.headers["content-type"]
    texts = re.findall(r'"content":"(\d+ é… )"', response.text)
    assert [f"{number} é… " for number in range(50)] == texts
    assert response.text.endswith("data: [DONE]\n\n")


@BOTH
def test_a_chunk_is_at_the_client_while_the_next_are_still_to_leave(
    client: httpx.Client, upstream: Upstream, version: str
) -> None:
    arrived = []
    with client.stream(
        "POST", "/api/v1/chat/completions", json=STREAM, headers={"x-sim": "chunks=20, pace-ms=20, comments=0"}
    ) as response:
        for chunk in response.iter_raw():
            arrived += [time.monotonic_ns()] * chunk.count(b"data: ")
    left = [at for at, _ in settled(upstream).left]
    assert version == response.http_version
    assert len(left) == len(arrived) == 22  # 20 chunks, the finish, [DONE]
    assert arrived[0] < left[2]
    late = [there - then for then, there in zip(left, arrived, strict=True)]
    assert all(delay >= 0 for delay in late)  # nothing arrives before it is noted to have left
    assert statistics.median(late) < 20e6
    gaps = [after - before for before, after in pairwise(left)]
    assert 18e6 < statistics.median(gaps) < 25e6


def test_small_exchanges_do_not_wait_for_acknowledgements(client: httpx.Client) -> None:
    """Nagle's algorithm and delayed acknowledgements together cost 40 ms an exchange."""
    chat(client, "comments=0", BODY)
    began = time.monotonic()
    for _ in range(20):
        chat(client, "comments=0", BODY)
    assert time.monotonic() - began < 20 * 0.035


def test_a_delay_comes_before_the_headers(client: httpx.Client, upstream: Upstream) -> None:
    chat(client, "delay-ms=120", BODY)
    served = settled(upstream)
    assert served.asked is not None
    assert served.headed is not None
    assert 115e6 < served.headed - served.asked < 1e9


@BOTH
@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd"])
@pytest.mark.parametrize("body", [BODY, STREAM], ids=["whole", "stream"])
def test_a_compressed_answer_says_the_same(
    client: httpx.Client, version: str, encoding: str, body: dict[str, Any]
) -> None:
    asked = {**body, "user": f"{version} {encoding}"}
    response = chat(client, f"encoding={encoding}, write-bytes=11", asked, **{"accept-encoding": encoding})
    assert encoding == response.headers["content-encoding"]
    assert "content-length" not in response.headers
    assert "simulation" in response.text
    assert (
        "content-encoding" not in chat(client, f"encoding={encoding}", asked, **{"accept-encoding": "identity"}).headers
    )


@BOTH
@pytest.mark.parametrize("cut", ["close", "reset"])
@pytest.mark.parametrize("where", ["cut-events=4", "cut-bytes=777"])
def test_a_cut_stream_gives_what_was_sent_and_then_an_error(
    client: httpx.Client, upstream: Upstream, version: str, cut: str, where: str
) -> None:
    got, response, error = take(client, f"chunks=9, {where}, cut={cut}")
    assert isinstance(error, httpx.RemoteProtocolError | httpx.ReadError)
    assert version == response.http_version
    served = settled(upstream)
    assert ("cut", len(got)) == (served.outcome, sum(size for _, size in served.left))
    assert len(got) == 777 if "bytes" in where else got.count(b"\n\n") == 4


def test_an_http2_stream_can_be_reset_and_the_connection_goes_on(
    upstream: Upstream, trust: ssl.SSLContext, key: str
) -> None:
    headers = {"authorization": f"Bearer {key}"}
    with httpx.Client(
        verify=trust, http1=False, http2=True, base_url=upstream.origin, headers=headers, trust_env=False
    ) as client:
        got, _, error = take(client, "chunks=9, cut-events=4, cut=stream")
        assert 4 == got.count(b"\n\n")
        assert isinstance(error, httpx.RemoteProtocolError)
        assert "error_code:2" in str(error) or "INTERNAL_ERROR" in str(error)
        before = upstream.log().connected
        assert "cut" == settled(upstream).outcome
        assert chat(client, "chunks=9").text.endswith("data: [DONE]\n\n")
        assert before == upstream.log().connected


def test_a_reset_is_a_reset_and_a_close_is_none(key: str) -> None:
    with start(tls=False) as upstream:  # in TLS, Python 3.11 calls both an unexpected end

        def end(cut: str) -> str:
            with socket.create_connection((upstream.host, upstream.port)) as connection:
                connection.sendall(request(json.dumps(STREAM).encode(), key, f"cut-events=3, cut={cut}"))
                try:
                    while connection.recv(65_536):
                        pass
                except ConnectionResetError:
                    return "reset"
                return "end"

        assert ("end", "reset") == (end("close"), end("reset"))


def request(body: bytes, key: str, sim: str) -> bytes:
    head = "POST /api/v1/chat/completions HTTP/1.1\r\nhost: openrouter.ai\r\n"
    head += f"authorization: Bearer {key}\r\nx-sim: {sim}\r\n"
    return f"{head}content-length: {len(body)}\r\n\r\n".encode() + body


@BOTH
@pytest.mark.parametrize("where", ["stall-events=3", "stall-bytes=100"])
def test_a_stalled_stream_waits_until_the_client_leaves(
    client: httpx.Client, upstream: Upstream, version: str, where: str
) -> None:
    _, response, error = take(client, where, timeout=0.2)
    assert isinstance(error, httpx.ReadTimeout)
    assert version == response.http_version
    client.close()  # over HTTP/2 httpx keeps the connection, and does not tell that it lost interest
    assert "left" == settled(upstream).outcome


@BOTH
@pytest.mark.parametrize("sim", ["chunks=1000, pace-ms=10", "chunks=50000, event-bytes=330", "delay-ms=60000"])
def test_a_client_that_leaves_is_noticed_at_once(
    client: httpx.Client, upstream: Upstream, version: str, sim: str
) -> None:
    """And without a word on stderr: the fixture looks."""
    try:
        with client.stream(
            "POST", "/api/v1/chat/completions", json=STREAM, headers={"x-sim": sim}, timeout=0.3
        ) as response:
            assert version == response.http_version
            next(response.iter_raw())
    except httpx.ReadTimeout:
        assert "delay" in sim
    client.close()
    left = time.monotonic_ns()
    served = settled(upstream)
    assert served.ended is not None
    assert ("left", True) == (served.outcome, served.ended - left < 1e9)


def test_a_body_may_end_with_the_connection(client: httpx.Client, upstream: Upstream) -> None:
    before = upstream.log().connected
    for _ in range(2):
        response = chat(client, "framing=close, chunks=5")
        assert response.text.endswith("data: [DONE]\n\n")
        assert {"content-length", "transfer-encoding"}.isdisjoint(response.headers)
        assert "complete" == settled(upstream).outcome
    assert before + 2 == upstream.log().connected  # each had to open its own


def test_a_body_that_ends_with_the_connection_looks_whole_when_it_is_cut(client: httpx.Client) -> None:
    response = chat(client, "framing=close, chunks=5, cut-events=4")
    assert 200 == response.status_code
    assert "[DONE]" not in response.text


def test_trailers_come_behind_the_body(upstream: Upstream, trust: ssl.SSLContext, key: str) -> None:
    with (
        socket.create_connection((upstream.host, upstream.port)) as raw,
        trust.wrap_socket(raw, server_hostname="openrouter.ai") as connection,
        closing(connection.makefile("rb")) as reader,
    ):
        connection.sendall(request(json.dumps(STREAM).encode(), key, "trailers, chunks=3"))
        answer = reader.read()
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"trailer: x-sim-trailer" in head.lower()
    assert body.endswith(b"\r\n0\r\nx-sim-trailer: the end\r\n\r\n")


@BOTH
@pytest.mark.parametrize(
    ("asked", "status", "length"),
    [
        ("GET /sim/status/204", 204, None),
        ("GET /sim/status/304", 304, None),
        ("HEAD /sim/bytes body-bytes=1000", 200, "1000"),
        ("HEAD /sim/bytes body-bytes=1000,write-bytes=10", 200, "1000"),
        ("HEAD /sim/bytes framing=chunked", 200, None),
        ("GET /sim/redirect", 307, "0"),
        ("GET /sim/bytes", 200, "0"),
        ("GET /sim/bytes framing=chunked", 200, None),
    ],
)
def test_answers_without_a_body_leave_the_connection_usable(
    client: httpx.Client, version: str, asked: str, status: int, length: str | None
) -> None:
    method, path, sim = [*asked.split(), ""][:3]
    response = client.request(method, path, headers={"x-sim": sim})
    assert (status, b"", length) == (response.status_code, response.content, response.headers.get("content-length"))
    number = response.extensions["network_stream"].get_extra_info("client_addr")
    following = client.get("/sim/echo")
    assert (200, version) == (following.status_code, following.http_version)
    assert number == following.extensions["network_stream"].get_extra_info("client_addr")


@BOTH
def test_big_bodies_go_both_ways(client: httpx.Client, version: str) -> None:
    response = client.get("/sim/bytes", headers={"x-sim": "body-bytes=8000000, binary"})
    assert (8_000_000, version) == (len(response.content), response.http_version)
    sent = "x" * 3_000_000
    assert sent == client.post("/sim/echo", content=sent).json()["body"]


def test_many_streams_at_once_are_each_whole(upstream: Upstream, trust: ssl.SSLContext, key: str) -> None:
    with httpx.Client(verify=trust, http2=True, headers={"authorization": f"Bearer {key}"}, trust_env=False) as client:
        ends: list[str] = []

        def one(number: int) -> None:
            asked = {**STREAM, "user": str(number)}
            response = client.post(f"{upstream.base_url}/chat/completions", json=asked, headers={"x-sim": "chunks=300"})
            ends.append(response.text[-14:])

        threads = [Thread(target=one, args=(number,)) for number in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert ["data: [DONE]\n\n"] * 12 == ends


def test_what_is_wrong_in_x_sim_is_said(client: httpx.Client) -> None:
    response = chat(client, "chunk=3")
    assert 400 == response.status_code
    assert "found chunk" in response.json()["error"]["message"]


def test_the_log_has_every_connection_even_one_without_a_handshake(upstream: Upstream) -> None:
    before = upstream.log()
    with socket.create_connection((upstream.host, upstream.port)) as raw:
        raw.sendall(b"this is no TLS\r\n\r\n")
        raw.recv(100)  # an alert, or the end
    with socket.create_connection((upstream.host, upstream.port)):
        pass
    for _ in range(100):
        log = upstream.log()
        if log.connected == before.connected + 2 and log.connections[-2].closed:
            break
        time.sleep(0.01)
    assert (before.connected + 2, before.requested) == (log.connected, log.requested)
    assert "" == log.connections[-2].protocol


def test_the_log_has_the_request_as_it_came(client: httpx.Client, upstream: Upstream, key: str) -> None:
    before = upstream.log().requested
    chat(client, "comments=0", BODY)
    served = settled(upstream)
    log = upstream.log()
    assert before + 1 == log.requested == served.number
    assert ("POST", "/api/v1/chat/completions", "1.1") == (served.method, served.path, served.http_version)
    assert ("authorization", f"Bearer {key}") in served.headers
    assert "http/1.1" == log.connections[served.connection - 1].protocol
    assert served.began <= (served.asked or 0) <= (served.headed or 0) <= served.left[0][0] <= (served.ended or 0)


def test_a_server_without_http2_or_tls_serves_the_rest(key: str) -> None:
    with start(http2=False) as upstream, start(tls=False, names=("api.openai.com",)) as plain:
        context = ssl.create_default_context(cafile=upstream.ca_file)
        with httpx.Client(verify=context, http2=True, trust_env=False) as client:
            assert "HTTP/1.1" == client.get(f"{upstream.base_url}/models").http_version
        with httpx.Client(trust_env=False) as client:
            assert plain.ca_file is None
            response = client.post(
                f"{plain.base_url}/chat/completions", json=BODY, headers={"authorization": f"Bearer {key}"}
            )
            assert 200 == response.status_code


@pytest.mark.parametrize("name", ["openrouter.ai", "localhost", "127.0.0.1", "api.openai.com"])
def test_the_certificate_is_good_for_the_names_that_were_asked_for(name: str) -> None:
    with start(names=("api.openai.com",)) as upstream:
        context = ssl.create_default_context(cafile=upstream.ca_file)
        with socket.create_connection((upstream.host, upstream.port)) as raw:
            context.wrap_socket(raw, server_hostname=name).close()
        with (
            socket.create_connection((upstream.host, upstream.port)) as raw,
            pytest.raises(ssl.SSLCertVerificationError),
        ):
            context.wrap_socket(raw, server_hostname="example.com")
