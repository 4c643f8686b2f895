from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from recorder.simulator.script import Answer
from recorder.wire.event_stream import events

Post = Callable[..., Answer]
Bodies = Callable[[str], list[str]]

QUESTION = {"role": "user", "content": [{"type": "text", "text": "What's the weather in Florence, Italy?"}]}
WEATHER = {"name": "weather", "input_schema": {"properties": {"location": {"type": "string"}}}}
ASKED = {
    "model": "claude-sonnet-4-20250514",
    "max_tokens": 100,
    "messages": [QUESTION],
    "tools": [WEATHER],
    "thinking": {"type": "enabled", "budget_tokens": 50},
}
RESULT = [
    QUESTION,
    {
        "role": "assistant",
        "content": [{"type": "tool_use", "id": "t1", "name": "weather", "input": {"location": "Rome"}}],
    },
    {
        "role": "user",
        "content": [{"type": "tool_result", "tool_use_id": "t1", "content": [{"type": "text", "text": "31 C"}]}],
    },
]


def kinds(body: bytes) -> list[str]:
    """What happens in a stream, runs of one kind taken together; pings may come anywhere."""
    found: list[str] = []
    for event in events(body):
        value = json.loads(event.data)
        assert event.kind == value["type"]
        kind = "/".join([value["type"], value.get("content_block", value.get("delta", {})).get("type", "")])
        if kind != "ping/" and kind not in found[-1:]:
            found.append(kind)
    return found


@pytest.mark.parametrize("turn", [0, 1], ids=["call", "result"])
def test_a_stream_takes_the_course_of_recorded_traffic(post: Post, bodies: Bodies, turn: int) -> None:
    recorded = bodies("TestAnthropicThinking/claude-sonnet-4/thinking-streaming.yaml")[turn].encode()
    # In the recorded second turn the model did not think.
    more: dict[str, Any] = {"messages": RESULT, "thinking": {"type": "disabled"}} if turn else {}
    made = b"".join(post("/v1/messages", {**ASKED, **more, "stream": True}).events)
    assert kinds(recorded) == kinds(made)


def test_the_deltas_of_a_stream_are_the_whole_answer(post: Post) -> None:
    whole = json.loads(b"".join(post("/v1/messages", ASKED).events))
    body = b"".join(post("/v1/messages", {**ASKED, "stream": True}).events)
    deltas = [
        value["delta"] for event in events(body) if "index" in (value := json.loads(event.data)) and "delta" in value
    ]
    thinking, call = whole["content"]
    assert thinking["thinking"] == "".join(delta.get("thinking", "") for delta in deltas)
    assert call["input"] == json.loads("".join(delta.get("partial_json", "") for delta in deltas))
    assert "tool_use" == whole["stop_reason"]


def test_a_tool_s_result_is_in_the_answer(post: Post) -> None:
    whole = json.loads(b"".join(post("/v1/messages", {**ASKED, "messages": RESULT}).events))
    assert {"type": "text", "text": "The weather in Rome is 31 C."} == whole["content"][-1]


def test_a_failure_ends_the_stream(post: Post) -> None:
    body = b"".join(post("/v1/messages", {**ASKED, "stream": True}, "chunks=5, error-at=2").events)
    assert ["content_block_delta", "content_block_delta", "error"] == [event.kind for event in events(body)][-3:]
