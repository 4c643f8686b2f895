"""`/v1/messages`, Anthropic's API: content blocks, each started, filled and stopped; `message_stop` ends the stream.

Shapes from recorded traffic of api.anthropic.com, with thinking and with tools.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from recorder.simulator.behaviour import Behaviour
from recorder.simulator.dialogue import Ask, Reply, Result, Tool
from recorder.simulator.openai_chat import properties, text
from recorder.simulator.script import HOLE, Answer, BadRequestError, Script, deltas, event, single, stream
from recorder.simulator.seeded import Seeded

_CONTENT_TYPE = (b"content-type", b"text/event-stream; charset=utf-8")


def ask(body: Mapping[str, Any]) -> Ask:
    """Raises BadRequestError where the messages are not a conversation."""
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages or not all(isinstance(item, dict) for item in messages):
        raise BadRequestError("messages: Field required")
    if not isinstance(body.get("max_tokens"), int):
        raise BadRequestError("max_tokens: Field required")
    choice = body.get("tool_choice")
    choice = choice if isinstance(choice, dict) else {}
    thinking = body.get("thinking")
    return Ask(
        model=str(body.get("model", "")),
        question=next((text(item.get("content")) for item in reversed(messages) if item.get("role") == "user"), ""),
        tools=() if choice.get("type") == "none" else tuple(_tools(body.get("tools"))),
        must_call=str(choice.get("name", "")) or ("any" if choice.get("type") == "any" else ""),
        results=tuple(_results(messages)),
        reasons=isinstance(thinking, dict) and thinking.get("type") != "disabled",
        prompt_tokens=7 + len(json.dumps(messages)) // 4,
    )


def _tools(items: Any) -> Iterator[Tool]:
    for item in items if isinstance(items, list) else ():
        if isinstance(item, dict) and "input_schema" in item:
            yield Tool(name=str(item.get("name")), properties=properties(item["input_schema"]))


def _blocks(message: Mapping[str, Any]) -> list[dict[str, Any]]:
    content = message.get("content")
    return [block for block in content if isinstance(block, dict)] if isinstance(content, list) else []


def _results(messages: list[dict[str, Any]]) -> Iterator[Result]:
    calls = {block.get("id"): block for item in messages for block in _blocks(item) if block.get("type") == "tool_use"}
    for block in _blocks(messages[-1]):
        if block.get("type") == "tool_result":
            call = calls.get(block.get("tool_use_id"), {})
            given = call.get("input")
            yield Result(
                name=str(call.get("name", "the tool")),
                arguments=given if isinstance(given, dict) else {},
                output=text(block.get("content")),
            )


def whole(asked: Ask, reply: Reply, behaviour: Behaviour, seeded: Seeded) -> Answer:
    message = {
        **_message(asked, seeded),
        "content": [block for block, _ in _filled(reply, seeded)],
        "stop_reason": _stop_reason(reply),
        "stop_sequence": None,
        "usage": _usage(asked, reply.completion_tokens),
    }
    return single(message, behaviour)


def streamed(asked: Ask, reply: Reply, behaviour: Behaviour, seeded: Seeded) -> Answer:
    start = {
        **_message(asked, seeded),
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": _usage(asked, 1),
    }
    opening = [_event("message_start", message=start), _event("ping")]
    closing: list[bytes] = []
    text_deltas: Iterator[bytes] = iter(())
    for index, (block, fills) in enumerate(_filled(reply, seeded)):
        started = _event("content_block_start", index=index, content_block=_emptied(block))
        stopped = _event("content_block_stop", index=index)
        if block["type"] == "text":
            opening.append(started)
            template = _event("content_block_delta", index=index, delta={"type": "text_delta", "text": HOLE})
            text_deltas = deltas(template, reply.text, size=behaviour.event_bytes)
            closing.append(stopped)
        else:
            into = opening if block["type"] == "thinking" else closing
            into += [started, *(_event("content_block_delta", index=index, delta=fill) for fill in fills), stopped]
    ending = {"stop_reason": _stop_reason(reply), "stop_sequence": None}
    closing.append(_event("message_delta", delta=ending, usage=_usage(asked, reply.completion_tokens)))
    script = Script(
        opening=tuple(opening),
        deltas=text_deltas,
        closing=tuple(closing),
        terminal=(_event("message_stop"),),
        failure=_event("error", error={"type": "overloaded_error", "message": "Overloaded"}),
    )
    return stream(replace(script, headers=(_CONTENT_TYPE, *script.headers[1:])), behaviour)


def _event(kind: str, **fields: Any) -> bytes:
    return event({"type": kind, **fields}, kind)


def _message(asked: Ask, seeded: Seeded) -> dict[str, Any]:
    return {"model": asked.model, "id": f"msg_01{seeded.token('id', 22)}", "type": "message", "role": "assistant"}


def _stop_reason(reply: Reply) -> str:
    return "tool_use" if reply.calls else "end_turn"


def _usage(asked: Ask, output: int) -> dict[str, Any]:
    cache = {"cache_creation_input_tokens": 0, "cache_read_input_tokens": 0}
    return {"input_tokens": asked.prompt_tokens, **cache, "output_tokens": output}


def _filled(reply: Reply, seeded: Seeded) -> Iterator[tuple[dict[str, Any], list[dict[str, Any]]]]:
    """Each content block as it is at the end, and the deltas that fill it (the text's are made elsewhere)."""
    if reply.reasoning:
        signature = b64encode(seeded.noise("signature", 192)).decode()
        block = {"type": "thinking", "thinking": "".join(reply.reasoning), "signature": signature}
        fills = [{"type": "thinking_delta", "thinking": piece} for piece in reply.reasoning]
        yield block, [*fills, {"type": "signature_delta", "signature": signature}]
    if len(reply.text):
        yield {"type": "text", "text": str(reply.text)}, []
    for call in reply.calls:
        name = "toolu_01" + call.id.removeprefix("call_")[:22]
        block = {"type": "tool_use", "id": name, "name": call.name, "input": json.loads(call.arguments)}
        yield block, [{"type": "input_json_delta", "partial_json": piece} for piece in ("", *call.pieces)]


def _emptied(block: dict[str, Any]) -> dict[str, Any]:
    empty: dict[str, Any] = {"thinking": "", "signature": "", "text": "", "input": {}}
    return {name: empty.get(name, value) if name != "type" else value for name, value in block.items()}
