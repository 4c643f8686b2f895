from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from recorder.llm import json_values
from recorder.llm.conversation import Turn, read
from recorder.views.terminal import conversation, diff, http, style
from tests.llm.conversation.hostile import PATHS, VALUES
from tests.llm.conversation.making import STREAM, events, interaction, octets

CHAT = "/api/v1/chat/completions"
CALL = {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": '{"place":"Rome","days":[1,2]}'}}
ASKED = {
    "model": "m",
    "messages": [{"role": "system", "content": "Be kind"}, {"role": "user", "content": "Weather?"}],
    "tools": [{"type": "function", "function": {"name": "weather"}}],
    "temperature": 0,
}
USAGE = {"prompt_tokens": 1390, "completion_tokens": 30, "cost": 0.0002, "prompt_tokens_details": {"cached_tokens": 7}}


def answered(message: dict[str, Any], reason: str = "stop") -> dict[str, Any]:
    choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": reason}
    return {"model": "x-ai/grok", "provider": "xAI", "choices": [choice], "usage": USAGE}


def turns() -> list[Turn]:
    """A question, the call of a tool, its result, an answer."""
    call = answered({"reasoning": "Let me think.\nHm.", "tool_calls": [CALL]}, "tool_calls")
    back = {"role": "assistant", "tool_calls": [{**CALL, "function": {"name": "weather", "arguments": _spaced()}}]}
    result = {"role": "tool", "tool_call_id": "c1", "content": '{"degrees": 40}'}
    second = {**ASKED, "messages": [*ASKED["messages"], back, result]}  # type: ignore[misc]
    return [
        read(interaction(CHAT, ASKED, call), 0),
        read(interaction(CHAT, second, answered({"content": "40 °C.\nHot!"})), 1),
    ]


def _spaced() -> str:
    """The same arguments as a program spells them that has parsed them."""
    return json.dumps({"place": "Rome", "days": [1, 2]})


def text(shown: Sequence[Turn], **how: bool) -> str:
    return "".join(style.paint(conversation.conversation(shown, **how), colour=False))


def test_a_conversation_reads_as_it_went() -> None:
    assert (
        text(turns())
        == """\
interaction 0  POST https://api.example.com/api/v1/chat/completions  200 OK
  x-ai/grok by xAI  in one piece, headers after 1 ms
  tools: weather
  temperature 0

  system
    Be kind

  user
    Weather?

  assistant
    reasoning: 17 characters
    calls weather  c1
      {
        "place": "Rome",
        "days": [
          1,
          2
        ]
      }

  tool_calls  1,390 + 30 tokens (7 cached)  $0.0002

interaction 1  POST https://api.example.com/api/v1/chat/completions  200 OK
  x-ai/grok by xAI  in one piece, headers after 1 ms
  tools: weather
  temperature 0

  … 3 messages as in interaction 0

  tool
    result  c1
      {
        "degrees": 40
      }

  assistant
    40 °C.
    Hot!

  stop  1,390 + 30 tokens (7 cached)  $0.0002
"""
    )


def test_reasoning_unfolds() -> None:
    unfolded = text(turns(), reasoning=True)
    assert "    reasoning\n      Let me think.\n      Hm.\n" in unfolded
    assert "17 characters" not in unfolded


def test_one_interaction_is_shown_with_all_that_went_before() -> None:
    whole = text(turns()[1:], repeat=True)
    assert "as in interaction" not in whole
    assert ["system", "user", "assistant", "tool", "assistant"] == [
        row.strip() for row in whole.splitlines() if row.startswith("  ") and row[2:].isalpha() and row[2:] != "stop"
    ]


def test_a_conversation_that_goes_another_way_is_folded_as_far_as_it_is_the_same() -> None:
    other = {**ASKED, "messages": [{"role": "system", "content": "Be kind"}, {"role": "user", "content": "Time?"}]}
    shown = text([*turns(), read(interaction(CHAT, other, answered({"content": "Noon"})), 2)])
    last = shown.partition("interaction 2  ")[2]
    assert "… 1 message as in interaction 1" in last
    assert "Time?" in last
    assert "Be kind" not in last


def test_what_went_wrong_stands_at_the_end() -> None:
    refused = read(
        interaction(CHAT, ASKED, {"error": {"message": "Slow down"}}, code=429, status="429 Too Many Requests")
    )
    assert text([refused]).endswith("\n\n  error: Slow down\n")
    assert "  429 Too Many Requests\n" in text([refused])
    cut = events({"choices": [{"index": 0, "delta": {"content": "Half a"}}]})
    assert text([read(interaction(CHAT, ASKED, cut, content_type=STREAM))]).endswith("    Half a\n\n  cut off\n")
    assert text([read(interaction(CHAT, ASKED, b""))]).endswith("\n  no answer\n")


def test_what_is_no_conversation_is_told_in_two_lines() -> None:
    page = read(interaction("/", b"", b"<html>", content_type="text/html"))
    assert [
        "interaction 0  POST https://api.example.com/  200 OK",
        "  6 B of text/html, in one piece, headers after 1 ms",
    ] == [row for row in text([page]).splitlines() if row]


@settings(max_examples=150, deadline=None, derandomize=True)
@given(path=PATHS, request=VALUES, sent=st.lists(VALUES, max_size=4), streamed=st.booleans())
def test_nothing_that_a_body_holds_makes_it_raise(path: str, request: Any, sent: list[Any], *, streamed: bool) -> None:
    body = events(*sent) if streamed else octets(sent[0] if sent else b"")
    turn = read(interaction(path, request, body, content_type=STREAM if streamed else "application/json"))
    assert text([turn, turn], reasoning=True)
    assert [True] == [each.same for each in diff.compare([turn], [turn], reasoning=True)]
    assert json.loads(json.dumps(json_values.turn(turn)))["id"] == 0
    for rows in (http.request, http.response):
        assert list(style.paint(rows(turn.interaction), colour=True))
    assert list(style.paint(http.events(turn.interaction.response), colour=True)) or not body


def test_a_long_conversation_takes_time_by_its_length_only() -> None:
    """Each request repeats the conversation so far: 100 turns are 10,000 messages, and each is looked at twice."""
    messages: list[dict[str, Any]] = []
    long = []
    for number in range(100):
        messages = [*messages, {"role": "user", "content": f"question {number}"}]
        asked = {"model": "m", "messages": messages}
        long.append(read(interaction(CHAT, asked, answered({"content": f"answer {number}"})), number))
        messages = [*messages, {"role": "assistant", "content": f"answer {number}"}]
    shown = text(long)
    assert 100 == shown.count("question ")
    assert "… 198 messages as in interaction 98" in shown
