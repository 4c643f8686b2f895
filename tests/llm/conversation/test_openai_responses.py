"""The Responses API; what the simulated upstream streams is held against what the official client makes of it."""

from __future__ import annotations

from typing import Any

import pytest

from recorder.llm.conversation import Attachment, Message, Part, Reasoning, Text, Tool, ToolCall, ToolResult
from tests.llm.conversation.making import STREAM, events, simulated, turn
from tests.llm.conversation.test_openai import serving

PATH = "/v1/responses"
TOOLS = [{"type": "function", "name": "weather", "parameters": {"properties": {"location": {"type": "string"}}}}]
ASKED = {"model": "gpt-5-mini", "input": "weather in Florence, Italy", "tools": TOOLS, "stream": True}


@pytest.mark.parametrize("sim", ["", "chunks=7", "say=Hi there"])
@pytest.mark.parametrize("more", [{}, {"reasoning": {"effort": "low"}}])
def test_a_stream_is_what_the_client_makes_of_it(sim: str, more: dict[str, Any]) -> None:
    _, body, content_type = simulated(PATH, {**ASKED, **more}, sim)
    found = turn(PATH, {**ASKED, **more}, body, content_type=content_type)
    with serving(found.interaction) as client:
        create: Any = client.responses.stream
        with create(model="m", input="?") as stream:
            theirs = stream.get_final_response()
    calls = [(item.call_id, item.name, item.arguments) for item in theirs.output if item.type == "function_call"]
    thoughts = [part.text for item in theirs.output if item.type == "reasoning" for part in item.summary]
    assert (theirs.output_text, calls) == (
        found.text,
        [(call.id, call.name, call.arguments) for call in found.tool_calls],
    )
    assert ("".join(thoughts), theirs.status) == (found.reasoning, found.finish_reason)
    assert (theirs.usage.input_tokens, theirs.usage.output_tokens) == (
        found.usage.prompt_tokens,
        found.usage.completion_tokens,
    )


@pytest.mark.parametrize("sim", ["", "chunks=7", "say=Hi there"])
def test_the_deltas_add_up_to_what_the_last_event_tells(sim: str) -> None:
    _, body, content_type = simulated(PATH, {**ASKED, "reasoning": {"effort": "low"}}, sim)
    pieces = body.split(b"\n\n")
    deltas = [piece for piece in pieces if b".delta" in piece or b"output_item.added" in piece]
    whole = turn(PATH, ASKED, body, content_type=content_type)
    assert whole.answer == turn(PATH, ASKED, b"\n\n".join([*deltas, b""]), content_type=content_type).answer
    assert whole.answer.parts


def sent(*items: Any) -> tuple[Message, ...]:
    return turn(PATH, {"model": "m", "input": list(items)}, {}).prompt


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        ({"type": "input_text", "text": "Hi"}, Text(text="Hi")),
        (
            {"type": "input_image", "image_url": "data:image/png;base64,AAAA"},
            Attachment(kind="image", media_type="image/png", size=3),
        ),
        ({"type": "input_file", "file_id": "f1"}, Attachment(kind="file", name="f1")),
        (
            {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "mp3"}},
            Attachment(kind="audio", media_type="mp3", size=3),
        ),
    ],
)
def test_each_kind_of_part_is_known(part: dict[str, Any], expected: Part) -> None:
    (message,) = sent({"role": "user", "content": [part]})
    assert (expected,) == message.parts


def test_what_an_assistant_does_in_one_go_is_one_message() -> None:
    messages = sent(
        {"role": "developer", "content": "Be kind"},
        {"role": "user", "content": [{"type": "input_text", "text": "?"}]},
        {"type": "reasoning", "id": "r", "summary": [{"text": "a"}, {"text": "b"}], "encrypted_content": "xxx"},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Let me see"}]},
        {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"},
        {"type": "custom_tool_call", "call_id": "c2", "name": "g", "input": "SELECT"},
        {"type": "function_call_output", "call_id": "c1", "output": "1"},
        {"type": "custom_tool_call_output", "call_id": "c2", "output": [{"type": "input_text", "text": "2"}]},
        {"type": "item_reference", "id": "i1"},
    )
    assert ["developer", "user", "assistant", "tool", "tool", "assistant"] == [message.role for message in messages]
    assert (
        Reasoning(text="a\n\nb", sealed=3),
        Text(text="Let me see"),
        ToolCall(name="f", arguments="{}", id="c1"),
        ToolCall(name="g", arguments="SELECT", id="c2"),
    ) == messages[2].parts
    assert (ToolResult(text="1", id="c1"),) == messages[3].parts
    assert (ToolResult(text="2", id="c2"),) == messages[4].parts
    assert (Attachment(kind="item_reference", name="i1"),) == messages[5].parts


def test_the_providers_own_tools_are_calls_too() -> None:
    output = [
        {"type": "web_search_call", "id": "w1", "action": {"type": "search", "query": "x"}},
        {"type": "image_generation_call", "id": "g1", "result": "AAAA"},
    ]
    asked = {"model": "m", "input": "?", "tools": [{"type": "web_search", "search_context_size": "low"}]}
    found = turn(PATH, asked, {"object": "response", "status": "completed", "output": output})
    assert (
        ToolCall(name="web_search", arguments='{"type":"search","query":"x"}', id="w1"),
        Attachment(kind="image", size=3),
    ) == found.answer.parts
    assert (Tool(name="web_search", schema={"search_context_size": "low"}),) == found.tools


def test_why_it_ended_early_is_its_finish_reason() -> None:
    answer = {
        "object": "response",
        "status": "incomplete",
        "incomplete_details": {"reason": "max_output_tokens"},
        "output": [],
    }
    for body, kind in (
        (answer, "application/json"),
        (events({"type": "response.incomplete", "response": answer}), STREAM),
    ):
        assert "max_output_tokens" == turn(PATH, ASKED, body, content_type=kind).finish_reason


def test_a_response_that_failed_tells_its_error() -> None:
    answer = {"object": "response", "status": "failed", "error": {"code": "x", "message": "Broken"}, "output": []}
    found = turn(PATH, ASKED, events({"type": "response.failed", "response": answer}), content_type=STREAM)
    assert ("Broken", "failed") == (found.error, found.finish_reason)
