"""The demo's client: a program as any user would write it, which knows nothing of the recorder.

The conversation is the one of the cassette that the project was started from: a question, the call of a weather tool,
the tool's result, an answer; both turns streamed.
"""

from __future__ import annotations

import argparse
import os
import sys
from typing import Any

from openai import OpenAI

_TOOL = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "Get weather information for a location",
        "strict": False,
        "parameters": {
            "type": "object",
            "properties": {"location": {"type": "string", "description": "the city"}},
            "required": ["location"],
        },
    },
}
_RESULT = "40 C"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m recorder.cli.demo_client", description=__doc__)
    parser.add_argument("--model", required=True)
    model = parser.parse_args().model
    client = OpenAI(
        api_key=os.environ["OPENROUTER_API_KEY"],
        base_url=os.environ.get("OPENROUTER_BASE_URL", "https://openrouter.ai/api/v1"),
    )
    messages: list[dict[str, Any]] = [
        {"role": "system", "content": "You are a helpful assistant"},
        {"role": "user", "content": "What's the weather in Florence,Italy?"},
    ]
    _say("user", messages[1]["content"])
    for _ in range(4):  # a model that only ever calls tools is let go
        text, calls = _turn(client, model, messages)
        if not calls:
            return
        messages.append({"role": "assistant", "content": text, "tool_calls": calls})
        for call in calls:
            _say("tool", _RESULT)
            messages.append({"role": "tool", "tool_call_id": call["id"], "content": _RESULT})


def _turn(client: OpenAI, model: str, messages: list[dict[str, Any]]) -> tuple[str, list[dict[str, Any]]]:
    """One streamed turn: the text as it comes, and the tool calls that it adds up to."""
    create: Any = client.chat.completions.create  # its types ask for classes of the SDK where it takes plain dicts
    stream = create(
        model=model,
        messages=messages,
        tools=[_TOOL],
        max_tokens=4000,
        stream=True,
        stream_options={"include_usage": True},
        extra_body={"usage": {"include": True}},
    )
    text = ""
    calls: dict[int, dict[str, Any]] = {}
    for chunk in stream:
        if not chunk.choices:
            continue
        delta = chunk.choices[0].delta
        if delta.content:
            text += delta.content
            _say("assistant" if text == delta.content else "", delta.content, end="")
        for part in delta.tool_calls or []:
            call = calls.setdefault(
                part.index, {"id": "", "type": "function", "function": {"name": "", "arguments": ""}}
            )
            call["id"] += part.id or ""
            call["function"]["name"] += part.function.name or ""
            call["function"]["arguments"] += part.function.arguments or ""
    if text:
        _say("", "")
    for call in calls.values():
        _say("assistant", f"{call['function']['name']}({call['function']['arguments']})")
    return text, list(calls.values())


def _say(who: str, what: str, *, end: str = "\n") -> None:
    sys.stdout.write(f"  {who + ':':<11}{what}{end}" if who else f"{what}{end}")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
