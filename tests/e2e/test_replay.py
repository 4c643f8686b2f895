"""Replaying for real clients: the recorded bytes, through each door, in their time, and never the network."""

from __future__ import annotations

import json
import random
import socket
import ssl
import statistics
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import accumulate
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import openai
import pytest

from recorder import cassette
from recorder.cassette import Cassette
from recorder.model import Fields, Interaction, Request, Response
from recorder.simulator import Upstream
from tests.e2e.cassettes import interactions
from tests.e2e.processes import Launcher, RecorderProcess, launching
from tests.e2e.sockets import KEY, Answer, Http1, Way, connect, dialled, proxy_http1, proxy_http2, through_each_way

CHAT = "/api/v1/chat/completions"
HEADERS = {"Content-Type": "application/json", "Authorization": f"Bearer {KEY}"}
MODEL = "x-ai/grok-code-fast-1"
MILLISECOND = 1_000_000
FRAMES = tuple(f'data: {{"choices":[{{"delta":{{"content":"{number}"}}}}]}}\n\n'.encode() for number in range(5))
STREAM = b"".join(FRAMES) + b"data: [DONE]\n\n"


def said(text: str, **more: Any) -> bytes:
    return json.dumps({"model": MODEL, "messages": [{"role": "user", "content": text}], **more}).encode()


def exchange(text: str, answer: bytes = STREAM, *, kind: str = "text/event-stream", code: int = 200) -> Interaction:
    return Interaction(
        request=Request(
            method="POST",
            url=f"https://openrouter.ai{CHAT}",
            body=said(text),
            headers=Fields([("Content-Type", "application/json")]),
        ),
        response=Response(
            status=f"{code} OK", code=code, duration=1, body=answer, headers=Fields([("Content-Type", kind)])
        ),
    )


def write(folder: Path, *recorded: Interaction, name: str = "session") -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / f"{name}.yaml"
    path.write_bytes(cassette.dumps(Cassette(interactions=recorded)))
    return path


def ask(client: Any, text: str, headers: dict[str, str] | None = None, **more: Any) -> Answer:
    given: Answer = client.ask("POST", CHAT, said(text, **more), {**HEADERS, **(headers or {})})
    return given


@contextmanager
def counting() -> Iterator[tuple[int, list[str]]]:
    """A port of loopback, and who has connected to it."""
    met: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def accept() -> None:
            try:
                while True:
                    link, peer = server.accept()
                    met.append(str(peer))
                    link.close()
            except OSError:
                return

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        yield server.getsockname()[1], met
        server.shutdown(socket.SHUT_RDWR)
    thread.join()


# The recorded bytes


@pytest.fixture(scope="module")
def replayer(tmp_path_factory: pytest.TempPathFactory, certs: Path, shared: Path) -> Iterator[RecorderProcess]:
    """A recorder that replays the real cassettes, with nothing upstream."""
    with launching(tmp_path_factory.mktemp("replayer"), certs) as launcher:
        yield launcher("--mode", "replay", "--cassette-dir", str(shared / "cassettes"), "--reuse", "all")


def openrouter(shared: Path) -> Iterator[tuple[str, tuple[Interaction, ...]]]:
    """The sessions recorded from OpenRouter."""
    folder = shared / "cassettes"
    for path in sorted(folder.rglob("*.yaml")):
        data = path.read_bytes()
        if b"url: https://openrouter.ai/" in data:
            yield path.relative_to(folder).with_suffix("").as_posix(), cassette.loads(data, str(path)).interactions


def bytes_of(client: openai.OpenAI, interaction: Interaction) -> bytes:
    """What the client is given for a recorded request."""
    body = json.loads(interaction.request.body)
    known = {name: body.pop(name) for name in ("model", "messages", "stream") if name in body}
    with client.chat.completions.with_streaming_response.create(**known, extra_body=body) as response:
        return b"".join(response.iter_bytes())


