"""Recorded from Python, replayed in Go by go-vcr alone: the same text, tool calls and usage.

The cassette is what our recorder made of Python's `openai` at the simulated OpenRouter; the Go program's tests are in
tests/interop/go/nethttp/replay.
"""

from __future__ import annotations

import json
import os
import re
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest

from tests.conftest import ROOT
from tests.e2e.processes import Launcher
from tests.e2e.sockets import KEY
from tests.interop.building import GO, GO_VCR, build

BASE_URL = "https://openrouter.ai/api/v1"
QUESTION = [
    {"role": "system", "content": "You are a helpful assistant"},
    {"role": "user", "content": "What's the weather in Florence, Italy?"},
]
RESULT = "40 °C & <sunny> 😀"
TOOL = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "Get weather information for a location",
        "parameters": {
            "type": "object",
            "properties": {"location": {"type": "string", "description": "the city"}},
            "required": ["location"],
        },
    },
}
KEPT = ("accept", "content-type", "user-agent")


def converse(client: openai.OpenAI, *, stream: bool) -> Iterator[dict[str, Any]]:
    """A question, the call of a tool, its result, the answer: each turn as the program got it."""
    messages: list[Any] = list(QUESTION)
    for _ in range(2):
        completion = ask(client, messages, stream=stream)
        choice, usage = completion.choices[0], completion.usage
        calls = [
            {"id": call.id, "name": call.function.name, "arguments": call.function.arguments}
            for call in choice.message.tool_calls or ()
        ]
        yield {
            "text": choice.message.content or "",
            "finish": choice.finish_reason,
            "calls": calls,
            "usage": [usage.prompt_tokens, usage.completion_tokens, usage.total_tokens],
        }
        called = [
            {"id": call["id"], "type": "function", "function": {"name": call["name"], "arguments": call["arguments"]}}
            for call in calls
        ]
        messages.append({"role": "assistant", "tool_calls": called})
        messages += [{"role": "tool", "tool_call_id": call["id"], "content": RESULT} for call in calls]


def ask(client: openai.OpenAI, messages: list[Any], *, stream: bool) -> Any:
    told: Any = {"model": "x-ai/grok-code-fast-1", "messages": messages, "tools": [TOOL]}
    if not stream:
        return client.chat.completions.create(**told)
    with client.chat.completions.stream(**told, stream_options={"include_usage": True}) as chunks:
        return chunks.get_final_completion()


@pytest.fixture(scope="module")
def recorded(shared_recorder: Launcher) -> Path:
    """What the Go program is told: the cassette, and what Python sent and got."""
    recorder = shared_recorder(session="from-python")
    sent: list[httpx.Request] = []
    trust = ssl.create_default_context(cafile=recorder.bundle)
    http = openai.DefaultHttpxClient(
        proxy=recorder.proxy_url, verify=trust, trust_env=False, event_hooks={"request": [sent.append]}
    )
    with openai.OpenAI(base_url=BASE_URL, api_key=KEY, http_client=http, max_retries=0) as client:
        turns = [turn for stream in (True, False) for turn in converse(client, stream=stream)]
    assert 0 == recorder.stop()
    assert [1, 0, 1, 0] == [len(turn["calls"]) for turn in turns]
    assert all(turn["usage"][2] for turn in turns)
    told = {
        "cassette": str(recorder.cassette.with_suffix("")),
        "base_url": BASE_URL,
        "sent": [request.content.decode() for request in sent],
        "headers": [{name: request.headers[name] for name in KEPT} for request in sent],
        "turns": turns,
    }
    path = shared_recorder.folder / "recorded.json"
    path.write_text(json.dumps(told), encoding="utf-8")
    return path


@pytest.mark.parametrize("version", sorted(GO_VCR))
def test_go_gets_from_the_cassette_what_python_got_from_the_server(
    recorded: Path, tmp_path: Path, version: str
) -> None:
    program = build(GO / "nethttp", tmp_path / "replay", GO_VCR[version], test="./replay")
    ran = subprocess.run(
        [program, "-test.v"],
        cwd=tmp_path,
        env={**os.environ, "RECORDED": str(recorded)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert 0 == ran.returncode, ran.stdout
    for name in ("TestJSONMatcher", "TestDefaultMatcher", "TestMiss"):
        assert f"--- PASS: {name} " in ran.stdout


def test_the_matcher_of_the_readme_is_the_one_that_ran() -> None:
    matcher = re.findall(
        r"^```go\n(// sameJSON.*?)^```", (ROOT / "README.md").read_text("utf-8"), re.MULTILINE | re.DOTALL
    )
    ran = (GO / "nethttp" / "replay" / "replay_test.go").read_text("utf-8")
    assert [True] == [each in ran for each in matcher]
