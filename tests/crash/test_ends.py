"""Where an exchange ends: after its terminal frame whole, before it incomplete, and why."""

from __future__ import annotations

import asyncio
import re
import socket
import time
from collections.abc import Callable
from contextlib import closing

import openai
import pytest
from openai.types.chat import ChatCompletionChunk

from recorder import cassette
from recorder.model import Interaction
from tests.crash.load import (
    DOORS,
    KEY,
    MODEL,
    Ask,
    Noted,
    ask_all,
    clients,
    load,
    missing_or_different,
    number_of,
    stream_request,
)
from tests.crash.nursery import ForkingLauncher
from tests.e2e.processes import RecorderProcess, wait_for


def client(recorder: RecorderProcess, sim: str) -> openai.OpenAI:
    headers = {"X-Sim": sim}
    return openai.OpenAI(api_key=KEY, base_url=recorder.base_url, default_headers=headers, max_retries=0, timeout=20)


def content(interaction: Interaction) -> bytes:
    return interaction.response.body


def stream_from(api: openai.OpenAI) -> openai.Stream[ChatCompletionChunk]:
    return api.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": "Hi"}], stream=True)


def to_the_end(api: openai.OpenAI) -> None:
    for _ in stream_from(api):
        pass


def as_a_context(api: openai.OpenAI) -> None:
    with stream_from(api) as stream:
        for _ in stream:
            pass


def broken_off_after_the_last(api: openai.OpenAI) -> None:
    """The last chunk is the one with the usage; `[DONE]` comes right behind it."""
    with stream_from(api) as stream:
        for chunk in stream:
            if chunk.usage is not None:
                return


@pytest.mark.parametrize("encoding", ["identity", "gzip"])
@pytest.mark.parametrize("way", [to_the_end, as_a_context, broken_off_after_the_last])
def test_a_stream_that_an_sdk_has_read_is_complete(
    fork_recorder: ForkingLauncher, way: Callable[[openai.OpenAI], None], encoding: str
) -> None:
    recorder = fork_recorder()
    with client(recorder, f"chunks=5, encoding={encoding}") as api:
        for _ in range(10):
            way(api)
    assert 0 == recorder.stop()
    assert 10 == len(load(recorder.cassette))
    assert all(content(each).endswith(b"data: [DONE]\n\n") for each in load(recorder.cassette))
    assert not recorder.incomplete.exists()


def test_a_stream_that_stays_open_after_its_terminal_frame_is_complete(fork_recorder: ForkingLauncher) -> None:
    """The client leaves at `[DONE]`, the upstream would keep the connection for ever."""
    recorder = fork_recorder()
    with client(recorder, "chunks=3, comments=0, stall-events=9") as api:
        to_the_end(api)
    assert 0 == recorder.stop()
    (kept,) = load(recorder.cassette)
    assert content(kept).endswith(b"data: [DONE]\n\n")
    assert not recorder.incomplete.exists()


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize(
    "sent",
    ["write-bytes=0", "write-bytes=1", "write-bytes=7", "encoding=gzip", "encoding=br", "encoding=zstd, write-bytes=7"],
)
def test_an_sdk_that_has_seen_the_terminal_frame_can_rely_on_its_being_on_disk(
    fork_recorder: ForkingLauncher, door: str, sent: str
) -> None:
    """It returns at `[DONE]`, before the end of the message: the recorder may be killed in that very moment."""
    recorder = fork_recorder()
    ends: list[list[int]] = []

    async def ask_and_look() -> None:
        async with clients(recorder) as using:
            for number in range(5):
                await using.ask(Ask(number=number, door=door, kind="sdk", sim=f"chunks=4, {sent}"), Noted())
                ends.append([number_of(each) for each in load(recorder.cassette)])

    asyncio.run(ask_and_look())
    assert [list(range(count)) for count in range(1, 6)] == ends


@pytest.mark.parametrize("door", DOORS)
def test_a_terminal_frame_is_not_held_for_long_where_the_upstream_does_not_end(
    fork_recorder: ForkingLauncher, door: str
) -> None:
    recorder = fork_recorder()
    noted = Noted()
    began = time.monotonic()
    ask_all(recorder, [Ask(number=1, door=door, kind="sdk", sim="chunks=3, comments=0, stall-events=9")], noted)
    assert [1] == list(noted.ends)
    assert time.monotonic() - began < 5
    assert 0 == recorder.stop()
    assert [] == missing_or_different(noted.ends.values(), load(recorder.cassette))


@pytest.mark.parametrize("cut", ["close", "reset", "stream"])
@pytest.mark.parametrize("door", DOORS)
def test_a_terminal_frame_reaches_the_client_where_the_upstream_breaks_off_behind_it(
    fork_recorder: ForkingLauncher, door: str, cut: str
) -> None:
    recorder = fork_recorder()
    noted = Noted()
    sim = f"chunks=3, comments=0, cut-events=9, cut={cut}"
    ask_all(recorder, [Ask(number=1, door=door, kind="sdk", sim=sim)], noted)
    assert [1] == list(noted.ends)
    assert 0 == recorder.stop()
    assert [] == missing_or_different(noted.ends.values(), load(recorder.cassette))
    assert not recorder.incomplete.exists()


