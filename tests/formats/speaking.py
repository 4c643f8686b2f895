"""Interactions with a model, as small as they can be."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from recorder.model import Fields, Interaction
from tests.cassette.strategies import plain_interaction

ASKED = ({"role": "user", "content": "Hello"},)
CALL = {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": '{"city":"Pisa"}'}}


def asking(body: dict[str, Any], *, url: str = "https://openrouter.ai/api/v1/chat/completions") -> Interaction:
    one = plain_interaction()
    data = json.dumps({"model": "x/y", **body}).encode()
    return replace(one, request=replace(one.request, url=url, body=data, content_length=len(data)))


def answered(one: Interaction, body: bytes, kind: str = "application/json") -> Interaction:
    return replace(one, response=replace(one.response, body=body, headers=Fields([("Content-Type", kind)])))


def chat(*texts: str, asked: Any = ASKED, cost: float | None = None, **message: Any) -> Interaction:
    """Answered with `texts`, in as many choices' pieces as there are: whole if there is one."""
    usage = {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7, "cost": cost}
    if len(texts) == 1:
        choice = {"message": {"role": "assistant", "content": texts[0], **message}, "finish_reason": "stop"}
        value = {"model": "x/y", "choices": [choice], "usage": usage}
        return answered(asking({"messages": asked}), json.dumps(value).encode())
    chunks = [{"choices": [{"index": 0, "delta": {"content": text}}]} for text in texts]
    data = "".join(f"data: {json.dumps(chunk)}\n\n" for chunk in chunks) + "data: [DONE]\n\n"
    return answered(asking({"messages": asked}), data.encode(), "text/event-stream")


def streamed(asked: Any = ASKED) -> Interaction:
    """The call of a tool, in pieces."""
    function = CALL["function"]
    assert isinstance(function, dict)
    pieces = [
        {"index": 0, "id": "c1", "type": "function", "function": {"name": "weather", "arguments": ""}},
        *({"index": 0, "function": {"arguments": letter}} for letter in function["arguments"]),
    ]
    chunks = [{"choices": [{"index": 0, "delta": {"tool_calls": [piece]}}]} for piece in pieces]
    chunks.append({"choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]})
    data = "".join(f"data: {json.dumps(chunk)}\n\n" for chunk in chunks) + "data: [DONE]\n\n"
    return answered(asking({"messages": asked, "tools": [TOOL]}), data.encode(), "text/event-stream")


TOOL = {
    "type": "function",
    "function": {"name": "weather", "description": "Of a city", "parameters": {"type": "object"}, "strict": False},
}
