"""Turns as plain JSON values, for programs: the names are those of the library. What was not told is null."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from recorder.llm.conversation import Message, Part, ToolCall, Turn

_KINDS = {"ToolCall": "tool_call", "ToolResult": "tool_result"}


def turn(turn: Turn) -> dict[str, Any]:
    """`duration_ns`: from the request sent to the response's headers."""
    return {
        "id": turn.id,
        "api": turn.api or None,
        "method": turn.interaction.request.method,
        "url": turn.interaction.request.url,
        "status": turn.status,
        "duration_ns": turn.duration,
        "streamed": turn.streamed,
        "model": turn.model,
        "provider": turn.provider,
        "finish_reason": turn.finish_reason,
        "error": turn.error or None,
        "usage": asdict(turn.usage),
        "parameters": dict(turn.parameters),
        "tools": [asdict(tool) for tool in turn.tools],
        "prompt": [_message(message) for message in turn.prompt],
        "answers": [{**_message(answer.message), "finish_reason": answer.finish_reason} for answer in turn.answers],
    }


def _message(message: Message) -> dict[str, Any]:
    return {"role": message.role, "name": message.name or None, "parts": [_part(part) for part in message.parts]}


def _part(part: Part) -> dict[str, Any]:
    name = type(part).__name__
    value = {"type": _KINDS.get(name, name.lower()), **asdict(part)}
    return {**value, "parsed": part.parsed} if isinstance(part, ToolCall) else value
