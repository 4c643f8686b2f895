from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from recorder.simulator.script import Answer
from recorder.wire.event_stream import events

Post = Callable[..., Answer]
Bodies = Callable[[str], list[str]]

PATH = "/api/v1/chat/completions"
QUESTION = {"role": "user", "content": "What's the weather in Florence,Italy?"}
WEATHER = {
    "type": "function",
    "function": {
        "name": "weather",
        "parameters": {"type": "object", "properties": {"location": {"type": "string"}}, "required": ["location"]},
    },
}
RESULT = [
    QUESTION,
    {
        "role": "assistant",
        "tool_calls": [
            {
                "id": "c1",
                "type": "function",
                "function": {"name": "weather", "arguments": '{"location":"Florence, Italy"}'},
            }
        ],
    },
    {"role": "tool", "tool_call_id": "c1", "content": "40 C"},
]


def asked(messages: Any, *, model: str = "x-ai/grok-code-fast-1", **more: Any) -> dict[str, Any]:
    return {"model": model, "messages": messages, "tools": [WEATHER], **more}


def streamed(messages: Any, **more: Any) -> dict[str, Any]:
    return asked(messages, stream=True, stream_options={"include_usage": True}, usage={"include": True}, **more)


def chunks(body: bytes) -> list[Any]:
    return [json.loads(event.data) for event in events(body) if event.data and event.data != b"[DONE]"]


def outline(value: Any) -> Any:
    """A value's shape: keys in order, scalars left out; of a list, its first item."""
    if isinstance(value, dict):
        return [(name, outline(item)) for name, item in value.items()]
    if isinstance(value, list):
        return [outline(value[0])] if value else []
    return None


def outlines(body: bytes) -> list[Any]:
    """The different shapes in the order in which they first came."""
    seen: list[Any] = []
    for chunk in chunks(body):
        if outline(chunk) not in seen:
            seen.append(outline(chunk))
    return seen


@pytest.mark.parametrize("turn", [0, 1], ids=["call", "result"])
def test_a_stream_has_the_shapes_of_recorded_traffic(post: Post, bodies: Bodies, turn: int) -> None:
    recorded = bodies("TestOpenRouterCommon/glm/tool_streaming.yaml")[turn].encode()
    made = b"".join(post(PATH, streamed([[QUESTION], RESULT][turn], model="z-ai/glm-5-turbo")).events)
    assert outlines(recorded) == outlines(made)


@pytest.mark.parametrize("model", ["anthropic/claude-haiku-4.5", "openai/gpt-5.4-nano"])
def test_a_stream_without_reasoning_is_shaped_as_recorded(post: Post, bodies: Bodies, model: str) -> None:
    recorded = bodies("TestOpenRouterCommon/anthropic/multi_tool_streaming.yaml")
    for messages, body in zip(([QUESTION], RESULT), recorded, strict=True):
        assert outlines(body.encode()) == outlines(b"".join(post(PATH, streamed(messages, model=model)).events))


@pytest.mark.parametrize("turn", [0, 1], ids=["call", "result"])
def test_a_whole_answer_is_shaped_as_recorded(post: Post, bodies: Bodies, turn: int) -> None:
    recorded = bodies("TestOpenRouterCommon/glm/tool.yaml")[turn]
    made = b"".join(post(PATH, asked([[QUESTION], RESULT][turn], model="z-ai/glm-5-turbo")).events)
    assert outline(json.loads(recorded)) == outline(json.loads(made))
    assert recorded[:13].encode() == made[:13]  # keep-alive white space in front


def test_a_stream_is_comments_then_chunks_then_done(post: Post) -> None:
    body = b"".join(post(PATH, streamed([QUESTION]), "comments=3").events)
    assert body.startswith(b": OPENROUTER PROCESSING\n\n" * 3 + b"data: {")
    assert body.endswith(b"}\n\ndata: [DONE]\n\n")


def test_the_seed_s_conversation(post: Post) -> None:
    first = chunks(b"".join(post(PATH, streamed([QUESTION])).events))
    calls = [call for chunk in first for call in chunk["choices"][0]["delta"].get("tool_calls", [])]
    assert "weather" == calls[0]["function"]["name"]
    assert '{"location": "Florence, Italy"}' == "".join(call["function"]["arguments"] for call in calls)
    assert "tool_calls" == first[-1]["choices"][0]["finish_reason"]
    second = chunks(b"".join(post(PATH, streamed(RESULT)).events))
    said = "".join(chunk["choices"][0]["delta"]["content"] for chunk in second)
    assert "The weather in Florence, Italy is 40 C." == said
    assert "stop" == second[-1]["choices"][0]["finish_reason"]


