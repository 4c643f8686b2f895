"""Google's `generateContent`, and `streamGenerateContent?alt=sse`: little whole answers in a row, no terminal frame.

Shapes from recorded traffic of generativelanguage.googleapis.com, whose events end in CR LF CR LF.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from recorder.simulator.behaviour import Behaviour
from recorder.simulator.dialogue import Ask, Reply, Result, Tool
from recorder.simulator.openai_chat import properties
from recorder.simulator.script import HOLE, Answer, BadRequestError, Script, deltas, dumps, single, stream
from recorder.simulator.seeded import Seeded


def ask(body: Mapping[str, Any], model: str) -> Ask:
    """Raises BadRequestError where the contents are not a conversation."""
    contents = body.get("contents")
    if not isinstance(contents, list) or not contents or not all(isinstance(item, dict) for item in contents):
        raise BadRequestError("* GenerateContentRequest.contents: contents is not specified")
    questions = ("".join(_texts(item)) for item in reversed(contents) if item.get("role", "user") == "user")
    thinking = body.get("generationConfig", {}).get("thinkingConfig", {}) if "generationConfig" in body else {}
    return Ask(
        model=model,
        question=next(filter(None, questions), ""),
        tools=tuple(_tools(body.get("tools"))),
        results=tuple(_results(contents)),
        reasons=bool(thinking.get("includeThoughts")),
        prompt_tokens=7 + len(json.dumps(contents)) // 4,
    )


def _parts(content: Mapping[str, Any]) -> list[dict[str, Any]]:
    parts = content.get("parts")
    return [part for part in parts if isinstance(part, dict)] if isinstance(parts, list) else []


def _texts(content: Mapping[str, Any]) -> Iterator[str]:
    return (str(part["text"]) for part in _parts(content) if "text" in part)


def _tools(items: Any) -> Iterator[Tool]:
    for item in items if isinstance(items, list) else ():
        for declared in item.get("functionDeclarations", ()):
            schema = declared.get("parametersJsonSchema") or declared.get("parameters")
            types = {name: kind.lower() for name, kind in properties(schema).items()}  # STRING in Google's own spelling
            yield Tool(name=str(declared.get("name")), properties=types)


def _results(contents: list[dict[str, Any]]) -> Iterator[Result]:
    calls = [part["functionCall"] for item in contents for part in _parts(item) if "functionCall" in part]
    responses = [part["functionResponse"] for part in _parts(contents[-1]) if "functionResponse" in part]
    # A response names its function and no call: they are paired by order.
    for call, response in zip(calls[-len(responses) :], responses, strict=False):
        given = response.get("response", {})
        output = given.get("result", given.get("output", given)) if isinstance(given, dict) else given
        yield Result(
            name=str(response.get("name")),
            arguments=call.get("args") or {},
            output=output if isinstance(output, str) else dumps(output),
        )


def whole(asked: Ask, reply: Reply, behaviour: Behaviour, seeded: Seeded) -> Answer:
    parts: list[dict[str, Any]] = []
    if reply.reasoning:
        parts.append({"text": "".join(reply.reasoning), "thought": True})
    if len(reply.text):
        parts.append({"text": str(reply.text)})
    return single(_chunk(asked, reply, seeded, [*parts, *_calls(reply)], last=True), behaviour)


def streamed(asked: Ask, reply: Reply, behaviour: Behaviour, seeded: Seeded) -> Answer:
    def event(parts: list[dict[str, Any]], *, last: bool = False) -> bytes:
        return _event(_chunk(asked, reply, seeded, parts, last=last))

    # The finish reason is on the last chunk that says something, or with the calls.
    closing = event(_calls(reply) or [{"text": ""}], last=True)
    return stream(
        Script(
            opening=tuple(event([{"text": piece, "thought": True}]) for piece in reply.reasoning),
            deltas=deltas(event([{"text": HOLE}]), reply.text, size=behaviour.event_bytes),
            closing=(),
            terminal=(closing,),
            failure=_event({"error": {"code": 503, "message": "The model is overloaded.", "status": "UNAVAILABLE"}}),
        ),
        behaviour,
    )


def _event(value: Any) -> bytes:
    return f"data: {dumps(value)}\r\n\r\n".encode()


def _calls(reply: Reply) -> list[dict[str, Any]]:
    return [{"functionCall": {"name": call.name, "args": json.loads(call.arguments)}} for call in reply.calls]


def _chunk(asked: Ask, reply: Reply, seeded: Seeded, parts: list[dict[str, Any]], *, last: bool) -> dict[str, Any]:
    candidate: dict[str, Any] = {"content": {"parts": parts, "role": "model"}}
    if last:
        candidate["finishReason"] = "STOP"
    thoughts, said = len(reply.reasoning), reply.completion_tokens - len(reply.reasoning)
    return {
        "candidates": [{**candidate, "index": 0}],
        "usageMetadata": {
            "promptTokenCount": asked.prompt_tokens,
            "candidatesTokenCount": said,
            "totalTokenCount": asked.prompt_tokens + reply.completion_tokens,
            "promptTokensDetails": [{"modality": "TEXT", "tokenCount": asked.prompt_tokens}],
            **({"thoughtsTokenCount": thoughts} if thoughts else {}),
        },
        "modelVersion": asked.model,
        "responseId": seeded.token("id", 23),
    }
