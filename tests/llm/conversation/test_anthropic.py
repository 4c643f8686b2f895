from __future__ import annotations

from typing import Any

import pytest

from recorder.llm.conversation import Attachment, Message, Part, Reasoning, Text, Tool, ToolCall, ToolResult
from tests.llm.conversation.making import STREAM, events, turn

PATH = "/v1/messages"
ASKED = {"model": "claude", "messages": [{"role": "user", "content": "?"}]}


def blocks(*content: dict[str, Any]) -> tuple[Part, ...]:
    return turn(PATH, ASKED, {"type": "message", "role": "assistant", "content": list(content)}).answer.parts


@pytest.mark.parametrize(
    ("block", "expected"),
    [
        ({"type": "thinking", "thinking": "Hm", "signature": "x"}, Reasoning(text="Hm")),
        ({"type": "redacted_thinking", "data": "xxxx"}, Reasoning(text="", sealed=4)),
        (
            {"type": "tool_use", "id": "t1", "name": "f", "input": {"a": "ü"}},
            ToolCall(name="f", arguments='{"a":"ü"}', id="t1"),
        ),
        (
            {"type": "server_tool_use", "id": "s1", "name": "web_search", "input": {}},
            ToolCall(name="web_search", arguments="{}", id="s1"),
        ),
        (
            {"type": "web_search_tool_result", "tool_use_id": "s1", "content": [{"url": "https://e.com"}]},
            ToolResult(text='{"url":"https://e.com"}', id="s1"),
        ),
        (
            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}},
            Attachment(kind="image", media_type="image/png", size=3),
        ),
        (
            {"type": "document", "title": "T", "source": {"type": "url", "url": "https://e.com/a.pdf"}},
            Attachment(kind="file", url="https://e.com/a.pdf", name="T"),
        ),
    ],
)
def test_each_kind_of_block_is_known(block: dict[str, Any], expected: Part) -> None:
    assert (expected,) == blocks(block)


def test_results_that_a_user_sends_are_the_tools() -> None:
    result = {
        "type": "tool_result",
        "tool_use_id": "t1",
        "content": [{"type": "text", "text": "40 C"}],
        "is_error": True,
    }
    content = [result, {"type": "text", "text": "Well?"}]
    asked = {**ASKED, "system": [{"type": "text", "text": "Be"}], "messages": [{"role": "user", "content": content}]}
    assert (
        Message(role="system", parts=(Text(text="Be"),)),
        Message(role="tool", parts=(ToolResult(text="40 C", id="t1", failed=True),)),
        Message(role="user", parts=(Text(text="Well?"),)),
    ) == turn(PATH, asked, {}).prompt


def test_tools_have_schemas_and_those_of_the_provider_settings() -> None:
    tools = [
        {"name": "f", "description": "d", "input_schema": {"type": "object"}, "cache_control": {"type": "ephemeral"}},
        {"type": "web_search_20250305", "name": "web_search", "max_uses": 3},
    ]
    assert (
        Tool(name="f", description="d", schema={"type": "object"}),
        Tool(name="web_search", schema={"max_uses": 3}),
    ) == turn(PATH, {**ASKED, "tools": tools}, {}).tools


def test_a_stream_keeps_its_blocks_in_order_whatever_comes_between() -> None:
    body = events(
        {"type": "message_start", "message": {"role": "assistant", "content": [], "stop_reason": None}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "thinking", "thinking": ""}},
        {"type": "ping"},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": "H"}},
        {
            "type": "content_block_start",
            "index": 1,
            "content_block": {"type": "tool_use", "id": "t", "name": "f", "input": {}},
        },
        {"type": "content_block_delta", "index": 1, "delta": {"type": "input_json_delta", "partial_json": '{"a"'}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": "m"}},
        {"type": "content_block_delta", "index": 1, "delta": {"type": "input_json_delta", "partial_json": ":1}"}},
        {
            "type": "content_block_start",
            "index": 2,
            "content_block": {"type": "tool_use", "id": "u", "name": "g", "input": {}},
        },
        {"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 3}},
        {"type": "message_stop"},
    )
    found = turn(PATH, ASKED, body, content_type=STREAM)
    assert (
        Reasoning(text="Hm"),
        ToolCall(name="f", arguments='{"a":1}', id="t"),
        ToolCall(name="g", arguments="{}", id="u"),
    ) == found.answer.parts
    assert ("tool_use", 3) == (found.finish_reason, found.usage.completion_tokens)
