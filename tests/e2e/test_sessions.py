"""Many sessions in one recorder: each request says which one it is for, and each has its own cassette."""

from __future__ import annotations

import json
import resource
import signal
import ssl
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from recorder.cassette import loads
from recorder.simulator import Upstream, start
from recorder.storage.store import Store
from tests.e2e.cassettes import interactions
from tests.e2e.processes import Launcher, RecorderProcess, launching, wait_for
from tests.e2e.sockets import KEY

HEADERS = {"Authorization": f"Bearer {KEY}", "X-Sim": "body-bytes=100"}
WAYS = ("proxy user", "path", "header")


@contextmanager
def client(recorder: RecorderProcess, name: str, way: str) -> Iterator[httpx.Client]:
    """A client of session `name`, whose requests are relative to the upstream's root."""
    named = quote(name, safe="")
    direct = f"http://127.0.0.1:{recorder.base_url_port}"
    if way == "proxy user":
        proxy = f"http://{named}@127.0.0.1:{recorder.port}"
        made = httpx.Client(
            base_url="https://openrouter.ai", proxy=proxy, verify=ssl.create_default_context(cafile=recorder.bundle)
        )
    elif way == "path":
        made = httpx.Client(base_url=f"{direct}/~{named}", trust_env=False)
    else:
        made = httpx.Client(base_url=direct, headers={"X-Recorder-Session": name}, trust_env=False)
    with made:
        made.headers.update(HEADERS)
        yield made


def bodies(path: Path) -> list[str]:
    return [one.request.body.decode() for one in loads(path.read_bytes(), str(path)).interactions]


def test_50_sessions_at_once_do_not_disturb_each_other(start_recorder: Launcher) -> None:
    recorder = start_recorder(session=None)
    names = [f"Test{number}/weather" for number in range(50)]

    def ten(number: int) -> list[int]:
        with client(recorder, names[number], WAYS[number % 3]) as ours:
            return [
                ours.post("/api/v1/chat/completions", json=_question(f"{names[number]} {turn}")).status_code
                for turn in range(10)
            ]

    with ThreadPoolExecutor(10) as threads:
        assert [[200] * 10] * 50 == list(threads.map(ten, range(50)))
    assert 0 == recorder.stop()
    for name in names:
        expected = [json.dumps(_question(f"{name} {turn}"), separators=(",", ":")) for turn in range(10)]
        assert expected == [
            json.dumps(json.loads(one), separators=(",", ":")) for one in bodies(_cassette(recorder, name))
        ]
    assert sorted(names) == sorted(
        path.relative_to(start_recorder.cassettes).as_posix().removesuffix(".yaml")
        for path in start_recorder.cassettes.rglob("*.yaml")
    )


def _question(text: str) -> dict[str, object]:
    return {"model": "x-ai/grok-code-fast-1", "messages": [{"role": "user", "content": text}]}


def _cassette(recorder: RecorderProcess, name: str) -> Path:
    return recorder.cassette / f"{name}.yaml"


@pytest.mark.parametrize("way", WAYS)
def test_what_names_the_session_reaches_neither_upstream_nor_cassette(
    start_recorder: Launcher, upstream: Upstream, way: str
) -> None:
    recorder = start_recorder("--keep-header", "X-Recorder-Session", session="own")
    seen = upstream.log().requested
    with client(recorder, "other", way) as ours:
        assert 200 == ours.get("/sim/bytes").status_code
    assert 0 == recorder.stop()
    [request] = upstream.log(after=seen).requests
    assert "/sim/bytes" == request.path
    assert {"x-recorder-session", "proxy-authorization"}.isdisjoint(name.lower() for name, _ in request.headers)
    [one] = interactions(recorder.cassette.with_name("other.yaml"))
    assert "https://openrouter.ai/sim/bytes" == one["request"]["url"]
    assert "X-Recorder-Session" not in one["request"]["headers"]
    assert not recorder.cassette.exists()


def test_a_request_that_names_no_session_goes_to_the_recorders_own(start_recorder: Launcher) -> None:
    recorder = start_recorder(session="own")
    with client(recorder, "other", "header") as ours:
        del ours.headers["X-Recorder-Session"]
        assert 200 == ours.get("/sim/bytes").status_code
    assert 0 == recorder.stop()
    assert 1 == len(interactions(recorder.cassette))


