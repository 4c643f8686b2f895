from __future__ import annotations

from typing import Any

import pytest

from recorder.llm.conversation import Attachment, Message, Part, Reasoning, Refusal, Text, Tool, ToolCall, ToolResult
from tests.llm.conversation.making import turn

PATH = "/api/v1/chat/completions"


def sent(*messages: dict[str, Any]) -> tuple[Message, ...]:
    return turn(PATH, {"model": "m", "messages": list(messages)}, {}).prompt


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        ({"type": "text", "text": "Hi"}, Text(text="Hi")),
        ({"type": "refusal", "refusal": "No"}, Refusal(text="No")),
        (
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAAAA=="}},
            Attachment(kind="image", media_type="image/png", size=4),
        ),
        (
            {"type": "image_url", "image_url": "https://example.com/a.png"},
            Attachment(kind="image", url="https://example.com/a.png"),
        ),
        (
            {"type": "video_url", "video_url": {"url": "https://e.com/v"}},
            Attachment(kind="video", url="https://e.com/v"),
        ),
        (
            {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}},
            Attachment(kind="audio", media_type="wav", size=3),
        ),
        (
            {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,AAAA"}},
            Attachment(kind="file", media_type="application/pdf", name="a.pdf", size=3),
        ),
        ({"type": "file", "file": {"file_id": "f1"}}, Attachment(kind="file", name="f1")),
        ({"type": "thinking", "thinking": [{"type": "text", "text": "Hm"}]}, Reasoning(text="Hm")),
        ({"type": "hologram", "hologram": 1}, Attachment(kind="hologram")),
        ({}, Attachment(kind="unknown")),
    ],
)
def test_each_kind_of_part_is_known(part: dict[str, Any], expected: Part) -> None:
    (message,) = sent({"role": "user", "content": [part]})
    assert (expected,) == message.parts


def test_a_tools_result_is_the_tools() -> None:
    (message,) = sent(
        {"role": "tool", "tool_call_id": "c1", "name": "f", "content": [{"type": "text", "text": "40 C"}]}
    )
    assert Message(role="tool", parts=(ToolResult(text="40 C", id="c1", name="f"),)) == message
    (empty,) = sent({"role": "tool", "tool_call_id": "c1", "content": ""})
    assert (ToolResult(text="", id="c1"),) == empty.parts


def test_an_assistant_thinks_speaks_and_calls() -> None:
    (message,) = sent(
        {
            "role": "assistant",
            "content": "Let me see",
            "reasoning_details": [{"type": "reasoning.text", "text": "Hm", "signature": "x" * 9}],
            "tool_calls": [
                {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}},
                {"id": "c2", "type": "custom", "custom": {"name": "g", "input": "SELECT 1"}},
            ],
        }
    )
    assert (
        Reasoning(text="Hm"),
        Text(text="Let me see"),
        ToolCall(name="f", arguments='{"a":1}', id="c1"),
        ToolCall(name="g", arguments="SELECT 1", id="c2"),
    ) == message.parts
    assert ({"a": 1}, None) == tuple(call.parsed for call in message.tool_calls)


def test_the_older_function_calls_are_tool_calls() -> None:
    call = {"name": "f", "arguments": {"a": 1}}
    asked = {"model": "m", "messages": [], "functions": [{"name": "f", "parameters": {"type": "object"}}]}
    found = turn(PATH, asked, {"choices": [{"message": {"role": "assistant", "function_call": call}}]})
    assert (ToolCall(name="f", arguments='{"a":1}'),) == found.tool_calls
    assert (Tool(name="f", schema={"type": "object"}),) == found.tools
    (result,) = sent({"role": "function", "name": "f", "content": "1"})
    assert ("tool", (ToolResult(text="1", name="f"),)) == (result.role, result.parts)


def test_a_tool_of_the_providers_own_is_named_by_its_type() -> None:
    asked = {"model": "m", "messages": [], "tools": [{"type": "web_search", "max_results": 3}]}
    assert (Tool(name="web_search", schema={"max_results": 3}),) == turn(PATH, asked, {}).tools


def test_pictures_and_sounds_come_back_as_attachments() -> None:
    said = {
        "content": "Here",
        "images": [{"type": "image_url", "image_url": {"url": "data:image/webp;base64,AAAA"}}],
        "audio": {"id": "a1", "data": "AAAAAAAA"},
    }
    assert (
        Text(text="Here"),
        Attachment(kind="image", media_type="image/webp", size=3),
        Attachment(kind="audio", name="a1", size=6),
    ) == turn(PATH, {"model": "m", "messages": []}, {"choices": [{"message": said}]}).answer.parts
