"""`/v1/responses`, OpenAI's later API: typed events in numbered sequence; `response.completed` ends it, no `[DONE]`.

Shapes: OpenAI's API reference (Responses, streaming events), held against the models of its Python client in the tests.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from itertools import count
from typing import Any

from recorder.simulator.behaviour import Behaviour
from recorder.simulator.dialogue import Ask, Call, Reply, Result
from recorder.simulator.openai_chat import arguments, must_call, text, tools
from recorder.simulator.script import HOLE, Answer, BadRequestError, Script, deltas, event, single, stream
from recorder.simulator.seeded import Seeded

Item = dict[str, Any]


def ask(body: Mapping[str, Any]) -> Ask:
    """Raises BadRequestError where `input` is neither text nor items."""
    given = body.get("input")
    items = [{"role": "user", "content": given}] if isinstance(given, str) else given
    if not isinstance(items, list) or not items or not all(isinstance(item, dict) for item in items):
        raise BadRequestError("Missing required parameter: 'input'.")
    return Ask(
        model=str(body.get("model", "")),
        question=next((text(item.get("content")) for item in reversed(items) if item.get("role") == "user"), ""),
        tools=tuple(tools(body.get("tools"), body.get("tool_choice"))),
        must_call=must_call(body.get("tool_choice")),
        results=tuple(_results(items)),
        reasons=isinstance(body.get("reasoning"), dict),
        prompt_tokens=7 + len(json.dumps(items)) // 4,
    )


def _results(items: list[Item]) -> Iterator[Result]:
    calls = {item.get("call_id"): item for item in items if item.get("type") == "function_call"}
    last = len(items)
    while last and items[last - 1].get("type") == "function_call_output":
        last -= 1
    for item in items[last:]:
        call = calls.get(item.get("call_id"), {})
        yield Result(
            name=str(call.get("name", "the tool")),
            arguments=arguments(call.get("arguments")),
            output=text(item.get("output")),
        )


def whole(asked: Ask, reply: Reply, behaviour: Behaviour, seeded: Seeded) -> Answer:
    return single(_response(asked, reply, seeded, output=_output(reply, seeded)), behaviour)


def streamed(asked: Ask, reply: Reply, behaviour: Behaviour, seeded: Seeded) -> Answer:
    numbers = count()

    def typed(kind: str, **fields: Any) -> bytes:
        return event({"type": kind, **fields, "sequence_number": next(numbers)}, kind)

    items = _output(reply, seeded)
    started = _response(asked, reply, seeded, output=None)
    opening = [typed("response.created", response=started), typed("response.in_progress", response=started)]
    closing: list[bytes] = []
    text_deltas: Iterator[bytes] = iter(())
    failure_at = 0
    for index, item in enumerate(items):
        if item["type"] == "reasoning":
            opening += _reasoning(typed, index, item, reply)
        elif item["type"] == "message":
            opening += _message_start(typed, index, item)
            failure_at = next(numbers)
            text_deltas = _text(index, item, reply, first=failure_at, size=behaviour.event_bytes)
            numbers = count(failure_at + len(reply.text))
            closing += _message_end(typed, index, item)
        else:
            closing += _call(typed, index, item, reply.calls[index - len(items)])
    response = _response(asked, reply, seeded, output=items)
    failed = {**started, "status": "failed", "error": {"code": "server_error", "message": "The model failed."}}
    at = failure_at + (behaviour.error_at or 0)
    return stream(
        Script(
            opening=tuple(opening),
            deltas=text_deltas,
            closing=tuple(closing),
            terminal=(typed("response.completed", response=response),),
            failure=event({"type": "response.failed", "response": failed, "sequence_number": at}, "response.failed"),
        ),
        behaviour,
    )


def _response(asked: Ask, reply: Reply, seeded: Seeded, *, output: list[Item] | None) -> dict[str, Any]:
    """`output`: None while it is under way."""
    done = output is not None
    return {
        "id": f"resp_{seeded.noise('response', 25).hex()}",
        "object": "response",
        "created_at": seeded.created,
        "status": "completed" if done else "in_progress",
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "metadata": {},
        "model": asked.model,
        "output": output or [],
        "parallel_tool_calls": True,
        "temperature": 1.0,
        "tool_choice": "auto",
        "tools": [],
        "top_p": 1.0,
        "usage": _usage(asked, reply) if done else None,
    }


def _usage(asked: Ask, reply: Reply) -> dict[str, Any]:
    return {
        "input_tokens": asked.prompt_tokens,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": reply.completion_tokens,
        "output_tokens_details": {"reasoning_tokens": len(reply.reasoning)},
        "total_tokens": asked.prompt_tokens + reply.completion_tokens,
    }


def _output(reply: Reply, seeded: Seeded) -> list[Item]:
    """The items as they are when all is said: at most one of reasoning, at most one message, then the calls."""
    items: list[Item] = []
    if reply.reasoning:
        summary = [{"type": "summary_text", "text": "".join(reply.reasoning)}]
        items.append({"id": f"rs_{seeded.noise('reasoning', 25).hex()}", "type": "reasoning", "summary": summary})
    if len(reply.text):
        part = {"type": "output_text", "annotations": [], "logprobs": [], "text": str(reply.text)}
        items.append(
            {
                "id": f"msg_{seeded.noise('message', 25).hex()}",
                "type": "message",
                "status": "completed",
                "role": "assistant",
                "content": [part],
            }
        )
    items += [_call_item(call, seeded) for call in reply.calls]
    return items


def _call_item(call: Call, seeded: Seeded) -> Item:
    return {
        "id": f"fc_{seeded.noise(call.id, 25).hex()}",
        "type": "function_call",
        "status": "completed",
        "call_id": call.id,
        "name": call.name,
        "arguments": call.arguments,
    }


def _reasoning(typed: Any, index: int, item: Item, reply: Reply) -> Iterator[bytes]:
    at = {"item_id": item["id"], "output_index": index, "summary_index": 0}
    part = item["summary"][0]
    yield typed("response.output_item.added", output_index=index, item={**item, "summary": []})
    yield typed("response.reasoning_summary_part.added", **at, part={**part, "text": ""})
    for piece in reply.reasoning:
        yield typed("response.reasoning_summary_text.delta", **at, delta=piece)
    yield typed("response.reasoning_summary_text.done", **at, text=part["text"])
    yield typed("response.reasoning_summary_part.done", **at, part=part)
    yield typed("response.output_item.done", output_index=index, item=item)


def _message_start(typed: Any, index: int, item: Item) -> Iterator[bytes]:
    at = {"item_id": item["id"], "output_index": index, "content_index": 0}
    yield typed("response.output_item.added", output_index=index, item={**item, "status": "in_progress", "content": []})
    yield typed("response.content_part.added", **at, part={**item["content"][0], "text": ""})


def _text(index: int, item: Item, reply: Reply, *, first: int, size: int) -> Iterator[bytes]:
    kind = "response.output_text.delta"
    at = {"item_id": item["id"], "output_index": index, "content_index": 0}
    for number, piece in enumerate(reply.text, first):
        template = event({"type": kind, **at, "delta": HOLE, "logprobs": [], "sequence_number": number}, kind)
        yield from deltas(template, (piece,), size=size)


def _message_end(typed: Any, index: int, item: Item) -> Iterator[bytes]:
    at = {"item_id": item["id"], "output_index": index, "content_index": 0}
    part = item["content"][0]
    yield typed("response.output_text.done", **at, text=part["text"], logprobs=[])
    yield typed("response.content_part.done", **at, part=part)
    yield typed("response.output_item.done", output_index=index, item=item)


def _call(typed: Any, index: int, item: Item, call: Call) -> Iterator[bytes]:
    at = {"item_id": item["id"], "output_index": index}
    started = {**item, "status": "in_progress", "arguments": ""}
    yield typed("response.output_item.added", output_index=index, item=started)
    for piece in call.pieces:
        yield typed("response.function_call_arguments.delta", **at, delta=piece)
    yield typed("response.function_call_arguments.done", **at, name=call.name, arguments=call.arguments)
    yield typed("response.output_item.done", output_index=index, item=item)