@pytest.mark.parametrize("door", ["proxy", "base URL"])
def test_the_openai_client_is_given_exactly_the_recorded_bytes(
    replayer: RecorderProcess, shared: Path, door: str
) -> None:
    count = 0
    for session, recorded in openrouter(shared):
        named = quote(session, safe="")
        if door == "proxy":
            trust = ssl.create_default_context(cafile=str(replayer.bundle))
            http = openai.DefaultHttpxClient(proxy=f"http://{named}@127.0.0.1:{replayer.port}", verify=trust)
            url = "https://openrouter.ai/api/v1"
        else:
            http = openai.DefaultHttpxClient()
            url = f"http://127.0.0.1:{replayer.base_url_port}/~{named}/api/v1"
        with http, openai.OpenAI(api_key="none", base_url=url, http_client=http, max_retries=0) as client:
            for interaction in recorded:
                assert interaction.response.body == bytes_of(client, interaction), session
                count += 1
    assert count > 60


def test_a_client_of_http2_is_given_them_too(replayer: RecorderProcess, shared: Path) -> None:
    count = 0
    with proxy_http2(replayer) as client:
        for session, recorded in openrouter(shared):
            for interaction in recorded:
                headers = {"X-Recorder-Session": session, "Content-Type": "application/json"}
                answer = client.ask("POST", CHAT, interaction.request.body, headers)
                assert (interaction.response.body, True) == (answer.body, answer.whole), session
                assert interaction.response.headers.first("Content-Type") == answer.headers["content-type"]
                count += 1
    assert count > 60


@through_each_way
def test_status_headers_and_empty_answers(start_recorder: Launcher, way: Way) -> None:
    write(
        start_recorder.cassettes,
        exchange("limited", b'{"error":{}}', kind="application/json", code=429),
        exchange("nothing", b"", code=204),
        exchange("empty", b"", kind="text/plain"),
    )
    recorder = start_recorder("--mode", "replay")
    with way(recorder) as client:
        limited, nothing, empty = (ask(client, text) for text in ("limited", "nothing", "empty"))
    assert (429, b'{"error":{}}', "12") == (limited.status, limited.body, limited.headers["content-length"])
    assert (204, b"", True) == (nothing.status, nothing.body, nothing.whole)
    assert (200, b"", True, "text/plain") == (empty.status, empty.body, empty.whole, empty.headers["content-type"])


def test_200_requests_at_once_in_any_order_get_their_own_answers_twice_over(start_recorder: Launcher) -> None:
    """40 of them are equal, and get the 40 answers that were recorded for them, each once a round."""
    texts = [f"question {number}" if number >= 40 else "the same" for number in range(200)]
    answers = [f"data: {number}\n\ndata: [DONE]\n\n".encode() for number in range(200)]
    write(start_recorder.cassettes, *map(exchange, texts, answers))
    recorder = start_recorder("--mode", "replay", "--reuse", "all", "--receipt", "receipt.json", "--strict")
    for round_ in range(2):
        order = list(range(200))
        random.Random(round_).shuffle(order)
        got: dict[int, Answer] = {}
        with ExitStack() as stack:  # HTTP/2 has a hundred streams on a connection
            clients = [stack.enter_context(proxy_http2(recorder)) for _ in range(4)]
            sent = [
                [client.send("POST", CHAT, said(texts[at]), HEADERS) for at in order[place::4]]
                for place, client in enumerate(clients)
            ]
            for place, client in enumerate(clients):
                got |= zip(order[place::4], client.receive(*sent[place]), strict=True)
        assert all(got[number].body == answers[number] for number in range(40, 200))
        assert sorted(answers[:40]) == sorted(got[number].body for number in range(40))
    assert 0 == recorder.stop()
    assert (400, []) == (receipt(start_recorder)["served"], receipt(start_recorder)["missed"])


def receipt(launcher: Launcher) -> dict[str, Any]:
    (found,) = json.loads((launcher.folder / "receipt.json").read_text())["receipts"]
    assert isinstance(found, dict)
    return found


# Never the network


