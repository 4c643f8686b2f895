"""`show`: a conversation as a person reads it, and the bytes behind it."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from recorder.cassette import GO_VCR, Cassette, dumps, loads
from recorder.replay import timing
from recorder.replay.timing import Timing
from recorder.wire import event_stream
from tests.cli.conftest import Call
from tests.conftest import ROOT
from tests.llm.conversation.making import STREAM, events, interaction

ASKED = {"model": "m", "messages": [{"role": "user", "content": "Hello\x1b[2J"}]}
STREAMED = b": ping\n\n" + events(
    {"choices": [{"index": 0, "delta": {"content": "Hi \x1b]0;x\x07"}}]},
    {"choices": [{"index": 0, "delta": {"content": "you"}, "finish_reason": "stop"}]},
)


@pytest.fixture
def chat(place: Path) -> Path:
    """A session of two interactions: one streamed, one refused."""
    interactions = (
        interaction("/api/v1/chat/completions", ASKED, STREAMED, content_type=STREAM),
        interaction(
            "/api/v1/chat/completions", ASKED, {"error": {"message": "No"}}, code=400, status="400 Bad Request"
        ),
    )
    path = place / "cassettes" / "TestAgent" / "chat.yaml"
    path.parent.mkdir(parents=True)
    path.write_bytes(dumps(Cassette(interactions=interactions, layout=GO_VCR)))
    return path


def shown(call: Call, *arguments: str) -> str:
    outcome = call("show", *arguments)
    assert (0, "") == (outcome.status, outcome.stderr)
    return outcome.stdout


def test_a_session_and_its_file_are_the_same(call: Call, chat: Path) -> None:
    by_name = shown(call, "TestAgent/chat")
    assert by_name == shown(call, str(chat)) == shown(call, "cassettes/TestAgent/chat.yaml")
    assert "  assistant\n    Hi \\x1b]0;x\\x07you\n" in by_name
    assert "  error: No\n" in by_name


@pytest.mark.usefixtures("chat")
def test_one_interaction_is_chosen_by_its_id(call: Call) -> None:
    assert "interaction 0" not in shown(call, "TestAgent/chat", "1")
    outcome = call("show", "TestAgent/chat", "2")
    assert (1, "") == (outcome.status, outcome.stdout)
    assert (
        "recorder: expected an interaction 2 in cassettes/TestAgent/chat.yaml, found 2, counted from 0\n"
        == outcome.stderr
    )


@pytest.mark.usefixtures("chat")
def test_the_request_and_the_response_are_shown_with_their_headers(call: Call) -> None:
    request = shown(call, "TestAgent/chat", "0", "--request").splitlines()
    assert "POST https://api.example.com/api/v1/chat/completions  HTTP/1.1" == request[0]
    assert '  "model": "m",' in request
    response = shown(call, "TestAgent/chat", "0", "--response").splitlines()
    assert ["200 OK  HTTP/1.1, headers after 1 ms", "Content-Type: text/event-stream", "", ": ping"] == response[:4]


@pytest.mark.usefixtures("chat")
def test_the_events_are_shown_one_by_one(call: Call) -> None:
    rows = shown(call, "TestAgent/chat", "0", "--sse").splitlines()[-3:]
    assert ["0", ":", "ping"] == rows[0].split()
    assert rows[2].endswith('{"choices": [{"index": 0, "delta": {"content": "you"}, "finish_reason": "stop"}]}')
    assert "no event stream: application/json" in shown(call, "TestAgent/chat", "1", "--sse")


def test_events_and_stats_have_times_where_those_of_the_chunks_were_kept(call: Call, chat: Path) -> None:
    streamed = loads(chat.read_bytes()).interactions[0]
    ends = [event.end for event in event_stream.events(STREAMED)]
    sizes = [ends[0] + 5, ends[1] - ends[0] - 5, len(STREAMED) - ends[1]]  # the second event comes in two pieces
    chunks = tuple(zip((20_000_000, 30_000_000, 50_000_000), sizes, strict=True))
    kept = timing.dumps(streamed, Timing(headers=20_000_000, chunks=chunks))
    chat.with_suffix(timing.SUFFIX).write_bytes(kept)
    rows = shown(call, "TestAgent/chat", "0", "--sse").splitlines()[-len(ends) :]
    assert ["20 ms", "30 ms", "50 ms"] == [" ".join(row.split()[1:3]) for row in rows[:3]]
    told = json.loads(call("stats", "TestAgent/chat", "--json").stdout)
    assert 30_000_000 == told[0]["first_token"]["median"]


@pytest.mark.usefixtures("chat")
def test_raw_is_the_body_to_the_byte(call: Call) -> None:
    assert STREAMED.decode() == shown(call, "TestAgent/chat", "0", "--raw")
    assert shown(call, "TestAgent/chat", "0", "--raw") == shown(call, "TestAgent/chat", "0", "--raw", "--response")
    assert json.dumps(ASKED) == shown(call, "TestAgent/chat", "0", "--raw", "--request")


@pytest.mark.usefixtures("chat")
def test_json_has_the_librarys_names(call: Call) -> None:
    turns = json.loads(shown(call, "TestAgent/chat", "--json"))
    assert [0, 1] == [turn["id"] for turn in turns]
    assert turns[0] == json.loads(shown(call, "TestAgent/chat", "0", "--json"))
    assert "Hi \x1b]0;x\x07you" == turns[0]["answers"][0]["parts"][0]["text"]
    assert (None, "No", 400) == (turns[1]["usage"]["cost"], turns[1]["error"], turns[1]["status"])
    assert "\x1b" not in shown(call, "TestAgent/chat", "--json")


def test_what_broke_off_is_shown_by_its_own_name_and_found_by_the_sessions(call: Call, chat: Path) -> None:
    told = shown(call, "TestAgent/chat")
    incomplete = chat.with_suffix(".incomplete.yaml")
    chat.rename(incomplete)
    assert told == shown(call, "TestAgent/chat.incomplete")
    assert f"what broke off is in {incomplete.relative_to(Path.cwd())}\n" in call("show", "TestAgent/chat").stderr


def test_without_interactions_it_says_so(call: Call, chat: Path) -> None:
    chat.write_bytes(dumps(Cassette(interactions=(), layout=GO_VCR)))
    assert "no interactions\n" == shown(call, "TestAgent/chat")


def test_a_damaged_cassette_is_shown_as_far_as_it_is_whole(call: Call, chat: Path) -> None:
    chat.write_bytes(chat.read_bytes()[:-20])
    outcome = call("show", "TestAgent/chat")
    assert 1 == outcome.status
    assert "interaction 0" in outcome.stdout
    assert "interaction 1" not in outcome.stdout
    assert outcome.stderr.startswith("recorder: cassettes/TestAgent/chat.yaml:")
    assert 1 == len(outcome.stderr.splitlines())


@pytest.mark.usefixtures("chat")
@pytest.mark.parametrize(
    ("status", "arguments"),
    [
        (1, ["nobody"]),
        (1, ["nobody.yaml"]),
        (2, []),
        (2, ["TestAgent/chat", "-1"]),
        (2, ["TestAgent/chat", "one"]),
        (2, ["TestAgent/chat", "--raw", "--sse"]),
        (2, ["TestAgent/chat", "--request", "--response"]),
        (2, ["TestAgent/chat", "--raw", "--request", "--response"]),
        (2, ["TestAgent/chat", "--request", "--sse"]),
        (2, ["TestAgent/chat", "--json", "--reasoning"]),
        (2, ["TestAgent/chat", "--color", "blue"]),
    ],
)
def test_a_wrong_call_is_one_line(call: Call, status: int, arguments: list[str]) -> None:
    outcome = call("show", *arguments)
    assert (status, "") == (outcome.status, outcome.stdout)
    assert 1 == len(outcome.stderr.splitlines())


# --- on a terminal


def on_a_terminal(place: Path, *arguments: str, **environment: str) -> bytes:
    """What a terminal gets; the line ends that it adds are taken back."""
    ours, theirs = pty.openpty()
    kept = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "PAGER", "LESS")}
    process = subprocess.Popen(
        [sys.executable, "-m", "recorder", "show", *arguments],
        cwd=place,
        env={**kept, "PYTHONPATH": str(ROOT), "TERM": "xterm", **environment},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    told = b""
    try:
        while piece := os.read(ours, 65536):
            told += piece
    except OSError:  # Linux's way to say that the other side is closed
        pass
    os.close(ours)
    assert 0 == process.wait(timeout=30)
    return told.replace(b"\r\n", b"\n")


@pytest.mark.usefixtures("chat")
def test_a_terminal_gets_colour_through_the_pager_and_no_one_elses_escapes(place: Path) -> None:
    pager = "sed s/^/P/; printf $LESS"
    told = on_a_terminal(place, "TestAgent/chat", RECORDER_PAGER=pager, PAGER="false")
    assert told.startswith(b"P\x1b[1;33minteraction 0\x1b[m")
    assert told.endswith(b"FRX")
    assert b"\x1b[2J" not in told
    assert b"\x07" not in told


@pytest.mark.usefixtures("chat")
@pytest.mark.parametrize("environment", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_a_terminal_can_do_without_colour(place: Path, environment: dict[str, str]) -> None:
    assert b"\x1b" not in on_a_terminal(place, "TestAgent/chat", PAGER="cat", **environment)


@pytest.mark.usefixtures("chat")
@pytest.mark.parametrize("pager", ["", "cat", "no-such-pager-here 2>/dev/null"])
def test_without_a_pager_it_is_just_printed(place: Path, pager: str) -> None:
    assert b"interaction 1" in on_a_terminal(place, "TestAgent/chat", PAGER=pager)


@pytest.mark.usefixtures("chat")
def test_raw_bytes_do_not_reach_a_terminal(place: Path) -> None:
    told = on_a_terminal(place, "TestAgent/chat", "0", "--raw", PAGER="cat", NO_COLOR="1")
    assert b"data: " in told
    assert b"\x1b" not in on_a_terminal(place, "TestAgent/chat", "0", "--raw", "--request", PAGER="cat", NO_COLOR="1")


@pytest.mark.usefixtures("chat")
def test_a_reader_that_stops_reading_is_no_failure(place: Path) -> None:
    command = f"{sys.executable} -m recorder show TestAgent/chat --raw 2>&1 >/dev/full; true"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    full = subprocess.run(["sh", "-c", command], cwd=place, env=environment, capture_output=True, text=True, check=True)
    assert full.stdout.startswith("recorder: ")  # a full disk is a failure, in one line
    assert 1 == len(full.stdout.splitlines())
    command = f"{sys.executable} -m recorder show TestAgent/chat | true"
    closed = subprocess.run(
        ["sh", "-c", command], cwd=place, env=environment, capture_output=True, text=True, check=True
    )
    assert "" == closed.stderr
