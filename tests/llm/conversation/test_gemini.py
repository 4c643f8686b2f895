from __future__ import annotations

from typing import Any

import pytest

from recorder.llm.conversation import Attachment, Message, Part, Reasoning, Text, Tool, ToolCall, ToolResult
from tests.llm.conversation.making import STREAM, events, turn

PATH = "/v1beta/models/gemini-2.5-pro:generateContent"
ASKED = {"contents": [{"parts": [{"text": "?"}]}]}


def said(*parts: dict[str, Any]) -> dict[str, Any]:
    return {"candidates": [{"content": {"role": "model", "parts": list(parts)}, "finishReason": "STOP"}]}


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        ({"text": "Hm", "thought": True}, Reasoning(text="Hm")),
        ({"functionCall": {"name": "f", "args": {"a": 1}}}, ToolCall(name="f", arguments='{"a":1}')),
        ({"thoughtSignature": "x", "functionCall": {"name": "f"}}, ToolCall(name="f", arguments="")),
        (
            {"inlineData": {"mimeType": "image/png", "data": "AAAA"}},
            Attachment(kind="image", media_type="image/png", size=3),
        ),
        (
            {"fileData": {"mimeType": "application/pdf", "fileUri": "gs://b/a"}},
            Attachment(kind="file", media_type="application/pdf", url="gs://b/a"),
        ),
        ({"executableCode": {"language": "PYTHON", "code": "1+1"}}, ToolCall(name="code_execution", arguments="1+1")),
        ({"codeExecutionResult": {"outcome": "OK", "output": "2"}}, ToolResult(text="2", name="code_execution")),
    ],
)
def test_each_kind_of_part_is_known(part: dict[str, Any], expected: Part) -> None:
    assert (expected,) == turn(PATH, ASKED, said(part)).answer.parts


def test_both_spellings_and_a_single_content_are_taken() -> None:
    asked = {
        "system_instruction": {"parts": {"text": "Be kind"}},
        "contents": {"role": "user", "parts": {"text": "?"}},
        "tools": [
            {"function_declarations": [{"name": "f", "parametersJsonSchema": {"type": "object"}}]},
            {"googleSearch": {}},
        ],
        "generationConfig": {"temperature": 0},
    }
    found = turn(PATH, asked, {})
    assert (
        Message(role="system", parts=(Text(text="Be kind"),)),
        Message(role="user", parts=(Text(text="?"),)),
    ) == found.prompt
    assert (Tool(name="f", schema={"type": "object"}), Tool(name="googleSearch")) == found.tools
    assert ({"generationConfig": {"temperature": 0}}, "gemini-2.5-pro") == (found.parameters, found.model)


def test_what_a_function_answered_is_the_tools() -> None:
    response = {"functionResponse": {"name": "f", "id": "1", "response": {"result": "40 C"}}}
    call = {"role": "model", "parts": [{"functionCall": {"name": "f", "id": "1"}}]}
    found = turn(PATH, {"contents": [call, {"role": "user", "parts": [response]}]}, {})
    assert ["assistant", "tool"] == [message.role for message in found.prompt]
    assert (ToolResult(text='{"result":"40 C"}', id="1", name="f"),) == found.prompt[1].parts


def test_the_pieces_of_a_stream_are_one_text_and_one_thought() -> None:
    body = events(
        said({"text": "H", "thought": True}),
        said({"text": "m", "thought": True}, {"text": "It "}),
        said({"text": "is"}),
        said({"text": ""}),
        {"usageMetadata": {"promptTokenCount": 1, "candidatesTokenCount": 2}},
    )
    found = turn(PATH.replace("generate", "streamGenerate"), ASKED, body, content_type=STREAM)
    assert (Reasoning(text="Hm"), Text(text="It is")) == found.answer.parts
    assert ("STOP", 3) == (found.finish_reason, found.usage.total_tokens)


def test_a_prompt_that_was_blocked_has_no_answer() -> None:
    assert () == turn(PATH, ASKED, {"promptFeedback": {"blockReason": "SAFETY"}}).answers
