"""Two recordings of the same conversation say the same, whatever else differs; and what differs is shown once."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from recorder import Turn, load
from recorder.llm.conversation import read
from recorder.views.terminal import diff, style
from tests.llm.conversation.making import STREAM, events, interaction

CHAT = "/api/v1/chat/completions"
SCHEMA = {"type": "object", "properties": {"place": {"type": "string"}}}


def talk(
    *words: str, system: str = "Be kind", schema: Any = SCHEMA, answers: str = "answer to {}", **parameters: Any
) -> list[Turn]:
    """One conversation; each request repeats what was said before."""
    messages: list[dict[str, Any]] = [{"role": "system", "content": system}]
    turns: list[Turn] = []
    for word in words:
        messages = [*messages, {"role": "user", "content": word}]
        tools = [{"type": "function", "function": {"name": "weather", "parameters": schema}}]
        asked = {"model": "m", "messages": messages, "tools": tools, **parameters}
        said = {"role": "assistant", "content": answers.format(word)}
        answer = {"id": f"gen-{id(messages)}", "choices": [{"index": 0, "message": said, "finish_reason": "stop"}]}
        turns.append(read(interaction(CHAT, asked, answer), len(turns)))
        messages = [*messages, said]
    return turns


def compared(ours: Sequence[Turn], theirs: Sequence[Turn]) -> list[tuple[Any, ...]]:
    return [(each.ours, each.theirs, each.same) for each in diff.compare(ours, theirs)]


def changes(ours: Sequence[Turn], theirs: Sequence[Turn]) -> list[str]:
    """The lines that were taken out and put in, over all interactions."""
    return [row for each in diff.compare(ours, theirs) for row in each.rows if row[:1] in "+-"]


def test_real_cassettes_say_what_they_say(shared: Path) -> None:
    for path in sorted((shared / "cassettes").rglob("*.yaml")):
        turns = load(path)
        assert [(place, place, True) for place in range(len(turns))] == compared(turns, turns)


def test_a_change_is_shown_where_it_was_made_and_not_again() -> None:
    ours, theirs = talk("a", "b", "c"), talk("a", "b", "c", system="Be cruel")
    assert [(0, 0, False), (1, 1, False), (2, 2, False)] == compared(ours, theirs)
    assert ["-  Be kind", "+  Be cruel"] == changes(ours, theirs)


def test_another_answer_is_shown_once_and_not_where_it_is_repeated() -> None:
    assert ["-  answer to a", "+  reply to a", "-  answer to b", "+  reply to b"] == changes(
        talk("a", "b"), talk("a", "b", answers="reply to {}")
    )


def test_parameters_and_schemas_are_compared_by_value() -> None:
    same = {"properties": {"place": {"type": "string"}}, "type": "object"}
    assert list(SCHEMA) != list(same)
    assert [] == changes(talk("a", temperature=0, seed=1), talk("a", schema=same, seed=1, temperature=0))
    assert ["-temperature: 0", "+temperature: 1"] == changes(talk("a", temperature=0), talk("a", temperature=1))
    other = {"type": "object", "properties": {"place": {"type": "number"}}}
    assert ['-        "type": "string"', '+        "type": "number"'] == changes(
        talk("a", "b"), talk("a", "b", schema=other)
    )


def test_what_was_put_in_between_leaves_the_others_with_their_partners() -> None:
    ours = [*talk("apples and pears"), *talk("a question about ships")]
    theirs = [*talk("apples and pears"), *talk("why is the sky so blue"), *talk("a question about ships")]
    assert [(0, 0, True), (None, 1, False), (1, 2, True)] == compared(ours, theirs)
    assert [(0, 0, True), (1, None, False), (2, 1, True)] == compared(theirs, ours)
    assert all(row.startswith("+") for row in changes(ours, theirs))


def test_what_was_changed_stays_with_what_it_was_changed_from() -> None:
    """Two new questions among old ones that were edited: likeness tells which is which."""
    edited = "Tell me a very long story about the {} old ships that came to the harbour of Rome"
    ours = [*talk(edited.format("three")), *talk("What is the sum of 2 and 3, and what is their product?", schema={})]
    theirs = [
        *talk("apples pears plums grapes", system="fruit", schema={}, model="x"),
        *talk(edited.format("four")),
        *talk("What is the sum of 2 and 4, and what is their product?", schema={}),
    ]
    assert [(None, 0, False), (0, 1, False), (1, 2, False)] == compared(ours, theirs)


def test_too_many_changes_are_paired_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(diff, "_MOST_PAIRS", 3)
    ours, theirs = [*talk("a"), *talk("b")], [*talk("c"), *talk("d"), *talk("e")]
    assert [(0, 0, False), (1, 1, False), (None, 2, False)] == compared(ours, theirs)


def test_ids_times_tokens_and_the_form_of_the_answer_mean_nothing() -> None:
    def turns(its_id: str, *, streamed: bool, arguments: str, usage: int) -> list[Turn]:
        call = {"index": 0, "id": its_id, "type": "function", "function": {"name": "f", "arguments": arguments}}
        said = {"role": "assistant", "tool_calls": [call]}
        choice = {"index": 0, "finish_reason": "tool_calls", ("delta" if streamed else "message"): said}
        answer = {"choices": [choice], "usage": {"prompt_tokens": usage}, "provider": f"P{usage}"}
        asked = {"model": "m", "messages": [{"role": "user", "content": "?"}], "stream": streamed}
        result = {"role": "tool", "tool_call_id": its_id, "content": json.dumps({"b": 1, "a": usage // usage})}
        again = {**asked, "messages": [{"role": "user", "content": "?"}, said, result]}
        body, kind = (events(answer), STREAM) if streamed else (answer, "application/json")
        return [read(interaction(CHAT, each, body, content_type=kind), at) for at, each in enumerate((asked, again))]

    ours = turns("call_1", streamed=True, arguments='{"a":1,"b":[2]}', usage=3)
    theirs = turns("toolu_9", streamed=False, arguments='{ "b": [2], "a": 1 }', usage=4)
    assert [(0, 0, True), (1, 1, True)] == compared(ours, theirs)
    other = turns("call_1", streamed=True, arguments='{"a":2,"b":[2]}', usage=3)
    assert 2 * ['-    "a": 1,', '+    "a": 2,'] == [
        row for row in changes(ours, other) if row.strip("+- ").startswith('"a"')
    ]


def test_reasoning_counts_where_it_is_asked_for() -> None:
    def thought(text: str) -> list[Turn]:
        asked = {"model": "m", "messages": [{"role": "user", "content": "?"}]}
        return [read(interaction(CHAT, asked, {"choices": [{"message": {"content": "!", "reasoning": text}}]}))]

    assert [True] == [each.same for each in diff.compare(thought("a"), thought("b"))]
    (found,) = diff.compare(thought("a"), thought("b"), reasoning=True)
    assert ["-  reasoning: a", "+  reasoning: b"] == [row for row in found.rows if row[0] in "+-"]


def test_a_refusal_is_no_answer() -> None:
    refused = [read(interaction(CHAT, {"model": "m", "messages": []}, {"error": "busy"}, code=503, status="503 Busy"))]
    answered = [read(interaction(CHAT, {"model": "m", "messages": []}, {"choices": [{"message": {"content": "Hi"}}]}))]
    assert ["+503 Busy", "+  busy"] == [row for row in changes(answered, refused) if row[0] == "+"]


def test_what_is_no_conversation_is_compared_by_its_bodies() -> None:
    def models(*names: str) -> list[Turn]:
        return [read(interaction("/models", b"", {"data": list(names)}))]

    assert ['-      "b"', '+      "c"'] == changes(models("a", "b"), models("a", "c"))


def test_an_interaction_of_its_own_is_shown_without_what_came_before() -> None:
    ours, theirs = talk("a"), talk("a", "b")
    rows = changes(ours, theirs)
    assert "+  b" in rows
    assert sum("answer to" in row for row in rows) in (1, 2)


def test_people_see_what_differs_and_how_much() -> None:
    found = diff.compare([*talk("a"), *talk("b")], [*talk("a", answers="reply to {}"), *talk("b")])
    text = "".join(style.paint(diff.rendered(found), colour=False))
    assert text.startswith("interaction 0\n@@ ")
    assert text.endswith("\n\n1 the same, 1 changed\n")
    assert ["no interactions in either\n"] == list(style.paint(diff.rendered([]), colour=False))
