"""`/chat/completions`, as OpenRouter answers it, and (`bare`) as OpenAI does: the same without OpenRouter's additions.

Shapes from recorded traffic of both, of 2025 and 2026: comment frames, `reasoning` and `reasoning_details` beside
`content`, a tool call's head and then its arguments in fragments, the finish reason, the usage, `data: [DONE]`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from recorder.simulator.behaviour import Behaviour
from recorder.simulator.dialogue import Ask, Reply, Result, Tool
from recorder.simulator.models import MODELS, Model
from recorder.simulator.script import HOLE, Answer, BadRequestError, Script, cost, deltas, event, single, stream
from recorder.simulator.seeded import Seeded

COMMENT = b": OPENROUTER PROCESSING\n\n"
DONE = b"data: [DONE]\n\n"


def ask(body: Mapping[str, Any]) -> Ask:
    """Raises BadRequestError where the messages are not a conversation."""
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages or not all(isinstance(item, dict) for item in messages):
        raise BadRequestError('Input required: specify "messages"')
    question = next((text(item.get("content")) for item in reversed(messages) if item.get("role") == "user"), "")
    model = MODELS.get(str(body.get("model")))
    return Ask(
        model=str(body.get("model", "")),
        question=question,
        tools=tuple(tools(body.get("tools"), body.get("tool_choice"))),
        must_call=must_call(body.get("tool_choice")),
        results=tuple(_results(messages)),
        reasons=_reasons(body, model),
        prompt_tokens=7 + len(json.dumps(messages)) // 4 + len(json.dumps(body.get("tools") or "")) // 4,
    )


def wants_usage(body: Mapping[str, Any]) -> bool:
    """OpenAI's way of asking for the usage at a stream's end, or OpenRouter's."""
    options, usage = body.get("stream_options"), body.get("usage")
    return bool(
        (isinstance(options, dict) and options.get("include_usage"))
        or (isinstance(usage, dict) and usage.get("include"))
    )


def text(content: Any) -> str:
    """A message's content: text, or a list of parts some of which are text."""
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    return "".join(str(part.get("text") or "") for part in parts if isinstance(part, dict))


def tools(items: Any, choice: Any = None) -> Iterator[Tool]:
    """Tools as Chat Completions names them (`function` within), and as Responses does (all at one level)."""
    if choice == "none" or not isinstance(items, list):
        return
    for item in items:
        function = item.get("function", item) if isinstance(item, dict) else {}
        if "name" in function:
            yield Tool(name=str(function["name"]), properties=properties(function.get("parameters")))


def properties(schema: Any) -> dict[str, str]:
    """A JSON schema's top-level types; whatever is no plain type counts as text."""
    known = schema.get("properties", {}) if isinstance(schema, dict) else {}
    return {
        name: str(rule.get("type", "string")) if isinstance(rule, dict) else "string" for name, rule in known.items()
    }


def must_call(choice: Any) -> str:
    if isinstance(choice, dict):
        return str(choice.get("function", choice).get("name", ""))
    return "any" if choice == "required" else ""