def test_no_connection_is_opened_in_replay_whatever_comes(tmp_path: Path, certs: Path) -> None:
    with counting() as (port, met), launching(tmp_path, certs) as launcher:
        write(launcher.cassettes, exchange("known"))
        recorder = launcher("--mode", "replay", "--receipt", "receipt.json", "--connect-to", f"::127.0.0.1:{port}")
        for way in (proxy_http1, proxy_http2):
            with way(recorder) as client:
                statuses = [ask(client, text).status for text in ("known", "known", "unknown")]
                statuses.append(client.ask("GET", "/api/v1/models").status)
                statuses.append(client.ask("HEAD", "/").status)
                upgrade = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13"}
                if isinstance(client, Http1):
                    statuses.append(client.ask("GET", "/api/v1/realtime", headers=upgrade).status)
                assert {404} == set(statuses[1:])
        with dialled(recorder.port) as link:
            assert 502 == connect(link, "elsewhere.test:443")
        with dialled(recorder.port) as link:
            assert 502 == Http1(link, authority="elsewhere.test").ask("GET", "http://elsewhere.test/").status
        with dialled(recorder.port) as link:
            body = Http1(link, authority="elsewhere.test").ask("POST", "http://elsewhere.test/", b"x").body
            assert b"no connection is opened" in body
        assert 0 == recorder.stop()
        assert [] == met
        found = receipt(launcher)
    assert (1, 10, 0) == (found["served"], len(found["missed"]), found["upstream_connections"])


def test_a_miss_is_explained_to_the_client_in_the_log_and_in_the_receipt(tmp_path: Path, certs: Path) -> None:
    with launching(tmp_path, certs) as launcher:
        write(launcher.cassettes, exchange("the weather in Florence, please"))
        recorder = launcher("--mode", "replay", "--receipt", "receipt.json", "--strict")
        client = openai.OpenAI(api_key=KEY, base_url=recorder.base_url)
        with pytest.raises(openai.NotFoundError) as caught, client:
            client.chat.completions.create(
                model=MODEL, messages=[{"role": "user", "content": f"the weather in Rome, please, with {KEY}"}]
            )
        explained = 'messages[0].content: "…Florence, please" ≠ "…Rome, please, with [REDACTED]"'
        assert explained in str(caught.value)
        assert 1 == recorder.stop()
        assert explained in recorder.stderr
        (miss,) = receipt(launcher)["missed"]
        assert ("body-differs", 0, "messages[0].content") == (
            miss["reason"],
            miss["nearest"],
            miss["differences"][0]["place"],
        )
        told = recorder.output + (tmp_path / "receipt.json").read_text() + str(caught.value)
        assert KEY not in told


def test_a_session_without_a_cassette_says_so(tmp_path: Path, certs: Path) -> None:
    with launching(tmp_path, certs) as launcher:
        recorder = launcher("--mode", "replay")
        with proxy_http1(recorder) as client:
            answer = ask(client, "hi")
        assert 404 == answer.status
        assert b"no such cassette" in answer.body
        ended = launcher.command("replay", "weather", *launcher.options)
        assert (1, "") == (ended.returncode, ended.stdout)
        assert "expected a cassette at cassettes/weather.yaml, found none" in ended.stderr


# Modes


def test_once_records_and_then_replays_the_same(start_recorder: Launcher, upstream: Upstream) -> None:
    first = start_recorder("--mode", "once")
    with proxy_http1(first) as client:
        recorded = ask(client, "hi")
    assert 0 == first.stop()
    before = upstream.log().connections
    second = start_recorder("--mode", "once", "--strict")
    with proxy_http1(second) as client:
        replayed = ask(client, "hi", {"Authorization": "Bearer another"})
    assert 0 == second.stop()
    assert (recorded.status, recorded.body) == (replayed.status, replayed.body)
    assert before == upstream.log().connections


def test_new_episodes_replays_what_is_known_and_records_the_rest(start_recorder: Launcher) -> None:
    path = write(start_recorder.cassettes, exchange("known"))
    recorder = start_recorder("--mode", "new-episodes", "--receipt", "receipt.json")
    with proxy_http2(recorder) as client:
        assert STREAM == ask(client, "known").body
        new = ask(client, "new")
    assert 0 == recorder.stop()
    assert [STREAM, new.body] == [each["response"]["body"].encode() for each in interactions(path)]
    found = receipt(start_recorder)
    assert (1, 1, 1, []) == (found["served"], found["recorded"], found["upstream_connections"], found["missed"])


@pytest.mark.parametrize(("on_miss", "kept"), [("forward", 1), ("record", 2)])
def test_a_miss_may_be_forwarded_or_recorded(start_recorder: Launcher, on_miss: str, kept: int) -> None:
    path = write(start_recorder.cassettes, exchange("known"))
    recorder = start_recorder("--mode", "replay", "--on-miss", on_miss, "--receipt", "receipt.json")
    with proxy_http1(recorder) as client:
        answers = [ask(client, text) for text in ("known", "new")]
    assert 0 == recorder.stop()
    assert [200, 200] == [answer.status for answer in answers]
    assert kept == len(interactions(path))
    assert (1, 1) == (len(receipt(start_recorder)["missed"]), receipt(start_recorder)["upstream_connections"])


