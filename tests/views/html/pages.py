"""Turns for the page's tests: simulated conversations, and one in which everything is hostile."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from recorder.llm.conversation import Turn, read
from recorder.model import Fields, Interaction
from recorder.replay.timing import Timing
from tests.llm.conversation.making import STREAM, interaction, octets, simulated

CHAT = "/api/v1/chat/completions"
WEATHER = {
    "type": "function",
    "function": {"name": "weather", "description": "Weather", "parameters": {"type": "object", "properties": {}}},
}
ASKED = {"model": "x-ai/grok-code-fast-1", "tools": [WEATHER], "stream": True, "usage": {"include": True}}
MS = 1_000_000

HOSTILE = (
    "<script>window.hacked=1</script>",
    "<img src=x onerror='window.hacked=1'>",
    '"><svg onload=window.hacked=1>',
    "</title></style></script><script>window.hacked=1</script>",
    "<a href='javascript:window.hacked=1'>x</a>",
    "<style>body{display:none}</style>",
    "<details open ontoggle=window.hacked=1>",
    "<meta http-equiv=refresh content='0;url=https://example.com'>",
    "<!-- ]]> <![CDATA[ &lt;script&gt; &#x3c;script&#x3e; $title ${main}",
    "user\u202etxt.exe\u2066 \u200f\u0000\u001b[31m \u2028 \ud800 \ufeff",
    "javascript:window.hacked=1",
)


def conversation(rounds: int = 3) -> tuple[Interaction, ...]:
    """A question, calls of a tool with their results, streamed by the simulated OpenRouter; an error; an upload."""
    messages: list[dict[str, Any]] = [
        {"role": "system", "content": "You are a careful assistant.\n" * 40},
        {"role": "user", "content": "What's the weather in Florence, Italy?"},
    ]
    made: list[Interaction] = []
    for number in range(rounds):
        asked = {**ASKED, "messages": list(messages)}
        code, body, content_type = simulated(CHAT, asked)
        told = interaction(CHAT, asked, body, content_type=content_type, code=code)
        response = replace(told.response, duration=(300 + 170 * number) * MS)
        made.append(replace(told, response=response))
        messages += _went_on(read(made[-1]), number)
    refused = interaction(CHAT, {"model": "m", "messages": []}, {"error": {"message": "slow down"}}, code=429)
    return (*made, refused, interaction("/upload", b"not JSON", b"plain words", content_type="text/plain"))


def _went_on(turn: Turn, number: int) -> list[dict[str, Any]]:
    """What a program sends next: the answer, and its tools' results or another question."""
    calls = [
        {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
        for call in turn.tool_calls
    ]
    said = {"role": "assistant", "content": turn.text, **({"tool_calls": calls} if calls else {})}
    weather = json.dumps({"degrees": [40] * 60, "sky": "clear"})
    results = [{"role": "tool", "tool_call_id": call["id"], "content": weather} for call in calls]
    return [said, *(results or [{"role": "user", "content": f"And tomorrow ({number})?"}])]


def timings(interactions: tuple[Interaction, ...]) -> list[Timing | None]:
    """For each stream: its events, some milliseconds apart."""
    return [_timing(each) if each.response.headers.first("Content-Type") == STREAM else None for each in interactions]


def _timing(each: Interaction) -> Timing:
    lengths = [len(event) + 2 for event in each.response.body.split(b"\n\n")]
    lengths[-1] -= 2
    began = each.response.duration
    chunks = ((began + (20 + 35 * place + 13 * (place % 3)) * MS, length) for place, length in enumerate(lengths))
    return Timing(headers=began, chunks=tuple(chunks))


def hostile() -> tuple[Interaction, ...]:
    """Each of the texts in every place that a page shows."""
    return tuple(map(_hostile, HOSTILE))


def _hostile(text: str) -> Interaction:
    call = {"id": text, "type": "function", "function": {"name": text, "arguments": json.dumps({text: text})}}
    asked = {
        "model": text,
        text: text,
        "messages": [
            {"role": text, "name": text, "content": text},
            {"role": "user", "content": [{"type": "image_url", "image_url": {"url": text}}]},
            {"role": "tool", "tool_call_id": text, "name": text, "content": text * 30},
        ],
        "tools": [{"type": "function", "function": {"name": text, "description": text, "parameters": {text: text}}}],
    }
    message = {"role": text, "content": text, "reasoning": text, "refusal": text, "tool_calls": [call]}
    choice = {"index": 0, "message": message, "finish_reason": text}
    told = {"model": text, "provider": text, "choices": [choice], "error": {"message": text}}
    made = interaction(CHAT, asked, octets(told), status="200 " + text)
    return replace(made, request=replace(made.request, url=f"https://{text}/{text}", headers=Fields([(text, text)])))


def turns(interactions: tuple[Interaction, ...]) -> list[Turn]:
    return [read(each, number) for number, each in enumerate(interactions)]


def agent(count: int) -> tuple[Interaction, ...]:
    """A long session: each request repeats the task so far."""
    made: list[Interaction] = []
    messages: list[dict[str, Any]] = []
    for number in range(count):
        if number % 20 == 0:
            messages = [{"role": "system", "content": "Be kind. " * 300}, {"role": "user", "content": f"Task {number}"}]
        function = {"name": "read_file", "arguments": json.dumps({"path": f"/src/{number}.py", "lines": [1, 200]})}
        message = {
            "role": "assistant",
            "reasoning": "I should read it. " * 20,
            "content": f"Reading file {number}.",
            "tool_calls": [{"id": f"c{number}", "type": "function", "function": function}],
        }
        usage = {"prompt_tokens": 1000 + number % 20 * 400, "completion_tokens": 130, "cost": 0.0002}
        told = {"model": "x-ai/grok", "choices": [{"index": 0, "message": message}], "usage": usage}
        made.append(interaction(CHAT, {"model": "m", "messages": list(messages), "tools": [WEATHER]}, told))
        result = {"role": "tool", "tool_call_id": f"c{number}", "content": "def f():\n    return 1\n" * 40}
        messages += [message, result]
    return tuple(made)