def test_without_one_of_its_own_it_is_refused_with_what_to_do(start_recorder: Launcher, upstream: Upstream) -> None:
    recorder = start_recorder(session=None)
    seen = upstream.log().requested
    with client(recorder, "", "header") as ours:
        del ours.headers["X-Recorder-Session"]
        refused = ours.get("/sim/bytes")
    assert 400 == refused.status_code
    message = refused.json()["error"]["message"]
    assert message.startswith("recorder: expected a request that names its session, found none")
    assert 0 == recorder.stop()
    assert () == tuple(upstream.log(after=seen).requests)
    assert not start_recorder.cassettes.exists()


def test_a_session_that_cannot_start_fails_alone(start_recorder: Launcher) -> None:
    """Its requests get the reason; the others' are recorded; the exit status tells of it."""
    start_recorder.cassettes.mkdir()
    (start_recorder.cassettes / "damaged.yaml").write_text("no cassette\n")
    recorder = start_recorder(session="own")
    with client(recorder, "damaged", "header") as damaged, client(recorder, "own", "header") as own:
        refused = damaged.get("/sim/bytes")
        assert 200 == own.get("/sim/bytes").status_code
    assert 502 == refused.status_code
    assert "damaged.yaml" in refused.json()["error"]["message"]
    assert 1 == recorder.stop()
    assert 1 == recorder.stderr.count("session damaged failed")
    assert 1 == len(interactions(recorder.cassette))
    assert "no cassette\n" == (start_recorder.cassettes / "damaged.yaml").read_text()