def arguments(encoded: Any) -> dict[str, Any]:
    try:
        value = json.loads(encoded or "{}")
    except (TypeError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def _results(messages: Sequence[Mapping[str, Any]]) -> Iterator[Result]:
    calls = {call.get("id"): call.get("function") or {} for item in messages for call in item.get("tool_calls") or ()}
    last = len(messages)
    while last and messages[last - 1].get("role") == "tool":
        last -= 1
    for item in messages[last:]:
        call = calls.get(item.get("tool_call_id"), {})
        yield Result(
            name=str(call.get("name", "the tool")),
            arguments=arguments(call.get("arguments")),
            output=text(item.get("content")),
        )


def _reasons(body: Mapping[str, Any], model: Model | None) -> bool:
    """OpenRouter's `reasoning` object, its older `include_reasoning`, or what the model does anyway."""
    wish = body.get("reasoning")
    if isinstance(wish, dict):
        return wish.get("enabled") is not False and wish.get("effort") != "none" and not wish.get("exclude")
    return bool(body.get("include_reasoning")) or (model is not None and model.reasons)


def generation(seeded: Seeded) -> str:
    """OpenRouter's id, which is also in the header `X-Generation-Id`."""
    return f"gen-{seeded.created}-{seeded.token('id', 20)}"


class _Shape:
    """One answer's fixed parts. `bare`: without what OpenRouter adds."""

    def __init__(self, asked: Ask, reply: Reply, seeded: Seeded, *, bare: bool) -> None:
        self.reply = reply
        self.bare = bare
        self.model = MODELS.get(asked.model) or next(iter(MODELS.values()))
        self.prompt_tokens = asked.prompt_tokens
        self.id = f"chatcmpl-{seeded.token('id', 29)}" if bare else generation(seeded)
        self.created = seeded.created
        self.name = asked.model if bare else self.model.dated

    def head(self, kind: str) -> dict[str, Any]:
        head = {"id": self.id, "object": kind, "created": self.created, "model": self.name}
        return head if self.bare else {**head, "provider": self.model.provider}

    def finish(self) -> dict[str, Any]:
        calls = bool(self.reply.calls)
        reason = {"finish_reason": "tool_calls" if calls else "stop"}
        if self.bare:
            return reason
        return {**reason, "native_finish_reason": self.model.native_calls if calls else self.model.native_stop}

    def unfinished(self) -> dict[str, Any]:
        return {"finish_reason": None} if self.bare else {"finish_reason": None, "native_finish_reason": None}

    def usage(self) -> dict[str, Any]:
        completion, reasoning = self.reply.completion_tokens, len(self.reply.reasoning)
        counts = {
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": completion,
            "total_tokens": self.prompt_tokens + completion,
        }
        if self.bare:
            return {
                **counts,
                "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
                "completion_tokens_details": {"reasoning_tokens": reasoning, "audio_tokens": 0},
            }
        for_prompt = self.prompt_tokens * self.model.prompt_price
        for_completion = completion * self.model.completion_price
        return {
            **counts,
            "cost": cost(for_prompt + for_completion),
            "is_byok": False,
            "prompt_tokens_details": {
                "cached_tokens": 0,
                "cache_write_tokens": 0,
                "audio_tokens": 0,
                "video_tokens": 0,
            },
            "cost_details": {
                "upstream_inference_cost": cost(for_prompt + for_completion),
                "upstream_inference_prompt_cost": cost(for_prompt),
                "upstream_inference_completions_cost": cost(for_completion),
            },
            "completion_tokens_details": {"reasoning_tokens": reasoning, "image_tokens": 0, "audio_tokens": 0},
        }

    def details(self, thought: str) -> list[dict[str, Any]]:
        return [{"type": "reasoning.text", "text": thought, "format": self.model.reasoning_format, "index": 0}]


def whole(asked: Ask, reply: Reply, behaviour: Behaviour, seeded: Seeded, *, bare: bool = False) -> Answer:
    shape = _Shape(asked, reply, seeded, bare=bare)
    thought = "".join(reply.reasoning)
    message: dict[str, Any] = {"role": "assistant", "content": str(reply.text) or None, "refusal": None}
    if not bare:
        message["reasoning"] = thought or None
    if reply.calls:
        message["tool_calls"] = [
            {
                "type": "function",
                **({} if bare else {"index": index}),
                "id": call.id,
                "function": {"name": call.name, "arguments": call.arguments},
            }
            for index, call in enumerate(reply.calls)
        ]
    if thought and not bare:
        message["reasoning_details"] = shape.details(thought)
    value = {
        **shape.head("chat.completion"),
        "system_fingerprint": None,
        "choices": [{"index": 0, "logprobs": None, **shape.finish(), "message": message}],
        "usage": shape.usage(),
    }
    return single(value, behaviour, keep_alives=0 if bare else behaviour.comments)


def streamed(
    asked: Ask, reply: Reply, behaviour: Behaviour, seeded: Seeded, *, usage: bool, bare: bool = False
) -> Answer:
    """`usage`: whether the client asked for it (`stream_options.include_usage`, `usage.include`)."""
    shape = _Shape(asked, reply, seeded, bare=bare)

    def chunk(delta: dict[str, Any], **more: Any) -> bytes:
        choice = {"index": 0, "delta": delta, **(more.pop("finish", None) or shape.unfinished())}
        return event({**shape.head("chat.completion.chunk"), "choices": [choice], **more})

    def say(content: str | None, **more: Any) -> dict[str, Any]:
        return {**more, "content": content} if bare else {"content": content, "role": "assistant", **more}

    opening = [chunk({"role": "assistant", "content": "", "refusal": None})] if bare else [COMMENT] * behaviour.comments
    if not bare:
        opening += [
            chunk(say("", reasoning=piece, reasoning_details=shape.details(piece))) for piece in reply.reasoning
        ]
    closing = [chunk(delta) for delta in _call_deltas(reply, bare=bare)]
    last: dict[str, Any] = {} if bare else {"content": "", "role": "assistant"}
    # Where a model reasoned, the delta that finishes says that it no longer does.
    ended = {"reasoning": None} if reply.reasoning and not bare else {}
    closing.append(chunk({**last, **ended}, finish=shape.finish()))
    if usage and bare:
        closing.append(event({**shape.head("chat.completion.chunk"), "choices": [], "usage": shape.usage()}))
    elif usage:
        closing.append(chunk(last, finish=shape.finish(), usage=shape.usage()))
    return stream(
        Script(
            opening=tuple(opening),
            deltas=deltas(chunk(say(HOLE)), reply.text, size=behaviour.event_bytes),
            closing=tuple(closing),
            terminal=(DONE,),
            failure=chunk(
                say(""),
                finish={"finish_reason": "error"} if bare else {"finish_reason": "error", "native_finish_reason": None},
                error={"code": "server_error", "message": "Provider disconnected unexpectedly"},
            ),
        ),
        behaviour,
    )


def _call_deltas(reply: Reply, *, bare: bool) -> Iterator[dict[str, Any]]:
    around: dict[str, Any] = {} if bare else {"content": None, "role": "assistant"}
    for index, call in enumerate(reply.calls):
        head = {"index": index, "id": call.id, "type": "function", "function": {"name": call.name, "arguments": ""}}
        yield {**around, "tool_calls": [head]}
        for piece in call.pieces:
            yield {**around, "tool_calls": [{"index": index, "function": {"arguments": piece}}]}
