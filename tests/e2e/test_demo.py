"""`recorder demo`: what it leaves on disk, read by a reader that is not ours and held against the format."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.cassettes import interactions
from tests.e2e.processes import Launcher, launching

SESSIONS = ("demo/proxy", "demo/base-url")
KEY = "sk-or-v1-" + "0123456789abcdef" * 4  # what the demo's client sends

REQUEST = ["proto", "proto_major", "proto_minor", "content_length", "host", "body", "headers", "url", "method"]
RESPONSE = [
    *("proto", "proto_major", "proto_minor", "transfer_encoding", "content_length", "body", "headers"),
    *("status", "code", "duration"),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Demo:
    """`output`: what was printed, `folder`: where it ran."""

    status: int
    output: str
    complaints: str
    folder: Path


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory, certs: Path) -> Iterator[Demo]:
    with launching(tmp_path_factory.mktemp("demo"), certs) as launcher:
        ended = command(launcher, certs)
        yield Demo(status=ended.status, output=ended.output, complaints=ended.complaints, folder=launcher.folder)


def command(launcher: Launcher, certs: Path) -> Demo:
    ended = launcher.command("demo", env={"RECORDER_CERTS": str(certs)})
    return Demo(status=ended.returncode, output=ended.stdout, complaints=ended.stderr, folder=launcher.folder)


@pytest.fixture(params=SESSIONS)
def cassette(demo: Demo, request: pytest.FixtureRequest) -> Path:
    return demo.folder / "cassettes" / f"{request.param}.yaml"


def test_the_demo_holds_the_conversation_through_both_doors(demo: Demo) -> None:
    assert 0 == demo.status, demo.output + demo.complaints
    assert 2 == demo.output.count("What's the weather in Florence,Italy?\n")
    for session in SESSIONS:
        assert f"cassettes/{session}.yaml: 2 interactions" in demo.complaints
    assert "Traceback" not in demo.output + demo.complaints
    assert KEY not in demo.output + demo.complaints


def test_a_cassette_is_private_and_has_no_key_in_it(cassette: Path) -> None:
    text = cassette.read_bytes()
    assert 0o600 == cassette.stat().st_mode & 0o777
    assert KEY.encode() not in text
    assert b"authorization" not in text.lower()
    assert b"bearer" not in text.lower()


def test_a_cassette_has_the_fields_of_the_format_in_its_order(cassette: Path) -> None:
    assert cassette.read_text(encoding="utf-8").startswith(
        "---\nversion: 2\ninteractions:\n    - id: 0\n      request:\n"
    )
    found = interactions(cassette)
    assert [0, 1] == [interaction["id"] for interaction in found]
    for interaction in found:
        assert ["id", "request", "response"] == list(interaction)
        assert REQUEST == list(interaction["request"])
        assert RESPONSE == list(interaction["response"])


def test_the_requests_are_what_a_client_inside_the_program_would_have_recorded(cassette: Path) -> None:
    for interaction in interactions(cassette):
        request = interaction["request"]
        assert len(request["body"].encode()) == request["content_length"]
        expected = {
            "proto": "HTTP/1.1",
            "proto_major": 1,
            "proto_minor": 1,
            "host": "",
            "method": "POST",
            "url": "https://openrouter.ai/api/v1/chat/completions",  # through the base-URL port, too
        }
        assert expected == {name: request[name] for name in expected}
        assert ["Accept", "Content-Type", "User-Agent"] == list(request["headers"])
        assert [["application/json"], ["application/json"]] == [
            request["headers"][name] for name in ("Accept", "Content-Type")
        ]
        assert request["headers"]["User-Agent"][0].startswith("OpenAI/Python ")


def test_the_responses_are_the_streams_byte_for_byte_as_they_came(cassette: Path) -> None:
    for interaction in interactions(cassette):
        response = interaction["response"]
        expected: dict[str, Any] = {
            "proto": "HTTP/1.1",
            "proto_major": 1,
            "proto_minor": 1,
            "transfer_encoding": ["chunked"],
            "content_length": -1,
            "headers": {"Content-Type": ["text/event-stream"]},
            "status": "200 OK",
            "code": 200,
        }
        assert expected == {name: response[name] for name in expected}
        assert re.fullmatch(r"\d+(\.\d+)?(s|ms|µs)", response["duration"])
        assert response["body"].startswith(": OPENROUTER PROCESSING\n\n")
        assert response["body"].endswith("\n\ndata: [DONE]\n\n")


def test_the_second_turn_brings_the_result_of_the_call_that_the_first_one_asked_for(cassette: Path) -> None:
    first, second = interactions(cassette)
    asked, told = (json.loads(one["request"]["body"])["messages"] for one in (first, second))
    assert asked == told[: len(asked)]
    called, result = told[len(asked) :]
    assert ("tool", "40 C") == (result["role"], result["content"])
    [call] = called["tool_calls"]
    assert result["tool_call_id"] == call["id"]
    assert call["id"] in first["response"]["body"]


def test_both_doors_give_the_same_cassette(demo: Demo) -> None:
    """The measured times aside: the same bytes, though one request came in at a reverse proxy."""
    texts = [(demo.folder / "cassettes" / f"{session}.yaml").read_text(encoding="utf-8") for session in SESSIONS]
    requests = [[one["request"] for one in interactions(text.encode())] for text in texts]
    assert requests[0][0] == requests[1][0]
    assert [list(one) for one in requests[0]] == [list(one) for one in requests[1]]


def test_the_demo_again_shows_one_conversation_and_no_more(demo: Demo, certs: Path) -> None:
    with launching(demo.folder, certs) as launcher:
        assert 0 == command(launcher, certs).status
    assert 2 == len(interactions(demo.folder / "cassettes" / "demo" / "proxy.yaml"))
