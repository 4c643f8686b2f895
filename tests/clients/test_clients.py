"""Real clients through each door, set up by nothing but `recorder env` and the code that README's table names.

Each asks four things: for a text and for a tool's call, whole and streamed. It gets the very answer of the upstream,
its streams come in pieces over time, and the cassette has what the upstream sent, byte for byte, and no key.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from recorder.simulator import Served, Upstream, start
from recorder.storage.session_paths import INCOMPLETE_SUFFIX, cassette_path
from tests.clients import table
from tests.clients.answers import Said
from tests.clients.clients import BASE_URL, CLIENTS, DOORS, PROXY, Client
from tests.e2e.cassettes import interactions
from tests.e2e.processes import PATIENCE, Launcher, RecorderProcess, clean_environment, launching, wait_for
from tests.e2e.sockets import KEY

PACE = 0.012  # seconds between the pieces that the upstream sends
TOOL = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "Get weather information for a location",
        "parameters": {"type": "object", "properties": {"location": {"type": "string"}}, "required": ["location"]},
    },
}
# What a client could find in a developer's environment and take for the recorder's.
TRUST = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS", "NODE_OPTIONS")


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """A recorder, and the upstream behind it. Over HTTP/1.1 each client has a session of its own, that it names."""

    http2: bool
    recorder: RecorderProcess
    launcher: Launcher
    upstream: Upstream


@pytest.fixture(scope="module", params=["HTTP/2", "HTTP/1.1"])
def way(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, certs: Path) -> Iterator[Way]:
    folder = tmp_path_factory.mktemp("clients")
    http2 = request.param == "HTTP/2"
    with (
        start(seed="7", http2=http2, sim=f"pace-ms={PACE * 1000}") as upstream,
        launching(folder, certs, upstream) as launcher,
    ):
        yield Way(
            http2=http2, recorder=launcher(session="clients" if http2 else None), launcher=launcher, upstream=upstream
        )


@pytest.fixture(scope="module")
def twin() -> Iterator[Upstream]:
    """The same server without TLS and without pace: what it answers is what the other one sends."""
    with start(seed="7", tls=False) as running:
        yield running


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """What a program printed of one answer, and when the first of it was there (CLOCK_MONOTONIC, nanoseconds)."""

    text: bytes
    began: int


def bodies(tag: str) -> Iterator[bytes]:
    """The four requests; the tag makes them this test's own."""
    for question, more in (
        (f"Say hi ({tag})", {}),
        (f"What's the weather in Florence, Italy? ({tag})", {"tools": [TOOL]}),
    ):
        for how in ({}, {"stream": True, "stream_options": {"include_usage": True}}):
            messages = [{"role": "user", "content": question}]
            yield json.dumps({"model": "x-ai/grok-code-fast-1", "messages": messages, **more, **how}).encode()


def written(sent: list[bytes], folder: Path) -> list[Path]:
    files = [folder / f"{number}.json" for number in range(len(sent))]
    for file, body in zip(files, sent, strict=True):
        file.write_bytes(body)
    return files


def shell(
    client: Client, way: Way, files: list[Path], *, set_up: str, key: str = KEY
) -> tuple[list[str], dict[str, str]]:
    """The client in a shell that has done `set_up`, as a command and its environment."""
    env = clean_environment(way.launcher.state, PYTHON=sys.executable, OPENROUTER_API_KEY=key, OPENAI_API_KEY=key)
    program = f'{set_up} && unset PYTHONPATH && exec "$@"'
    command = ["sh", "-c", program, "sh", *client.command(), *map(str, files)]
    return command, {name: env[name] for name in env if name not in TRUST}


def run(client: Client, door: str, way: Way, session: str, files: list[Path], *, key: str = KEY) -> list[Section]:
    """Run the client, set up by what `recorder env` prints, and read what it prints as it comes."""
    option = "--base-url" if door == BASE_URL else ""
    set_up = f'eval "$("$PYTHON" -m recorder env {session} {option})"'
    command, env = shell(client, way, files, set_up=set_up, key=key)
    with (way.launcher.folder / "client-errors").open("w+") as stderr:
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=stderr, env=env) as process:
            assert process.stdout is not None
            sections = list(_sections(process.stdout.fileno()))
        stderr.seek(0)
        assert 0 == process.returncode, stderr.read() + way.recorder.stderr
    return sections


def _sections(stdout: int) -> Iterator[Section]:
    """What stands before each NUL."""
    text, began = b"", 0
    while piece := os.read(stdout, 65536):
        now = time.monotonic_ns()
        while piece:
            began = began if text else now
            part, ended, piece = piece.partition(b"\0")
            text += part
            if ended:
                yield Section(text=text, began=began)
                text = b""
    assert b"" == text