def test_passthrough_leaves_everything_as_it_is(start_recorder: Launcher) -> None:
    path = write(start_recorder.cassettes, exchange("known"))
    before = path.read_bytes()
    recorder = start_recorder("--mode", "passthrough")
    with proxy_http1(recorder) as client:
        answer = ask(client, "known")
    assert 0 == recorder.stop()
    assert (200, True) == (answer.status, answer.body != STREAM)
    assert before == path.read_bytes()


def test_a_session_may_be_in_another_mode_than_the_recorder(start_recorder: Launcher) -> None:
    write(start_recorder.cassettes, exchange("known"), name="mine")
    recorder = start_recorder()
    control = f"http://127.0.0.1:{recorder.base_url_port}/~mine"
    with httpx.Client() as client:
        started = client.put(control, headers={"X-Recorder-Mode": "replay"})
        assert 200 == started.status_code
        assert 409 == client.put(control, headers={"X-Recorder-Mode": "record"}).status_code
        assert 400 == client.put(control, headers={"X-Recorder-Mode": "rewind"}).status_code
        answer = client.post(f"{control}{CHAT}", content=said("known"))
        told = client.delete(control).json()
    assert STREAM == answer.content
    assert (1, 0) == (told["receipt"]["served"], told["receipt"]["upstream_connections"])


# Time


def test_at_recorded_speed_each_chunk_comes_when_it_came(start_recorder: Launcher) -> None:
    sim = "chunks=30, pace-ms=20, delay-ms=40"
    first = start_recorder("--timing")
    with proxy_http1(first) as client:
        recorded = ask(client, "hi", {"X-Sim": sim}, stream=True)
    assert 0 == first.stop()
    (line,) = (start_recorder.cassettes / "session.timing.jsonl").read_text().splitlines()
    times = json.loads(line)
    assert len(times["chunks"]) > 30
    second = start_recorder("--mode", "replay", "--speed", "recorded", "--reuse", "all")
    rounds = []
    for way in (proxy_http1, proxy_http2) * 3:
        with way(second) as client:
            began = time.monotonic_ns()
            replayed = ask(client, "hi", stream=True)
        assert recorded.body == replayed.body
        ends = accumulate(length for _, length in times["chunks"])
        late = [replayed.when(end) - began - at for end, (at, _) in zip(ends, times["chunks"], strict=True)]
        rounds.append([each / MILLISECOND for each in late])
    assert 0 <= min(map(min, rounds))
    # Of each chunk the best of six: a machine that has other work is late by itself, now and then; what we are late by
    # is so each time.
    assert statistics.median(map(min, zip(*rounds, strict=True))) < 10


def test_faster_than_recorded_and_so_many_tokens_a_second(tmp_path: Path, certs: Path) -> None:
    with launching(tmp_path, certs) as launcher:
        usage = b'data: {"usage":{"prompt_tokens":1,"completion_tokens":14}}\n\n'
        write(launcher.cassettes, exchange("hi", b"".join(FRAMES) + usage + b"data: [DONE]\n\n"))
        recorder = launcher("--mode", "replay", "--tokens-per-second", "40")
        with proxy_http1(recorder) as client:
            began = time.monotonic_ns()
            answer = ask(client, "hi")
    # Seven events of two tokens each, so 50 ms apart; a client that is busy may read some of them at once.
    assert 7 * 50 * MILLISECOND <= answer.arrived[-1][0] - began
    for number in range(5):
        assert (number + 1) * 50 * MILLISECOND <= answer.when(sum(map(len, FRAMES[: number + 1]))) - began


@pytest.mark.parametrize("way", [proxy_http1, proxy_http2], ids=["HTTP/1.1", "HTTP/2"])
def test_while_one_stream_waits_others_go_on(tmp_path: Path, certs: Path, way: Way) -> None:
    with launching(tmp_path, certs) as launcher:
        write(launcher.cassettes, exchange("slow"), exchange("quick"))
        recorder = launcher("--mode", "replay", "--fault", "stall:after=2,for=60s,id=0", "--grace", "60")
        with way(recorder) as slow, way(recorder) as other:
            slow.send("POST", CHAT, said("slow"))
            quick = other if isinstance(slow, Http1) else slow
            began = time.monotonic()
            assert STREAM == ask(quick, "quick").body
            assert time.monotonic() - began < 30
        # Its client has left, so there is nothing to wait for.
        began = time.monotonic()
        assert 0 == recorder.stop()
        assert time.monotonic() - began < 30