def test_sessions_are_not_limited_by_the_open_files_that_a_shell_allows(start_recorder: Launcher) -> None:
    """macOS allows 256, which a hundred sessions would use up."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
    try:
        recorder = start_recorder(session=None)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    with client(recorder, "", "header") as ours:
        for number in range(150):
            assert 200 == ours.get("/sim/bytes", headers={"X-Recorder-Session": f"s{number}"}).status_code
    assert 0 == recorder.stop()
    assert 150 == len(list(recorder.cassette.glob("*.yaml")))


# What a client can ask of the recorder itself, at /~NAME


def test_a_session_is_started_asked_and_stopped_by_itself(start_recorder: Launcher) -> None:
    recorder = start_recorder(session=None)
    path = recorder.cassette / "chat.yaml"
    with client(recorder, "chat", "header") as ours:
        assert 404 == ours.get("/~chat").status_code
        assert 0 == ours.put("/~chat").json()["interactions"]
        ours.get("/sim/bytes")
        assert 1 == ours.get("/~chat").json()["interactions"]
        stopped = ours.delete("/~chat").json()
        assert {"session": "chat", "cassette": str(path), "interactions": 1} == {
            key: stopped[key] for key in ("session", "cassette", "interactions")
        }
        assert 404 == ours.get("/~chat").status_code
        assert 1 == len(interactions(path))
        Store.open(path, now=0).close()  # nobody holds it any more
        ours.get("/sim/bytes")  # a session that has been stopped may go on
    assert 0 == recorder.stop()
    assert 2 == len(interactions(path))


def _told(recorder: RecorderProcess, name: str, method: str) -> tuple[int, dict[str, Any]]:
    answer = httpx.request(method, f"http://127.0.0.1:{recorder.base_url_port}/~{name}", timeout=30, trust_env=False)
    return answer.status_code, answer.json()


def test_a_session_can_be_asked_while_it_starts(start_recorder: Launcher) -> None:
    recorder = start_recorder(session=None)
    with ThreadPoolExecutor(8) as threads:
        for name in map(str, range(10)):
            found = list(threads.map(lambda method, name=name: _told(recorder, name, method), ["PUT", "GET"] * 4))
            assert {200, 404} >= {status for status, _ in found}, found
    assert 0 == recorder.stop()


@contextmanager
def streaming(recorder: RecorderProcess, name: str) -> Iterator[httpx.Response]:
    """A stream of session `name` of about a second, of which the beginning has come."""
    with client(recorder, name, "path") as ours:
        question = {**_question("slowly"), "stream": True}
        headers = {"X-Sim": "chunks=10, pace-ms=100"}
        with ours.stream("POST", "/api/v1/chat/completions", json=question, headers=headers, timeout=30) as response:
            next(lines := response.iter_lines())
            yield response
            assert "data: [DONE]" in list(lines)


def test_who_stops_a_session_that_is_being_stopped_waits_for_the_same_end(start_recorder: Launcher) -> None:
    """The stream under way comes to its end; what comes meanwhile is told that the session, not the recorder, stops."""
    recorder = start_recorder(session=None)
    with ThreadPoolExecutor(2) as threads:
        with streaming(recorder, "chat"):
            stopping = [threads.submit(_told, recorder, "chat", "DELETE") for _ in range(2)]
            wait_for("the end to begin", lambda: _told(recorder, "chat", "GET")[0] == 502)
            assert "recorder: session chat is being stopped" == _told(recorder, "chat", "PUT")[1]["error"]["message"]
        assert [(200, 1)] * 2 == [(told.result()[0], told.result()[1]["interactions"]) for told in stopping]
    assert 200 == _told(recorder, "chat", "PUT")[0]
    assert 0 == recorder.stop()
    assert 1 == len(interactions(_cassette(recorder, "chat")))


def test_a_recorder_that_is_stopped_while_a_session_ends_ends_it_once(start_recorder: Launcher) -> None:
    recorder = start_recorder(session=None)
    with ThreadPoolExecutor(1) as threads:
        with streaming(recorder, "chat"):
            stopping = threads.submit(_told, recorder, "chat", "DELETE")
            wait_for("the end to begin", lambda: _told(recorder, "chat", "GET")[0] == 502)
            recorder.process.send_signal(signal.SIGTERM)
        assert (200, 1) == (stopping.result()[0], stopping.result()[1]["interactions"])
    assert (0, "") == (recorder.process.wait(30), recorder.stderr)
    assert 1 == recorder.stdout.count(": 1 interaction")


# Other hosts behind the base URL


def test_a_path_leads_to_another_recorded_host(tmp_path: Path, certs: Path) -> None:
    hosts = ("openrouter.ai", "api.openai.com", "*.example.com")
    with start(seed="7", names=("api.openai.com", "a.example.com")) as world, launching(tmp_path, certs) as launcher:
        options = [item for host in hosts for item in ("--host", host)]
        recorder = launcher(
            *options, "--connect-to", f"::{world.host}:{world.port}", "--upstream-ca", str(world.ca_file)
        )
        direct = f"http://127.0.0.1:{recorder.base_url_port}"
        with httpx.Client(base_url=direct, headers=HEADERS, trust_env=False) as ours:
            for path in ("/sim/bytes", "/@api.openai.com/sim/bytes", "/~b/@a.example.com/sim/bytes", "/sim/bytes?2"):
                assert 100 == len(ours.get(path).content)
            refused = ours.get("/@elsewhere.test/sim/bytes")
        assert 400 == refused.status_code
        assert "found 'elsewhere.test'; record it with --host" in refused.json()["error"]["message"]
        assert 0 == recorder.stop()
        assert ["openrouter.ai", "api.openai.com", "a.example.com", "openrouter.ai"] == [
            dict(request.headers).get("host", dict(request.headers).get(":authority"))
            for request in world.log().requests
        ]
    recorded = [one["request"]["url"] for one in interactions(recorder.cassette)]
    assert [
        "https://openrouter.ai/sim/bytes",
        "https://api.openai.com/sim/bytes",
        "https://openrouter.ai/sim/bytes?2",
    ] == recorded


def test_the_environment_of_another_session(start_recorder: Launcher) -> None:
    recorder = start_recorder(session=None)
    printed = start_recorder.command("env", "TestAgent/weather", "--base-url").stdout
    assert f"export HTTPS_PROXY=http://TestAgent%2Fweather:x@127.0.0.1:{recorder.port}\n" in printed
    assert (
        f"export OPENAI_BASE_URL='http://127.0.0.1:{recorder.base_url_port}/~TestAgent%2Fweather/api/v1'\n" in printed
    )
    refused = start_recorder.command("env", "../x")
    assert 2 == refused.returncode
    assert "(by request)" in start_recorder.command("status").stdout
    stopped = start_recorder.command("stop")
    assert f"stopped the recorder on port {recorder.port}: 0 sessions, 0 interactions\n" == stopped.stdout
