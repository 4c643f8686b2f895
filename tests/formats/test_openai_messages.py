"""Lines for fine-tuning and evals: each conversation once, in OpenAI's words whatever the API."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from recorder import cassette
from recorder.formats import Session, openai_messages
from recorder.model import Interaction
from tests.formats.speaking import ASKED, CALL, TOOL, answered, asking, chat, streamed

SAID = {"role": "assistant", "content": None, "tool_calls": [CALL]}
RESULT = {"role": "tool", "tool_call_id": "c1", "content": "40 C"}


def lines(*kept: Interaction, every_turn: bool = False) -> list[dict[str, Any]]:
    text = "".join(openai_messages.dumps([Session(name="a", interactions=kept)], every_turn=every_turn))
    return [json.loads(line) for line in text.splitlines()]


def test_a_conversation_is_one_line() -> None:
    question, answer = streamed(), chat("It is warm.", asked=[*ASKED, SAID, RESULT])
    (line,) = lines(question, answer)
    assert ["user", "assistant", "tool", "assistant"] == [message["role"] for message in line["messages"]]
    assert {"role": "assistant", "tool_calls": [CALL]} == line["messages"][1]
    assert {"role": "assistant", "content": "It is warm."} == line["messages"][3]


def test_with_every_turn_each_answer_is_one() -> None:
    first, second = lines(streamed(), chat("It is warm.", asked=[*ASKED, SAID, RESULT]), every_turn=True)
    assert [{"role": "user", "content": "Hello"}, SAID] == first["messages"]
    assert [TOOL] == first["tools"]
    assert 4 == len(second["messages"])


def test_arguments_that_were_spelled_anew_go_on_from_the_same_call() -> None:
    respelled = {**SAID, "tool_calls": [{**CALL, "function": {"name": "weather", "arguments": '{ "city": "Pisa" }'}}]}
    assert 1 == len(lines(streamed(), chat("Warm.", asked=[*ASKED, respelled, RESULT])))


def test_branches_are_conversations_of_their_own() -> None:
    said = [*ASKED, {"role": "assistant", "content": "Hi"}]
    branches = [chat(text, asked=[*said, {"role": "user", "content": text}]) for text in ("left", "right")]
    found = lines(chat("Hi"), *branches)
    assert ["left", "right"] == [line["messages"][-1]["content"] for line in found]


def test_the_same_answer_again_counts_once() -> None:
    assert 1 == len(lines(chat("Hi"), chat("Hi")))
    assert 2 == len(lines(chat("Hi"), chat("Ho")))


def test_what_failed_and_what_is_no_call_is_left_out() -> None:
    failed = answered(asking({"messages": ASKED}), b'{"error":{"message":"no"}}')
    failed = replace(failed, response=replace(failed.response, code=500))
    assert [] == lines(failed, answered(asking({}, url="https://openrouter.ai/api/v1/models"), b"{}"))


def test_messages_stay_as_they_were_sent_but_for_what_openai_does_not_know() -> None:
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}
    sent = [
        {"role": "system", "content": "Be brief", "cache_control": {"type": "ephemeral"}},
        {"role": "user", "content": [{"type": "text", "text": "?", "cache_control": {}}, image, {"type": "odd"}]},
        {"role": "assistant", "content": "!", "reasoning": "hm", "refusal": None},
    ]
    (line,) = lines(chat("Hi", asked=sent))
    assert [
        {"role": "system", "content": "Be brief"},
        {"role": "user", "content": [{"type": "text", "text": "?"}, image]},
        {"role": "assistant", "content": "!"},
        {"role": "assistant", "content": "Hi"},
    ] == line["messages"]
    assert "tools" not in line


def test_anthropic_s_messages_are_told_in_openai_s_words() -> None:
    said = {"type": "tool_use", "id": "t1", "name": "weather", "input": {"city": "Pisa"}}
    asked = {
        "system": "Be brief",
        "messages": [
            {"role": "user", "content": "Hello"},
            {"role": "assistant", "content": [{"type": "text", "text": "I look."}, said]},
            {
                "role": "user",
                "content": [
                    {"type": "tool_result", "tool_use_id": "t1", "content": "40 C"},
                    {"type": "text", "text": "Well?"},
                ],
            },
        ],
        "tools": [{"name": "weather", "description": "Of a city", "input_schema": {"type": "object"}}],
    }
    value = {"type": "message", "role": "assistant", "content": [{"type": "text", "text": "Warm."}]}
    one = asking(asked, url="https://api.anthropic.com/v1/messages")
    (line,) = lines(answered(one, json.dumps({**value, "stop_reason": "end_turn"}).encode()))
    call = {"id": "t1", "type": "function", "function": {"name": "weather", "arguments": '{"city":"Pisa"}'}}
    assert [
        {"role": "system", "content": "Be brief"},
        {"role": "user", "content": "Hello"},
        {"role": "assistant", "content": "I look.", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "t1", "content": "40 C"},
        {"role": "user", "content": "Well?"},
        {"role": "assistant", "content": "Warm."},
    ] == line["messages"]
    told = {"name": "weather", "description": "Of a city", "parameters": {"type": "object"}}
    assert [{"type": "function", "function": told}] == line["tools"]


def test_every_real_cassette_gives_lines_that_the_api_would_take(shared: Path) -> None:
    """Every call is answered by the results behind it, and every line ends with the assistant."""
    count = 0
    for path in sorted((shared / "cassettes").rglob("*.yaml")):
        for line in lines(*cassette.loads(path.read_bytes()).interactions):
            count += 1
            said = line["messages"]
            assert "assistant" == said[-1]["role"], path
            for place, message in enumerate(said[:-1]):
                calls = [call["id"] for call in message.get("tool_calls", ())]
                behind = [each.get("tool_call_id") for each in said[place + 1 : place + 1 + len(calls)]]
                assert sorted(calls) == sorted(behind), path
    assert count > 50