def asked_directly(twin: Upstream, body: bytes) -> bytes:
    headers = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"}
    request = urllib.request.Request(f"{twin.base_url}/chat/completions", body, headers)
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=PATIENCE) as response:
        answer: bytes = response.read()
    return answer


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("client", CLIENTS[::-1], ids=lambda client: client.name.replace("`", ""))
def test_it_records(client: Client, door: str, way: Way, twin: Upstream, tmp_path: Path) -> None:
    """Go's come first, whose first build takes longest."""
    sent = list(bodies(f"{client.name}, {door}, {way.http2}"))
    session = "clients" if way.http2 else re.sub(r"\W+", "-", f"{client.name}{door}")
    cassette = cassette_path(way.launcher.cassettes, session)
    before, recorded = way.upstream.log().requested, len(interactions(cassette))

    version, *sections = run(client, door, way, session, written(sent, tmp_path))

    found = interactions(cassette)[recorded:]
    served = way.upstream.log(after=before).requests
    assert [len(sent)] * 3 == [len(sections), len(found), len(served)]
    expected = []
    for body, section, interaction, entry in zip(sent, sections, found, served, strict=True):
        expected.append(check_recorded(interaction, entry, twin))
        check_told(client, section, expected[-1])
        assert not json.loads(body).get("stream") or section.began < entry.left[-1][0]  # before the last piece left
    check_sense(list(map(Said.loads, expected)))
    check_nothing_else(way, cassette)
    tell(client, door, version.text.decode().strip(), found, way)


def check_recorded(interaction: dict[str, Any], entry: Served, twin: Upstream) -> bytes:
    """That the cassette has what the upstream sent, which is given back."""
    request, response = interaction["request"], interaction["response"]
    sent = asked_directly(twin, request["body"].encode())
    assert sent == response["body"].encode()
    assert ("POST", "https://openrouter.ai/api/v1/chat/completions") == (request["method"], request["url"])
    assert entry.http_version == response["proto"].removeprefix("HTTP/").removesuffix(".0")
    return sent


def check_told(client: Client, section: Section, sent: bytes) -> None:
    """That the client got the answer: the bytes, or what its SDK makes of them."""
    if client.raw:
        assert sent == section.text
    else:
        assert Said.loads(sent) == Said.printed(section.text)


def check_sense(said: list[Said]) -> None:
    """That what the upstream sent is an answer: otherwise all could agree on nothing."""
    text, streamed_text, *tools = said
    assert text.text == streamed_text.text
    assert text.text.startswith("Olá! You asked: “Say hi")
    called = [("weather", {"location": "Florence, Italy"})]
    assert [[], [], called, called] == [text.calls, streamed_text.calls, *(tool.calls for tool in tools)]
    assert all(answer.tokens > 0 for answer in said)


def check_nothing_else(way: Way, cassette: Path) -> None:
    held = cassette.read_bytes()
    assert KEY.encode() not in held
    assert b"Authorization" not in held
    assert [] == list(way.launcher.cassettes.glob(f"*{INCOMPLETE_SUFFIX}"))
    assert "" == way.recorder.stderr


# One of each way to look at a certificate: OpenSSL's, Python's, Node's and Go's.
WITHOUT_TRUST = [
    client for client in CLIENTS if client.name in {"curl", "Python `openai`", "Node 24 `fetch`", "Go `net/http`"}
]


@pytest.mark.parametrize("client", WITHOUT_TRUST, ids=lambda client: client.name.replace("`", ""))
def test_a_client_that_does_not_trust_the_ca_is_told_of_in_the_log(
    client: Client, start_recorder: Launcher, upstream: Upstream, tmp_path: Path
) -> None:
    way = Way(http2=True, recorder=start_recorder(), launcher=start_recorder, upstream=upstream)
    untrusting = f'eval "$("$PYTHON" -m recorder env)" && unset {" ".join(TRUST)}'
    command, env = shell(client, way, written([*bodies("untrusting")][:1], tmp_path), set_up=untrusting)
    done = subprocess.run(command, env=env, capture_output=True, check=False, timeout=2 * PATIENCE)
    assert 0 != done.returncode
    wait_for("the hint", lambda: way.recorder.stderr)
    (hint,) = way.recorder.stderr.splitlines()
    assert hint.startswith("recorder: a client (")
    assert "trust the recorder's CA" in hint
    assert hint.endswith("; see `recorder ca`")
    assert not way.recorder.cassette.exists()


def tell(client: Client, door: str, version: str, found: list[dict[str, Any]], way: Way) -> None:
    """Hold README's table against this run. The machine's own programs have the machine's own versions."""
    cells = {f"through the {door} it needs": client.need(door)}
    if client.pinned or table.is_being_written():
        cells["version"] = version
    if door == PROXY and way.http2:
        (cells["speaks"],) = {interaction["response"]["proto"].removesuffix(".0") for interaction in found}
    table.tell(client.name, cells, order=[known.name for known in CLIENTS])
