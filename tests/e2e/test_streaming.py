"""The tee over real sockets: bytes go on at once and unchanged, and the end only when the exchange is on disk."""

from __future__ import annotations

import json
import statistics
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import pairwise

import pytest

from recorder.upstream import Served, Upstream, start
from tests.e2e.cassettes import asked, interactions
from tests.e2e.processes import Launcher, RecorderProcess, wait_for
from tests.e2e.sockets import KEY, WAYS, Answer, Client, Http2, Way, fresh, proxy_http1, proxy_http2

CHAT = "/api/v1/chat/completions"
ENCODINGS = ("gzip", "deflate", "br", "zstd")
MILLISECOND = 1_000_000

through_each_way = pytest.mark.parametrize("way", WAYS.values(), ids=WAYS.keys())


@pytest.fixture(scope="module")
def recorder(shared_recorder: Launcher) -> RecorderProcess:
    return shared_recorder()


@pytest.fixture(scope="module")
def twin() -> Iterator[Upstream]:
    """The same server once more, to be asked directly: what it sends is what the other one sends."""
    with start(seed="7", tls=False) as running:
        yield running


def body(text: str = "Hi", *, stream: bool = True) -> bytes:
    asked = {"model": "x-ai/grok-code-fast-1", "stream": stream, "messages": [{"role": "user", "content": text}]}
    return json.dumps(asked).encode()


def headers(sim: str = "", **more: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json", "X-Sim": sim, **more}


def served(upstream: Upstream, target: str) -> Served:
    """The journal's entry of the request for `target`, found by its `X-Sim-Name`."""
    return next(entry for entry in upstream.log().requests if ("x-test", target) in entry.headers)


# At once


@through_each_way
def test_each_chunk_is_at_the_client_while_the_upstream_is_still_sending(
    recorder: RecorderProcess, upstream: Upstream, way: Way
) -> None:
    name = fresh("paced")
    with way(recorder) as client:
        answer = client.ask("POST", CHAT, body(name), headers("chunks=20, pace-ms=50, comments=0", **{"X-Test": name}))
    left = served(upstream, name).left
    assert len(left) > 20
    sizes = [sum(size for _, size in left[: number + 1]) for number in range(len(left))]
    delays = [answer.when(size) - at for size, (at, _) in zip(sizes, left, strict=True)]
    assert answer.when(sizes[0]) < left[2][0]
    assert statistics.median(delays) < 20 * MILLISECOND


def test_what_is_not_streamed_takes_the_same_path(recorder: RecorderProcess, upstream: Upstream) -> None:
    """A body with a length, in two pieces: the first is at the client before the second leaves."""
    name = fresh("pieces")
    sim = "body-bytes=100000, write-bytes=50000, pace-ms=300"
    with proxy_http1(recorder) as client:
        answer = client.ask("GET", "/sim/bytes", headers=headers(sim, **{"X-Test": name}))
    assert "100000" == answer.headers["content-length"]
    first, second = served(upstream, name).left
    assert answer.when(first[1]) < second[0]


# Unchanged


def both(
    recorder: RecorderProcess, twin: Upstream, way: Way, *, sim: str, accept: str = "identity"
) -> tuple[Answer, Answer]:
    """What the upstream sends, and what comes through the recorder."""
    from tests.e2e.sockets import Http1, dialled

    said = body(fresh("same"))
    sent = headers(sim, **{"Accept-Encoding": accept})
    with dialled(twin.port) as link:
        expected = Http1(link).ask("POST", CHAT, said, sent)
    with way(recorder) as client:
        return expected, client.ask("POST", CHAT, said, sent)


@through_each_way
@pytest.mark.parametrize("size", [1, 2, 3, 7, 64, 1000])
def test_events_and_characters_split_anywhere_come_as_they_were_sent(
    recorder: RecorderProcess, twin: Upstream, way: Way, size: int
) -> None:
    expected, answer = both(recorder, twin, way, sim=f"chunks=8, write-bytes={size}")
    assert (200, expected.body, True) == (answer.status, answer.body, answer.whole)
    assert "é… ".encode() in answer.body
    assert expected.body == interactions(recorder.cassette)[-1]["response"]["body"].encode()


@through_each_way
@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_compressed_stream_reaches_the_client_compressed_and_the_cassette_plain(
    recorder: RecorderProcess, twin: Upstream, way: Way, encoding: str
) -> None:
    expected, answer = both(
        recorder, twin, way, sim=f"chunks=8, write-bytes=11, encoding={encoding}", accept=encoding
    )
    assert (expected.body, encoding) == (answer.body, answer.headers["content-encoding"])
    recorded = interactions(recorder.cassette)[-1]["response"]
    assert recorded["uncompressed"] is True
    assert recorded["body"].startswith(": OPENROUTER PROCESSING\n\n")
    assert recorded["body"].endswith("data: [DONE]\n\n")
    assert "Content-Encoding" not in recorded["headers"]


# On disk before the client sees the end

# Name: the request's target, and how the upstream is to answer; what ends the body follows from it and from the way.
ENDINGS = {
    "a length": ("/sim/bytes", "body-bytes=3000"),
    "a length and several pieces": ("/sim/bytes", "body-bytes=3000, write-bytes=700, pace-ms=5"),
    "a stream": (CHAT, "chunks=5, pace-ms=2"),
    "chunks": ("/sim/bytes", "body-bytes=3000, framing=chunked"),
    "the close": ("/sim/bytes", "body-bytes=3000, framing=close"),
    "204": ("/sim/status/204", ""),
    "304": ("/sim/status/304", ""),
    "an empty body with a length": ("/sim/status/200", ""),
    "an empty body in chunks": ("/sim/bytes", "framing=chunked"),
    "an empty body and the close": ("/sim/bytes", "framing=close"),
    "an error": (CHAT, "error=429"),
    "8 MB": ("/sim/bytes", "body-bytes=8388608"),
    "8 MB in chunks": ("/sim/bytes", "body-bytes=8388608, framing=chunked"),
}


@through_each_way
@pytest.mark.parametrize("ending", ENDINGS.values(), ids=ENDINGS.keys())
def test_who_sees_the_end_finds_the_exchange_on_disk(
    start_recorder: Launcher, recorder: RecorderProcess, way: Way, ending: tuple[str, str]
) -> None:
    path, sim = ending
    many = "8388608" not in sim
    for _ in range(5 if many else 1):
        target = fresh(path)
        with way(recorder) as client:
            answer = ask(client, target, sim)
            at_the_end = recorder.cassette.read_bytes()
        assert answer.whole
        assert f"url: https://openrouter.ai{target}\n".encode() in at_the_end
        if many:
            recorded = asked(interactions(at_the_end), target)
            assert [(answer.status, answer.body.decode())] == [(one["response"]["code"], one["response"]["body"]) for one in recorded]


def ask(client: Client, target: str, sim: str) -> Answer:
    if target.startswith(CHAT):
        return client.ask("POST", target, body(), headers(sim))
    return client.ask("GET", target, headers=headers(sim))
