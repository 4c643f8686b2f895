"""LangChain: asks what each of the files that are named says, prints a line for each piece, and the answer."""

import json
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

from langchain_openrouter import ChatOpenRouter


def ask(body: dict[str, Any]) -> dict[str, Any]:
    model: Any = ChatOpenRouter(model=body["model"], stream_usage=True)
    if "tools" in body:
        model = model.bind_tools(body["tools"])
    if not body.get("stream"):
        return answer(model.invoke(body["messages"]))
    message: Any = None
    for chunk in model.stream(body["messages"]):
        print("piece", flush=True)
        message = chunk if message is None else message + chunk
    return answer(message)


def answer(message: Any) -> dict[str, Any]:
    calls = [[call["name"], json.dumps(call["args"])] for call in message.tool_calls]
    return {"text": message.text, "calls": calls, "tokens": message.usage_metadata["total_tokens"]}


print(version("langchain-openrouter"), end="\0")
for name in sys.argv[1:]:
    print(json.dumps(ask(json.loads(Path(name).read_bytes()))), end="\0", flush=True)
