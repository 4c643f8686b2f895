"""OpenAI's Responses API: items in, items out; a stream tells of each as it grows, and of all of them at its end."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from recorder.llm.conversation.parts import arguments, attachment, joined, plain_text, said
from recorder.llm.conversation.turn import Answer, Message, Part, Reasoning, Refusal, Text, Tool, ToolCall, ToolResult
from recorder.wire import lenient_json

# --- what was sent


def prompt(request: dict[str, Any]) -> Iterator[Message]:
    if instructions := lenient_json.text(request.get("instructions")):
        yield said("system", [Text(text=instructions)])
    given = request.get("input")
    if isinstance(given, str):
        yield said("user", [Text(text=given)])
    yield from _together(_item(item) for item in lenient_json.dicts(given))


def tools(request: dict[str, Any]) -> Iterator[Tool]:
    for tool in lenient_json.dicts(request.get("tools")):
        rest = {name: value for name, value in tool.items() if name not in ("type", "name", "description")}
        is_function = tool.get("type") == "function"
        yield Tool(
            name=lenient_json.text(tool.get("name")) or lenient_json.text(tool.get("type")) or "",
            description=lenient_json.text(tool.get("description")) or "",
            schema=lenient_json.mapping(tool.get("parameters")) if is_function else rest,
        )


def _together(messages: Iterable[Message]) -> Iterator[Message]:
    """What an assistant says in one go (thoughts, words, calls) is several items; here it is one message."""
    open_one: Message | None = None
    for message in messages:
        if open_one is not None and message.role == open_one.role == "assistant":
            open_one = Message(role="assistant", parts=(*open_one.parts, *message.parts))
            continue
        if open_one is not None:
            yield open_one
        open_one = message
    if open_one is not None:
        yield open_one


def _item(item: dict[str, Any]) -> Message:
    kind = lenient_json.text(item.get("type")) or "message"
    if kind == "message":
        role = lenient_json.text(item.get("role")) or "user"
        return said(role, _content(item.get("content")))
    if kind.endswith("_call_output"):
        text, its_id = plain_text(item.get("output")), lenient_json.text(item.get("call_id")) or ""
        return said("tool", [ToolResult(text=text, id=its_id)])
    return said("assistant", [_step(kind, item)])


def _content(content: Any) -> Iterator[Part]:
    if isinstance(content, str):
        yield Text(text=content)
    for part in lenient_json.dicts(content):
        yield _part(part)


def _part(part: dict[str, Any]) -> Part:
    kind = lenient_json.text(part.get("type")) or ""
    match kind:
        case "input_text" | "output_text" | "text":
            return Text(text=lenient_json.text(part.get("text")) or "")
        case "refusal":
            return Refusal(text=lenient_json.text(part.get("refusal")) or "")
        case "input_image":
            return attachment("image", url=part.get("image_url"), name=part.get("file_id"))
        case "input_audio":
            audio = part.get("input_audio")
            return attachment("audio", data=lenient_json.at(audio, "data"), media_type=lenient_json.at(audio, "format"))
        case "input_file":
            link = part.get("file_data") or part.get("file_url")
            return attachment("file", url=link, name=part.get("filename") or part.get("file_id"))
    return attachment(kind or "unknown")


def _step(kind: str, item: dict[str, Any]) -> Part:
    """Something that the model did and that is no message: it thought, or called a tool, its own or the provider's."""
    if kind == "reasoning":
        told = [*lenient_json.dicts(item.get("summary")), *lenient_json.dicts(item.get("content"))]
        text = "\n\n".join(lenient_json.text(part.get("text")) or "" for part in told)
        return Reasoning(text=text, sealed=len(lenient_json.text(item.get("encrypted_content")) or ""))
    if kind == "image_generation_call":
        return attachment("image", data=item.get("result"))
    its_id = lenient_json.text(item.get("call_id")) or lenient_json.text(item.get("id")) or ""
    if kind.endswith("_call"):
        written = next(
            (item[name] for name in ("arguments", "input", "action", "code", "queries") if name in item), None
        )
        name = lenient_json.text(item.get("name")) or kind.removesuffix("_call")
        return ToolCall(name=name, arguments=arguments(written), id=its_id)
    return attachment(kind, name=its_id)


