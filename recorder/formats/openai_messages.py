"""Conversations as OpenAI's fine-tuning and evals take them: a line of `{"messages": […], "tools": […]}` for each.

A program sends all that was said before with each request. So a turn that a later one goes on from is not told by
itself: its messages are the beginning of the later one's. Calls that failed, and those of no model, are left out.
"""

from __future__ import annotations

import json
from collections.abc import Hashable, Iterable, Iterator
from typing import Any

from recorder.formats.exported_session import Session, line
from recorder.llm import conversation
from recorder.llm.conversation import Attachment, Message, Text, Tool, ToolCall, Turn
from recorder.wire import lenient_json

# What OpenAI's own API has for a message; other providers add to it.
_KEPT = ("role", "content", "name", "tool_calls", "tool_call_id", "refusal")
_PARTS = ("text", "image_url", "input_audio", "file", "refusal")


def dumps(sessions: Iterable[Session], *, every_turn: bool = False) -> Iterator[str]:
    """`every_turn`: a line for each answer, for evals of single steps."""
    for session in sessions:
        turns = [conversation.read(each, number) for number, each in enumerate(session.interactions)]
        answered = [turn for turn in turns if turn.answers and not turn.error]
        for turn in answered if every_turn else _last(answered):
            yield line(_record(turn))


def _last(turns: list[Turn]) -> Iterator[Turn]:
    """The turns that no later one goes on from, in their order."""
    goes_on: set[int] = set()
    whole: dict[Hashable, list[int]] = {}  # what was said in a turn → the turns
    for place, turn in enumerate(turns):
        said = _said(turn)
        for end in range(1, len(said) + 1):
            goes_on.update(whole.pop(said[end - 1], ()))
        if said:
            whole.setdefault(said[-1], []).append(place)
    return (turn for place, turn in enumerate(turns) if place not in goes_on)


def _said(turn: Turn) -> list[Hashable]:
    """For each message what was said up to it, as a number that stands for it: comparing beginnings is cheap so."""
    chain: Hashable = ()
    found: list[Hashable] = []
    for message in turn.messages:
        calls = tuple((call.name, _canonical(call)) for call in message.tool_calls)
        results = tuple((result.id, result.text) for result in message.tool_results)
        chain = hash((chain, message.role, message.text.strip(), calls, results))
        found.append(chain)
    return found


def _canonical(call: ToolCall) -> str:
    """Programs send back the arguments as they have parsed them."""
    parsed = call.parsed
    return call.arguments if parsed is None else json.dumps(parsed, sort_keys=True)


def _record(turn: Turn) -> dict[str, Any]:
    request = lenient_json.mapping(lenient_json.loads(turn.interaction.request.body))
    if turn.api == "chat":
        prompt = [_as_sent(message) for message in lenient_json.dicts(request.get("messages"))]
        tools = [tool for tool in lenient_json.dicts(request.get("tools")) if tool.get("type") == "function"]
    else:
        prompt = [each for message in turn.prompt for each in _written(message)]
        tools = [_tool(tool) for tool in turn.tools]
    told: dict[str, Any] = {"messages": [*prompt, *_written(turn.answer)]}
    if tools:
        told["tools"] = tools
    return told


def _as_sent(message: dict[str, Any]) -> dict[str, Any]:
    told = {name: message[name] for name in _KEPT if message.get(name) is not None}
    if isinstance(told.get("content"), list):
        told["content"] = [
            {name: part[name] for name in ("type", part["type"]) if name in part}
            for part in lenient_json.dicts(told["content"])
            if part.get("type") in _PARTS
        ]
    return told


def _written(message: Message) -> Iterator[dict[str, Any]]:
    """A message of any API in OpenAI's words; results of tools are a message each."""
    results = message.tool_results
    for result in results:
        yield {"role": "tool", "tool_call_id": result.id or _id(result.name), "content": result.text}
    content = [part for part in message.parts if isinstance(part, Text | Attachment)]
    calls = [
        {
            "id": call.id or _id(call.name),
            "type": "function",
            "function": {"name": call.name, "arguments": call.arguments},
        }
        for call in message.tool_calls
    ]
    if results and not (content or calls):
        return
    told: dict[str, Any] = {"role": "user" if message.role == "tool" else message.role, "content": _content(content)}
    if message.name:
        told["name"] = message.name
    if message.refusal:
        told["refusal"] = message.refusal
    if calls:
        told["tool_calls"] = calls
    yield told


def _id(name: str) -> str:
    """For APIs without ids: Gemini's calls and results find each other by their names."""
    return f"call_{name}"


def _content(parts: list[Text | Attachment]) -> str | list[dict[str, Any]] | None:
    if all(isinstance(part, Text) for part in parts):
        return "".join(part.text for part in parts if isinstance(part, Text)) or None
    return [_part(part) for part in parts]


def _part(part: Text | Attachment) -> dict[str, Any]:
    if isinstance(part, Text):
        return {"type": "text", "text": part.text}
    if part.kind == "image" and part.url:
        return {"type": "image_url", "image_url": {"url": part.url}}
    return {"type": "text", "text": f"[{part.kind} {part.name or part.media_type}]".replace(" ]", "]")}


def _tool(tool: Tool) -> dict[str, Any]:
    told = {"name": tool.name, "description": tool.description, "parameters": dict(tool.schema)}
    return {"type": "function", "function": {name: value for name, value in told.items() if value}}