# Faults


@pytest.fixture(scope="module")
def faulty(tmp_path_factory: pytest.TempPathFactory, certs: Path) -> Iterator[RecorderProcess]:
    faults = ("cut:after=3,id=0", "stall:after=2,for=300ms,id=1", "status:429,retry-after=1,id=2", "reset,id=3")
    options = [word for fault in faults for word in ("--fault", fault)]
    with launching(tmp_path_factory.mktemp("faulty"), certs) as launcher:
        names = ("cut", "stall", "status", "reset")
        write(launcher.cassettes, *map(exchange, names))
        yield launcher("--mode", "replay", "--reuse", "last", *options)


@through_each_way
def test_a_cut_stream_has_its_first_events_and_no_end(faulty: RecorderProcess, way: Way) -> None:
    with way(faulty) as client:
        answer = ask(client, "cut")
    assert (200, b"".join(FRAMES[:3]), False) == (answer.status, answer.body, answer.whole)


@through_each_way
def test_a_stalled_stream_goes_on_after_its_time(faulty: RecorderProcess, way: Way) -> None:
    with way(faulty) as client:
        answer = ask(client, "stall")
    assert (STREAM, True) == (answer.body, answer.whole)
    head = sum(map(len, FRAMES[:2]))
    assert answer.when(head + 1) - answer.when(head) > 200 * MILLISECOND


def test_a_client_that_tries_again_gets_its_answer(faulty: RecorderProcess) -> None:
    for text in ("status", "reset"):
        with openai.OpenAI(api_key="none", base_url=faulty.base_url, max_retries=1) as client:
            raw = client.post("/chat/completions", cast_to=httpx.Response, body=json.loads(said(text)))
        assert STREAM == raw.content
    assert "(status)" in faulty.stdout
    assert "(reset)" in faulty.stdout


# The receipt and the exit status


@pytest.mark.parametrize(
    ("options", "script", "status"),
    [
        ((), "pass", 0),
        (("--strict",), "pass", 1),
        ((), "raise SystemExit(7)", 7),
        (("--strict",), "raise SystemExit(7)", 7),
        ((), "ask('known')", 0),
        (("--strict",), "ask('known')", 0),
        ((), "ask('known'); ask('unknown')", 1),
    ],
)
def test_run_ends_with_the_commands_status_or_with_1(
    tmp_path: Path, certs: Path, options: tuple[str, ...], script: str, status: int
) -> None:
    program = tmp_path / "program.py"
    program.write_text(
        "import json, os, httpx\n"
        "def ask(text):\n"
        f"    body = {{'model': {MODEL!r}, 'messages': [{{'role': 'user', 'content': text}}]}}\n"
        "    print(httpx.post(os.environ['OPENROUTER_BASE_URL'] + '/chat/completions', json=body).status_code)\n"
        f"{script}\n"
    )
    with launching(tmp_path, certs) as launcher:
        write(launcher.cassettes, exchange("known"))
        ended = launcher.command(
            *("run", "-s", "session", "--mode", "replay", "--base-url", *launcher.options, *options),
            *("--", sys.executable, str(program)),
        )
    assert status == ended.returncode, ended.stderr
    assert "upstream connections" in ended.stderr


def test_replay_in_the_background_is_stopped_by_its_name(tmp_path: Path, certs: Path) -> None:
    with launching(tmp_path, certs) as launcher:
        write(launcher.cassettes, exchange("known"), name="weather")
        started = launcher.command("replay", "weather", "--detach", "--receipt", "receipt.json", *launcher.options)
        assert 0 == started.returncode, started.stderr
        assert "Replaying" in started.stdout
        stopped = launcher.command("stop", "weather")
        assert 0 == stopped.returncode, stopped.stderr
        assert "0 served, 0 missed, 1 never played, 0 upstream connections" in stopped.stdout
        assert [0] == [left["id"] for left in receipt(launcher)["never_played"]]
        assert receipt(launcher)["digest"].startswith("sha256:")
