from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from recorder.simulator.script import Answer
from recorder.wire.event_stream import events

Post = Callable[..., Answer]

WEATHER = {"type": "function", "name": "weather", "parameters": {"properties": {"location": {"type": "string"}}}}
ASKED = {
    "model": "gpt-5-mini",
    "input": "weather in Florence, Italy",
    "tools": [WEATHER],
    "reasoning": {"effort": "low"},
}


def stream(post: Post, body: dict[str, Any], sim: str = "") -> list[Any]:
    made = b"".join(post("/v1/responses", {**body, "stream": True}, sim).events)
    found = [(event.kind, json.loads(event.data)) for event in events(made)]
    assert [kind for kind, _ in found] == [value["type"] for _, value in found]
    return [value for _, value in found]


@pytest.mark.parametrize("sim", ["", "chunks=7", "say=Hi there"])
def test_a_stream_is_numbered_from_created_to_completed(post: Post, sim: str) -> None:
    said = stream(post, ASKED, sim)
    assert list(range(len(said))) == [value["sequence_number"] for value in said]
    assert ("response.created", "response.completed") == (said[0]["type"], said[-1]["type"])


@pytest.mark.parametrize("sim", ["", "chunks=7"])
def test_the_deltas_of_a_stream_are_the_whole_answer(post: Post, sim: str) -> None:
    said = stream(post, ASKED, sim)
    response = said[-1]["response"]
    whole = json.loads(b"".join(post("/v1/responses", ASKED, sim).events))
    assert [item["type"] for item in whole["output"]] == [item["type"] for item in response["output"]]
    for kind in ("response.output_text", "response.function_call_arguments", "response.reasoning_summary_text"):
        pieces = "".join(value["delta"] for value in said if value["type"] == f"{kind}.delta")
        whole_text = "".join(
            value.get("text", value.get("arguments", "")) for value in said if value["type"] == f"{kind}.done"
        )
        assert pieces == whole_text
    done = [value["item"] for value in said if value["type"] == "response.output_item.done"]
    assert response["output"] == done


def test_a_tool_s_result_is_in_the_answer(post: Post) -> None:
    call = json.loads(b"".join(post("/v1/responses", ASKED).events))["output"][-1]
    output = {"type": "function_call_output", "call_id": call["call_id"], "output": "40 C"}
    said = stream(post, {**ASKED, "input": [{"role": "user", "content": ASKED["input"]}, call, output]})
    assert "The weather in Florence, Italy is 40 C." == said[-1]["response"]["output"][-1]["content"][0]["text"]


def test_a_failure_ends_the_stream_in_sequence(post: Post) -> None:
    said = stream(post, ASKED, "chunks=5, error-at=2")
    assert list(range(len(said))) == [value["sequence_number"] for value in said]
    assert ("response.failed", "failed") == (said[-1]["type"], said[-1]["response"]["status"])
