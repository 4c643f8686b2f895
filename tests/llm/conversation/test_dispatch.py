"""All APIs alike: a stream adds up to the whole answer, a cut one to its beginning, and nothing makes it raise."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recorder.llm.conversation import Message, Reasoning, Text, ToolCall, Turn
from tests.llm.conversation.hostile import PATHS, VALUES
from tests.llm.conversation.making import JSON, STREAM, asked, events, octets, simulated, turn

SCHEMA = {"type": "object", "properties": {"location": {"type": "string"}}, "required": ["location"]}
FUNCTION = {"name": "weather", "description": "Get weather", "parameters": SCHEMA}
QUESTION = "What's the weather in Florence, Italy and in Rome, Italy?"
GEMINI = "/v1beta/models/gemini-2.5-pro"

# Each API: the path and the fields that ask for a whole answer, and for a stream.
ASKED: dict[str, tuple[tuple[str, dict[str, Any]], tuple[str, dict[str, Any]]]] = {
    "chat": (
        ("/api/v1/chat/completions", {}),
        ("/api/v1/chat/completions", {"stream": True, "stream_options": {"include_usage": True}}),
    ),
    "responses": (("/v1/responses", {}), ("/v1/responses", {"stream": True})),
    "messages": (("/v1/messages", {}), ("/v1/messages", {"stream": True})),
    "gemini": ((f"{GEMINI}:generateContent", {}), (f"{GEMINI}:streamGenerateContent?alt=sse", {})),
}
BODIES: dict[str, dict[str, Any]] = {
    "chat": {
        "model": "x-ai/grok-code-fast-1",
        "messages": [{"role": "system", "content": "Be kind"}, {"role": "user", "content": QUESTION}],
        "tools": [{"type": "function", "function": FUNCTION}],
        "temperature": 0.5,
    },
    "responses": {
        "model": "gpt-5-mini",
        "instructions": "Be kind",
        "input": QUESTION,
        "tools": [{"type": "function", **FUNCTION}],
        "reasoning": {"effort": "low"},
        "temperature": 0.5,
    },
    "messages": {
        "model": "claude-sonnet-4-20250514",
        "max_tokens": 4000,
        "system": "Be kind",
        "messages": [{"role": "user", "content": QUESTION}],
        "tools": [{"name": "weather", "description": "Get weather", "input_schema": SCHEMA}],
        "thinking": {"type": "enabled", "budget_tokens": 2000},
        "temperature": 0.5,
    },
    "gemini": {
        "systemInstruction": {"parts": [{"text": "Be kind"}]},
        "contents": [{"role": "user", "parts": [{"text": QUESTION}]}],
        "tools": [{"functionDeclarations": [FUNCTION]}],
        "temperature": 0.5,
    },
}
APIS = list(BODIES)


def ask(api: str, *, streamed: bool, sim: str = "", **more: Any) -> Turn:
    path, fields = ASKED[api][streamed]
    return asked(path, {**BODIES[api], **fields, **more}, sim)


def said(turn: Turn) -> tuple[Any, ...]:
    """What was said, ids aside, which the simulator draws from the request."""
    calls = [(call.name, call.parsed) for call in turn.tool_calls]
    kinds = [type(part) for part in turn.answer.parts]
    return turn.text, turn.reasoning, calls, kinds, turn.finish_reason, len(turn.answers)


@pytest.mark.parametrize("sim", ["", "chunks=9", "say=Hi there it is me", "say=½😀 €, chunks=5"])
@pytest.mark.parametrize("api", APIS)
def test_a_stream_adds_up_to_the_whole_answer(api: str, sim: str) -> None:
    streamed, whole = ask(api, streamed=True, sim=sim), ask(api, streamed=False, sim=sim)
    assert (api, True, False) == (streamed.api, streamed.streamed, whole.streamed)
    assert said(whole) == said(streamed)
    assert whole.text or whole.tool_calls
    assert None not in (whole.usage.completion_tokens, streamed.usage.completion_tokens)


@pytest.mark.parametrize("streamed", [True, False])
@pytest.mark.parametrize("api", APIS)
def test_the_question_is_the_same_in_every_api(api: str, *, streamed: bool) -> None:
    turn = ask(api, streamed=streamed)
    system = Message(role="system", parts=(Text(text="Be kind"),))
    assert (system, Message(role="user", parts=(Text(text=QUESTION),))) == turn.prompt
    assert (*turn.prompt, turn.answer) == turn.messages
    assert [("weather", "Get weather", SCHEMA)] == [(tool.name, tool.description, tool.schema) for tool in turn.tools]
    assert 0.5 == turn.parameters["temperature"]
    assert set() == {"model", "messages", "input", "contents", "tools", "system"} & set(turn.parameters)
    assert ["Florence, Italy", "Rome, Italy"] == [call.parsed["location"] for call in turn.tool_calls]
    assert {"weather"} == {call.name for call in turn.tool_calls}


@pytest.mark.parametrize("api", APIS)
def test_a_cut_stream_is_the_beginning_of_the_whole_one(api: str) -> None:
    path, fields = ASKED[api][True]
    request = {**BODIES[api], **fields}
    _, body, content_type = simulated(path, request, "chunks=7")
    whole = turn(path, request, body, content_type=content_type)
    grown = 0
    for end in range(0, len(body), 37):
        cut = turn(path, request, body[:end], content_type=content_type)
        assert whole.text.startswith(cut.text)
        assert whole.reasoning.startswith(cut.reasoning)
        for ours, theirs in zip(cut.tool_calls, whole.tool_calls, strict=False):
            assert theirs.arguments.startswith(ours.arguments)
        size = len(cut.text) + len(cut.reasoning) + sum(len(call.arguments) for call in cut.tool_calls)
        assert grown <= size
        grown = size
    assert grown
    assert turn(path, request, body[: len(body) // 3], content_type=content_type).finish_reason is None


@pytest.mark.parametrize("api", APIS)
def test_an_error_is_told_in_the_servers_words(api: str) -> None:
    path, fields = ASKED[api][True]
    refused = turn(path, BODIES[api], {"error": {"message": "Slow down", "code": 429}}, code=429, status="429 Too Many")
    assert ("Slow down", (), 429) == (refused.error, refused.answers, refused.status)
    torn = ask(api, streamed=True, sim="chunks=5, error-at=2")
    assert torn.error
    page = turn(
        path, {**BODIES[api], **fields}, b"<html>", content_type="text/html", code=502, status="502 Bad Gateway"
    )
    assert "502 Bad Gateway" == page.error


def test_the_error_of_a_provider_behind_openrouter_is_told_too() -> None:
    error = {"message": "Provider returned error", "metadata": {"raw": "overloaded"}}
    found = turn("/api/v1/chat/completions", BODIES["chat"], {"error": error}, code=502)
    assert "Provider returned error: overloaded" == found.error


def test_what_is_no_call_of_a_model_says_nothing() -> None:
    for path, request in (("/api/v1/models", b""), ("/api/v1/responses", b"no json"), ("/v1/messages", {"to": "you"})):
        found = turn(path, request, {"data": []})
        assert ("", (), (), "") == (found.api, found.messages, found.answers, found.text)
        assert found.finish_reason is None


@pytest.mark.parametrize(
    ("api", "path"), [("chat", "/gateway/v9"), ("gemini", "/g"), ("messages", "/llm"), ("chat", "")]
)
def test_another_path_is_known_by_the_requests_fields(api: str, path: str) -> None:
    body = {**BODIES[api], "model": "m"} | ({"anthropic_version": "vertex-2023-10-16"} if api == "messages" else {})
    assert api == turn(path, body, {}).api


def test_a_url_that_is_none_is_no_reason_to_fail() -> None:
    assert "chat" == turn(":99999999/[", BODIES["chat"], {}).api


# --- what a body may hold


@settings(max_examples=300, deadline=None, derandomize=True)
@given(path=PATHS, request=VALUES, sent=st.lists(VALUES, max_size=5), streamed=st.booleans())
def test_nothing_that_a_body_holds_makes_it_raise(path: str, request: Any, sent: list[Any], *, streamed: bool) -> None:
    body = events(*sent) if streamed else octets(sent[0] if sent else b"")
    found = turn(path, request, body, content_type=STREAM if streamed else JSON)
    for message in found.messages:
        assert isinstance(message.text + message.reasoning + message.refusal + message.role + message.name, str)
        for call in message.tool_calls:
            assert isinstance(call.name + call.arguments + call.id, str)
            assert call.parsed is None or isinstance(call.parsed, dict | list)
        assert all(isinstance(result.text + result.id + result.name, str) for result in message.tool_results)


def test_what_is_nested_deeply_is_no_reason_to_fail() -> None:
    for depth in (100, 900, 5_000):
        nested = b"[" * depth + b"]" * depth
        request = b'{"model":"m","messages":[{"role":"tool","content":' + nested + b"}]}"
        found = turn("/api/v1/chat/completions", request, b'{"choices":[{"message":{"content":' + nested + b"}}]}")
        assert found.text == ""


# --- what some servers do, and OpenAI's does not


def calls(*chunks: list[dict[str, Any]]) -> tuple[ToolCall, ...]:
    body = events(*({"choices": [{"index": 0, "delta": {"tool_calls": chunk}}]} for chunk in chunks))
    return turn("/api/v1/chat/completions", BODIES["chat"], body, content_type=STREAM).tool_calls


def piece(written: str, **more: Any) -> dict[str, Any]:
    name = {"name": more.pop("name")} if "name" in more else {}
    return {**more, "function": {**name, "arguments": written}}


def test_a_calls_id_and_name_that_come_with_every_chunk_count_once() -> None:
    again = {"index": 0, "id": "c1", "name": "weather"}
    found = calls([piece('{"a"', **again)], [piece(":1}", **again)])
    assert (ToolCall(name="weather", arguments='{"a":1}', id="c1"),) == found


def test_another_id_at_the_same_index_is_another_call() -> None:
    first, second = {"index": 0, "id": "c1", "name": "f"}, {"index": 0, "id": "c2", "name": "g"}
    found = calls([piece("{", **first)], [piece("}", index=0)], [piece("[]", **second)])
    assert [("c1", "f", "{}"), ("c2", "g", "[]")] == [(call.id, call.name, call.arguments) for call in found]


def test_pieces_without_an_index_belong_to_the_last_call() -> None:
    found = calls([piece("{", id="c1", name="f")], [piece("}")], [piece("{}", id="c2", name="g")])
    assert [("c1", "{}"), ("c2", "{}")] == [(call.id, call.arguments) for call in found]


def test_reasoning_has_more_than_one_name() -> None:
    for field in ("reasoning", "reasoning_content"):
        body = events(*({"choices": [{"index": 0, "delta": {field: text}}]} for text in ("Hm", "m")))
        assert "Hmm" == turn("/v1/chat/completions", BODIES["chat"], body, content_type=STREAM).reasoning
    details = [{"type": "reasoning.summary", "summary": "Hmm"}, {"type": "reasoning.encrypted", "data": "x" * 20}]
    found = turn("/v1/chat/completions", BODIES["chat"], {"choices": [{"message": {"reasoning_details": details}}]})
    assert (Reasoning(text="Hmm", sealed=20),) == found.answer.parts


def test_more_answers_than_one_are_kept_apart() -> None:
    chunks = [
        {"choices": [{"index": number, "delta": {"content": text}}]} for number, text in ((1, "b"), (0, "a"), (1, "B"))
    ]
    found = turn("/v1/chat/completions", BODIES["chat"], events(*chunks), content_type=STREAM)
    assert ["a", "bB"] == [answer.message.text for answer in found.answers]


def test_a_text_completion_is_a_question_and_an_answer() -> None:
    request = {"model": "m", "prompt": ["Once upon"], "max_tokens": 5}
    whole = {"object": "text_completion", "choices": [{"index": 0, "text": " a time", "finish_reason": "length"}]}
    pieces = events(
        {"choices": [{"index": 0, "text": " a"}]}, {"choices": [{"text": " time", "finish_reason": "length"}]}
    )
    for body, content_type in ((octets(whole), JSON), (pieces, STREAM)):
        found = turn("/v1/completions", request, body, content_type=content_type)
        assert ("completions", "Once upon", " a time") == (found.api, found.prompt[0].text, found.text)
        assert ("length", {"max_tokens": 5}) == (found.finish_reason, found.parameters)


def test_what_gemini_streams_without_events_is_a_list() -> None:
    chunks = [{"candidates": [{"content": {"parts": [{"text": text}]}}]} for text in ("a", "b")]
    found = turn(f"{GEMINI}:streamGenerateContent", BODIES["gemini"], json.dumps(chunks).encode())
    assert "ab" == found.text