def test_two_places_are_two_calls_of_different_ids(post: Post) -> None:
    question = {"role": "user", "content": "What's the weather in Florence, Italy and in Rome, Italy?"}
    message = json.loads(b"".join(post(PATH, asked([question])).events))["choices"][0]["message"]
    arguments = [json.loads(call["function"]["arguments"]) for call in message["tool_calls"]]
    assert [{"location": "Florence, Italy"}, {"location": "Rome, Italy"}] == arguments
    assert [0, 1] == [call["index"] for call in message["tool_calls"]]
    assert 2 == len({call["id"] for call in message["tool_calls"]})


@pytest.mark.parametrize(
    ("wish", "there"),
    [
        ({}, False),
        ({"stream_options": {"include_usage": True}}, True),
        ({"usage": {"include": True}}, True),
        ({"usage": {"include": False}}, False),
    ],
)
def test_a_stream_ends_with_the_usage_if_it_was_asked_for(post: Post, wish: dict[str, Any], there: bool) -> None:
    last = chunks(b"".join(post(PATH, asked([QUESTION], stream=True, **wish)).events))[-1]
    assert there == ("usage" in last)


def test_the_cost_is_the_sum_of_its_parts_and_has_no_exponent(post: Post) -> None:
    body = b"".join(post(PATH, asked([QUESTION])).events)
    usage = json.loads(body)["usage"]
    details = usage["cost_details"]
    parts = details["upstream_inference_prompt_cost"] + details["upstream_inference_completions_cost"]
    assert pytest.approx(parts, abs=1e-12) == usage["cost"]
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]
    assert usage["prompt_tokens"] > 0 < usage["completion_tokens"]
    assert b"e-05" not in body
    assert b'"cost":0.0000' in body


def test_a_model_reasons_if_it_always_does_or_is_asked_to(post: Post) -> None:
    def thought(**more: Any) -> str | None:
        body = b"".join(post(PATH, asked([QUESTION], **more)).events)
        value: str | None = json.loads(body)["choices"][0]["message"]["reasoning"]
        return value

    assert thought()
    assert not thought(reasoning={"enabled": False})
    assert not thought(model="anthropic/claude-haiku-4.5")
    assert thought(model="anthropic/claude-haiku-4.5", reasoning={"effort": "low"})


def test_events_have_the_size_that_was_asked_for(post: Post) -> None:
    made = [
        event
        for event in post(PATH, streamed([QUESTION]), "chunks=200, event-bytes=330").events
        if b"\xc3\xa9" in event
    ]
    assert [330] * 200 == [len(event) for event in made]
    assert b"".join(made).decode()  # padded with whole characters


def test_an_error_event_takes_the_place_of_a_delta_and_ends_the_stream(post: Post) -> None:
    body = b"".join(post(PATH, streamed([QUESTION]), "chunks=5, error-at=3").events)
    said = chunks(body)
    texts = [chunk["choices"][0]["delta"]["content"] for chunk in said]
    assert ["0 é… ", "1 é… ", "2 é… ", ""] == texts
    assert "error" == said[-1]["choices"][0]["finish_reason"]
    assert {"code", "message"} == set(said[-1]["error"])
    assert b"[DONE]" not in body


def test_the_terminal_frame_can_be_left_out(post: Post) -> None:
    whole, cut = (b"".join(post(PATH, streamed([QUESTION]), sim).events) for sim in ("", "no-terminal"))
    assert whole == cut + b"data: [DONE]\n\n"


def test_how_an_answer_is_sent_does_not_change_what_it_says(post: Post) -> None:
    plain, slow = (b"".join(post(PATH, streamed([QUESTION]), sim).events) for sim in ("", "pace-ms=9, write-bytes=7"))
    assert plain == slow


def test_asking_again_gives_other_ids(post: Post) -> None:
    first, again, second = (b"".join(post(PATH, streamed([QUESTION]), nth=nth).events) for nth in (0, 0, 1))
    assert first == again
    assert first != second


def test_openai_s_own_shape_has_none_of_openrouter_s_additions(post: Post, bodies: Bodies) -> None:
    body = b"".join(post("/v1/chat/completions", streamed([QUESTION], model="gpt-5-mini")).events)
    recorded = chunks(bodies("TestAzureThinking/azure-gpt-5-mini/thinking-streaming.yaml")[0].encode())
    known = {name for chunk in recorded for name in chunk}
    assert set() == {name for chunk in chunks(body) for name in chunk} - known
    assert [] == chunks(body)[-1]["choices"]
    assert b"OPENROUTER" not in body
    assert body.endswith(b"data: [DONE]\n\n")