def test_a_stream_broken_off_in_the_middle_is_incomplete(fork_recorder: ForkingLauncher) -> None:
    recorder = fork_recorder()
    with client(recorder, "chunks=50, pace-ms=10") as api, stream_from(api) as stream:
        for number, _ in enumerate(stream):
            if number == 5:
                break
    assert_incomplete(recorder)


def leave(recorder: RecorderProcess, *, reset: bool) -> None:
    with closing(socket.create_connection(("127.0.0.1", recorder.base_url_port))) as connection:
        connection.sendall(stream_request(recorder, "chunks=500, pace-ms=10"))
        connection.recv(65536)
        if reset:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")


@pytest.mark.parametrize("reset", [False, True], ids=["close", "reset"])
def test_a_client_that_leaves_in_the_middle_leaves_an_incomplete_interaction(
    fork_recorder: ForkingLauncher, reset: bool
) -> None:
    recorder = fork_recorder()
    leave(recorder, reset=reset)
    assert_incomplete(recorder)


@pytest.mark.parametrize("door", ["base URL", "proxy", "proxy, HTTP/2"])
@pytest.mark.parametrize(
    "sim",
    [
        "chunks=9, cut-events=4",
        "chunks=9, cut-events=4, cut=reset",
        "chunks=9, cut-events=4, cut=stream",
        "body-bytes=100000, cut-bytes=70000",
        "body-bytes=100000, cut-bytes=70000, framing=chunked, cut=reset",
    ],
)
def test_an_upstream_that_breaks_off_leaves_an_incomplete_interaction(
    fork_recorder: ForkingLauncher, sim: str, door: str
) -> None:
    recorder = fork_recorder()
    noted = Noted()
    kind = "bytes" if "body" in sim else "stream"
    ask_all(recorder, [Ask(number=0, door=door, kind=kind, sim=sim)], noted)
    assert {} == noted.ends
    assert [0] == list(noted.broken)
    assert_incomplete(recorder)


@pytest.mark.parametrize("cut", ["close", "reset"])
@pytest.mark.parametrize("door", ["base URL", "proxy"])
def test_a_stream_that_ends_with_its_connection_is_incomplete_without_a_terminal_frame(
    fork_recorder: ForkingLauncher, door: str, cut: str
) -> None:
    """To everybody on the way it looks like a whole one; only its content tells."""
    recorder = fork_recorder()
    sim = f"framing=close, chunks=9, cut-events=4, cut={cut}"
    ask_all(recorder, [Ask(number=0, door=door, kind="stream", sim=sim)], Noted())
    assert_incomplete(recorder)


def test_a_stream_whose_terminal_frame_came_before_the_break_is_complete(fork_recorder: ForkingLauncher) -> None:
    recorder = fork_recorder()
    with closing(socket.create_connection(("127.0.0.1", recorder.base_url_port))) as connection:
        connection.sendall(stream_request(recorder, "chunks=3, comments=0, stall-events=9"))
        seen = b""
        while b"[DONE]" not in seen:
            seen += connection.recv(65536)
    assert 0 == recorder.stop()
    assert 1 == len(load(recorder.cassette))
    assert not recorder.incomplete.exists()


def test_a_request_without_an_answer_is_incomplete(fork_recorder: ForkingLauncher) -> None:
    recorder = fork_recorder()
    with closing(socket.create_connection(("127.0.0.1", recorder.base_url_port))) as connection:
        connection.sendall(stream_request(recorder, "delay-ms=20000"))
        wait_for("the request upstream", lambda: asked_of(fork_recorder) > 0)
    assert_incomplete(recorder, code=0)


def asked_of(launcher: ForkingLauncher) -> int:
    assert launcher.upstream
    log = launcher.upstream.log()
    return sum(not request.outcome for request in log.requests)


def assert_incomplete(recorder: RecorderProcess, *, code: int = 200) -> None:
    """One interaction, as far as it came, with a comment that says why and when; nothing in the cassette."""
    wait_for("the incomplete interaction", recorder.incomplete.exists)
    assert 0 == recorder.stop()
    assert not recorder.cassette.exists()
    text = recorder.incomplete.read_bytes()
    (kept,) = cassette.loads(text).interactions
    assert code == kept.response.code
    assert not content(kept).endswith(b"data: [DONE]\n\n")
    (comment,) = re.findall(rb"^ *# incomplete: (.+), (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ)$", text, re.MULTILINE)
    assert len(comment[0]) > 5
    assert "0 interactions, 1 incomplete" in recorder.stdout.splitlines()[-1]
    assert [] == [line for line in recorder.stderr.splitlines() if line.startswith("recorder:")]
