"""The tee over real sockets: bytes go on at once and unchanged, and the end only when the exchange is on disk."""

from __future__ import annotations

import json
import statistics
import threading
from collections.abc import Iterator
from itertools import accumulate

import pytest

from recorder.simulator import Served, Upstream, start
from tests.e2e.cassettes import asked, interactions
from tests.e2e.processes import Launcher, RecorderProcess, wait_for
from tests.e2e.sockets import KEY, WAYS, Answer, Http1, Way, dialled, fresh, proxy_http1, proxy_http2, through_each_way

CHAT = "/api/v1/chat/completions"
ENCODINGS = ("gzip", "deflate", "br", "zstd")
MILLISECOND = 1_000_000


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


def served(upstream: Upstream, name: str) -> Served:
    """The journal's entry of the request that had this `X-Test`."""
    return next(entry for entry in upstream.log().requests if ("x-test", name) in entry.headers)


def bodies(recorder: RecorderProcess) -> dict[str, str]:
    """What was recorded of chats: what was said in the request, and the response's body."""
    return {
        json.loads(one["request"]["body"])["messages"][0]["content"]: one["response"]["body"]
        for one in interactions(recorder.cassette)
        if "body" in one["request"]
    }


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
    sizes = list(accumulate(size for _, size in left))
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
    expected, answer = both(recorder, twin, way, sim=f"chunks=8, write-bytes=11, encoding={encoding}", accept=encoding)
    assert (expected.body, encoding) == (answer.body, answer.headers["content-encoding"])
    recorded = interactions(recorder.cassette)[-1]["response"]
    assert recorded["uncompressed"] is True
    assert recorded["body"].startswith(": OPENROUTER PROCESSING\n\n")
    assert recorded["body"].endswith("data: [DONE]\n\n")
    assert "Content-Encoding" not in recorded["headers"]


# On disk before the client sees the end

# Name: the request, and how the upstream is to answer. What ends the message follows from that and from the way.
ENDINGS = {
    "a length": ("GET", "/sim/bytes", "body-bytes=3000"),
    "a length and several pieces": ("GET", "/sim/bytes", "body-bytes=3000, write-bytes=700, pace-ms=5"),
    "a stream": ("POST", CHAT, "chunks=5, pace-ms=2"),
    "chunks": ("GET", "/sim/bytes", "body-bytes=3000, framing=chunked"),
    "the close": ("GET", "/sim/bytes", "body-bytes=3000, framing=close"),
    "204": ("GET", "/sim/status/204", ""),
    "304": ("GET", "/sim/status/304", ""),
    "HEAD": ("HEAD", "/api/v1/models", ""),
    "HEAD in chunks": ("HEAD", "/sim/bytes", "body-bytes=3000, framing=chunked"),
    "an empty body with a length": ("GET", "/sim/status/200", ""),
    "an empty body in chunks": ("GET", "/sim/bytes", "framing=chunked"),
    "an empty body and the close": ("GET", "/sim/bytes", "framing=close"),
    "an error": ("POST", CHAT, "error=429"),
}


@through_each_way
@pytest.mark.parametrize("ending", ENDINGS.values(), ids=ENDINGS.keys())
def test_who_sees_the_end_finds_the_exchange_on_disk(
    recorder: RecorderProcess, way: Way, ending: tuple[str, str, str]
) -> None:
    method, path, sim = ending
    for _ in range(3):  # were it a race, some would be lost
        target = fresh(path)
        with way(recorder) as client:
            answer = client.ask(method, target, body() if method == "POST" else b"", headers(sim))
            at_the_end = recorder.cassette.read_bytes()
        assert answer.whole
        found = [one["response"] for one in asked(interactions(at_the_end), target)]
        assert [(answer.status, answer.body.decode())] == [(one["code"], one["body"]) for one in found]


@through_each_way
@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_who_sees_the_end_of_8_MB_finds_them_on_disk(start_recorder: Launcher, way: Way, framing: str) -> None:  # noqa: N802 - a unit
    recorder = start_recorder()
    with way(recorder) as client:
        answer = client.ask("GET", "/sim/bytes", headers=headers(f"body-bytes={8 << 20}, framing={framing}"))
        at_the_end = recorder.cassette.read_bytes()
    assert (True, 8 << 20) == (answer.whole, len(answer.body))
    assert [answer.body.decode()] == [one["response"]["body"] for one in interactions(at_the_end)]


def test_what_is_not_over_is_not_on_disk(recorder: RecorderProcess) -> None:
    """The last byte of a length is the end: it stays behind until the exchange is written, and no other does."""
    target = fresh("/sim/bytes")
    with proxy_http1(recorder) as client:
        client.send("GET", target, headers=headers("body-bytes=3000, write-bytes=1000, pace-ms=200"))
        answer = client.receive(until=lambda size: size >= 2000)
        assert (2000, False) == (len(answer.body), answer.whole)
        assert [] == asked(interactions(recorder.cassette), target)
        assert client.receive().whole
    assert 1 == len(asked(interactions(recorder.cassette), target))