# --- what came back


def answers(values: Iterable[dict[str, Any]], *, streamed: bool) -> Iterator[Answer]:
    if streamed:
        response = _added_up(values)
        if response:
            yield _answer(response)
        return
    for value in values:
        if isinstance(value.get("output"), list):
            yield _answer(value)


def _answer(response: dict[str, Any]) -> Answer:
    parts: list[Part] = []
    for item in lenient_json.dicts(response.get("output")):
        parts.extend(_item({"role": "assistant", **item}).parts)
    return Answer(message=said("assistant", joined(parts)), finish_reason=_reason(response))


def _reason(response: dict[str, Any]) -> str | None:
    if response.get("status") == "in_progress":  # what a stream begins with: it was cut
        return None
    return lenient_json.text(lenient_json.at(response, "incomplete_details", "reason")) or lenient_json.text(
        response.get("status")
    )


# Each kind of delta: the list that it belongs to, and the field of the list's part; or the item's own field.
_DELTAS: dict[str, tuple[str, str]] = {
    "response.output_text.delta": ("content", "text"),
    "response.refusal.delta": ("content", "refusal"),
    "response.reasoning_summary_text.delta": ("summary", "text"),
    "response.reasoning_text.delta": ("content", "text"),
    "response.function_call_arguments.delta": ("", "arguments"),
    "response.mcp_call_arguments.delta": ("", "arguments"),
    "response.custom_tool_call_input.delta": ("", "input"),
    "response.code_interpreter_call_code.delta": ("", "code"),
}
_PART_TYPES = {
    "response.refusal.delta": "refusal",
    "response.reasoning_summary_text.delta": "summary_text",
    "response.reasoning_text.delta": "reasoning_text",
}
_LAST = ("response.completed", "response.failed", "response.incomplete")


class _Items:
    """A response's items as they grow. `done` has the last word on an item, the last event on all of them."""

    def __init__(self) -> None:
        self._items: dict[int, dict[str, Any]] = {}
        self._pieces: dict[tuple[int, str, int, str], list[str]] = {}
        self._types: dict[tuple[int, str, int, str], str] = {}

    def put(self, index: int, item: dict[str, Any]) -> None:
        self._items[index] = item
        self._pieces = {key: pieces for key, pieces in self._pieces.items() if key[0] != index}

    def add(self, kind: str, index: int, value: dict[str, Any]) -> None:
        where, name = _DELTAS[kind]
        place = lenient_json.count(value.get("summary_index" if where == "summary" else "content_index")) or 0
        key = (index, where, place, name)
        self._types[key] = _PART_TYPES.get(kind, "output_text")
        self._pieces.setdefault(key, []).append(lenient_json.text(value.get("delta")) or "")

    def whole(self) -> list[dict[str, Any]]:
        items = {index: dict(item) for index, item in self._items.items()}
        for key in sorted(self._pieces):
            index, where, _, name = key
            written = "".join(self._pieces[key])
            item = items.setdefault(index, {"type": "message", "role": "assistant"})
            if where:
                item[where] = [*lenient_json.dicts(item.get(where)), {"type": self._types[key], name: written}]
            else:
                item[name] = written
        return [items[index] for index in sorted(items)]


def _added_up(values: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """The events of a stream as the response that they tell of; {} if none begins."""
    response: dict[str, Any] = {}
    items = _Items()
    for value in values:
        kind = lenient_json.text(value.get("type")) or ""
        index = lenient_json.count(value.get("output_index")) or 0
        if isinstance(value.get("response"), dict):
            response = value["response"]
            if kind in _LAST and response.get("output"):
                return response
        elif kind in ("response.output_item.added", "response.output_item.done"):
            items.put(index, lenient_json.mapping(value.get("item")))
        elif kind in _DELTAS:
            items.add(kind, index, value)
    whole = items.whole()
    return {**response, "output": whole} if whole or response else {}
