"""What an answer says, be it whole, in events, or as an SDK's program has printed it: three ways to the same value."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain
from typing import Any, Self


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """`calls`: the tools' names and arguments. SDKs write the arguments in their own spacing, so they are values."""

    text: str
    calls: list[tuple[str, Any]]
    tokens: int

    @classmethod
    def make(cls, text: str | None, calls: Iterable[tuple[str, str]], tokens: int) -> Self:
        return cls(text=text or "", calls=[(name, json.loads(arguments)) for name, arguments in calls], tokens=tokens)

    @classmethod
    def loads(cls, body: bytes) -> Self:
        """From what the upstream sent."""
        events = [json.loads(line[6:]) for line in body.splitlines() if line.startswith(b"data: {")]
        return cls._streamed(events) if events else cls._whole(json.loads(body))

    @classmethod
    def printed(cls, text: bytes) -> Self:
        """From what a program of tests/clients printed: its last line."""
        answer = json.loads(text.splitlines()[-1])
        return cls.make(answer["text"], answer["calls"], answer["tokens"])

    @classmethod
    def _whole(cls, completion: dict[str, Any]) -> Self:
        message = completion["choices"][0]["message"]
        functions = [call["function"] for call in message.get("tool_calls", [])]
        calls = [(function["name"], function["arguments"]) for function in functions]
        return cls.make(message["content"], calls, completion["usage"]["total_tokens"])

    @classmethod
    def _streamed(cls, events: list[dict[str, Any]]) -> Self:
        deltas = [choice["delta"] for event in events for choice in event["choices"]]
        calls: dict[int, tuple[str, str]] = {}
        for part in chain.from_iterable(delta.get("tool_calls") or [] for delta in deltas):
            name, arguments = calls.get(part["index"], (part["function"].get("name", ""), ""))
            calls[part["index"]] = (name, arguments + part["function"]["arguments"])
        (tokens,) = (event["usage"]["total_tokens"] for event in events if "usage" in event)
        return cls.make("".join(delta["content"] or "" for delta in deltas), calls.values(), tokens)