@through_each_way
def test_a_response_with_trailers_comes_to_its_end(recorder: RecorderProcess, way: Way) -> None:
    target = fresh("/sim/bytes")
    with way(recorder) as client:
        answer = client.ask("GET", target, headers=headers("body-bytes=300, trailers"))
    assert (200, 300, True) == (answer.status, len(answer.body), answer.whole)
    assert 1 == len(asked(interactions(recorder.cassette), target))
    assert "" == recorder.stderr


# Connections


@through_each_way
def test_twenty_requests_on_one_connection_use_one_connection_upstream(
    recorder: RecorderProcess, upstream: Upstream, way: Way
) -> None:
    before = upstream.log()
    with way(recorder) as client:
        for number in range(20):
            sim = ("chunks=2", "error=429", "chunks=1, encoding=gzip")[number % 3]
            assert client.ask("POST", CHAT, body(), headers(sim, **{"Accept-Encoding": "gzip"})).whole
    after = upstream.log(after=before.requested)
    assert 20 == len(after.requests)
    assert 1 == len({entry.connection for entry in after.requests})
    assert 1 == after.connected - before.connected


@through_each_way
def test_responses_without_a_body_keep_their_connections(
    recorder: RecorderProcess, upstream: Upstream, way: Way
) -> None:
    before = upstream.log().connected
    with way(recorder) as client:
        for method, path in (("HEAD", "/api/v1/models"), ("GET", "/sim/status/204"), ("GET", "/sim/status/304")):
            assert client.ask(method, path, headers=headers()).whole
        assert b"/sim/echo" in client.ask("GET", "/sim/echo", headers=headers()).body
    assert 1 == upstream.log().connected - before


def test_streams_of_one_http2_connection_do_not_wait_for_each_other(
    recorder: RecorderProcess, upstream: Upstream
) -> None:
    names = [fresh("parallel") for _ in range(20)]
    before = upstream.log().connected
    with proxy_http2(recorder) as client:
        streams = [
            client.send("POST", CHAT, body(name), headers("chunks=10, pace-ms=20", **{"X-Test": name}))
            for name in names
        ]
        answers = client.receive(*streams)
    assert all(answer.whole for answer in answers)
    assert 1 == upstream.log().connected - before
    entries = [served(upstream, name) for name in names]
    assert max(entry.began for entry in entries) < min(entry.ended or 0 for entry in entries)
    recorded = bodies(recorder)
    assert [answer.body.decode() for answer in answers] == [recorded[name] for name in names]


def test_many_clients_at_once_each_get_their_own_and_the_cassette_has_them_in_order(start_recorder: Launcher) -> None:
    recorder = start_recorder()
    got: dict[str, Answer] = {}

    def talk(way: Way, names: list[str], sim: str) -> None:
        with way(recorder) as client:
            for name in names:
                got[name] = client.ask("POST", CHAT, body(name), headers(sim))

    ways = list(WAYS.values())
    threads = [
        threading.Thread(
            target=talk,
            # The longer ones begin first and end last: the order of the ends is not that of the beginnings.
            args=(ways[number % len(ways)], [fresh("many") for _ in range(3)], f"chunks={12 - number}, pace-ms=8"),
        )
        for number in range(12)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert 36 == len(got)
    assert 0 == recorder.stop()
    recorded = interactions(recorder.cassette)
    assert list(range(36)) == [one["id"] for one in recorded]
    assert {name: answer.body.decode() for name, answer in got.items()} == bodies(recorder)


def test_the_cassette_is_sealed_in_the_order_in_which_the_requests_began(start_recorder: Launcher) -> None:
    recorder = start_recorder()
    with proxy_http1(recorder) as slow, proxy_http1(recorder) as fast:
        slow.send("GET", "/sim/bytes?slow", headers=headers("body-bytes=20, write-bytes=10, pace-ms=300"))
        slow.receive(until=lambda size: size > 0)
        assert fast.ask("GET", "/sim/bytes?fast", headers=headers("body-bytes=20")).whole
        assert ["fast"] == order(recorder)
        assert slow.receive().whole
        assert ["fast", "slow"] == order(recorder)
    assert 0 == recorder.stop()
    assert ["slow", "fast"] == order(recorder)


def order(recorder: RecorderProcess) -> list[str]:
    return [one["request"]["url"].partition("?")[2] for one in interactions(recorder.cassette)]


# Who leaves


def test_a_client_that_has_left_when_the_last_piece_is_held_is_no_failure(start_recorder: Launcher) -> None:
    """The exchange was whole when it was written, so it counts; and the recorder goes on."""
    recorder = start_recorder()
    for _ in range(5):
        with proxy_http1(recorder) as client:
            client.send(
                "GET", "/sim/bytes?left", headers=headers("body-bytes=2000000, write-bytes=1000000, pace-ms=50")
            )
            client.receive(until=lambda size: size >= 1_000_000)
        with proxy_http2(recorder) as client2:
            stream = client2.send(
                "GET", "/sim/bytes?left", headers=headers("body-bytes=2000000, write-bytes=1000000, pace-ms=50")
            )
            client2.receive(stream, until=lambda size: size >= 1_000_000)
            client2.reset(stream)
            assert client2.ask("GET", "/sim/echo", headers=headers()).whole
    wait_for("the five that answered", lambda: 5 <= len(interactions(recorder.cassette)))
    assert 0 == recorder.stop()
    assert "" == recorder.stderr
