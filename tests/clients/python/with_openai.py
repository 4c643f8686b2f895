"""The OpenAI SDK: asks what each of the files that are named says, prints a line for each piece, and the answer."""

import json
import os
import sys
from pathlib import Path
from typing import Any

import openai
from openai import OpenAI

client: Any = OpenAI() if "OPENAI_BASE_URL" in os.environ else OpenAI(base_url="https://openrouter.ai/api/v1")


def whole(body: dict[str, Any]) -> dict[str, Any]:
    completion = client.chat.completions.create(**body)
    message = completion.choices[0].message
    calls = [[call.function.name, call.function.arguments] for call in message.tool_calls or []]
    return {"text": message.content or "", "calls": calls, "tokens": completion.usage.total_tokens}


def streamed(body: dict[str, Any]) -> dict[str, Any]:
    text, tokens = "", 0
    calls: list[list[str]] = []
    for chunk in client.chat.completions.create(**body):
        print("piece", flush=True)
        for choice in chunk.choices:
            text += choice.delta.content or ""
            for part in choice.delta.tool_calls or []:
                if part.index == len(calls):
                    calls.append([part.function.name, ""])
                calls[part.index][1] += part.function.arguments or ""
        tokens = chunk.usage.total_tokens if chunk.usage else tokens
    return {"text": text, "calls": calls, "tokens": tokens}


print(openai.__version__, end="\0")
for name in sys.argv[1:]:
    body = json.loads(Path(name).read_bytes())
    print(json.dumps(streamed(body) if body.get("stream") else whole(body)), end="\0", flush=True)
