"""Google's Gemini API: contents of parts, and a stream of answers whose parts follow each other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from recorder.llm.conversation.parts import arguments, attachment, joined, plain_text, said
from recorder.llm.conversation.turn import Answer, Message, Part, Reasoning, Text, Tool, ToolCall, ToolResult
from recorder.wire import lenient_json

_CODE = "code_execution"  # Google runs it itself
_ROLES = {"model": "assistant", "function": "tool"}

# --- what was sent


def prompt(request: dict[str, Any]) -> Iterator[Message]:
    system = request.get("systemInstruction", request.get("system_instruction"))
    if system:
        yield said("system", _parts(system))
    for content in _contents(request.get("contents")):
        role = lenient_json.text(content.get("role")) or "user"
        parts = list(_parts(content))
        is_result = any(isinstance(part, ToolResult) for part in parts)
        yield said("tool" if is_result else _ROLES.get(role, role), parts)


def tools(request: dict[str, Any]) -> Iterator[Tool]:
    for tool in lenient_json.dicts(request.get("tools")):
        for name, value in tool.items():
            if name in ("functionDeclarations", "function_declarations"):
                yield from map(_tool, lenient_json.dicts(value))
            else:  # one of Google's own
                yield Tool(name=name, schema=lenient_json.mapping(value))


def _tool(function: dict[str, Any]) -> Tool:
    schema = function.get("parameters") or function.get("parametersJsonSchema")
    return Tool(
        name=lenient_json.text(function.get("name")) or "",
        description=lenient_json.text(function.get("description")) or "",
        schema=lenient_json.mapping(schema),
    )


def _contents(value: Any) -> Iterator[dict[str, Any]]:
    yield from lenient_json.dicts(value if isinstance(value, list) else [value])


def _parts(content: Any) -> Iterator[Part]:
    parts = lenient_json.at(content, "parts")
    yield from map(_part, lenient_json.dicts(parts if isinstance(parts, list) else [parts]))


def _part(part: dict[str, Any]) -> Part:
    if isinstance(part.get("text"), str):
        return Reasoning(text=part["text"]) if part.get("thought") is True else Text(text=part["text"])
    steps = (_step(name, lenient_json.mapping(value)) for name, value in part.items())
    return next((step for step in steps if step is not None), Text(text=""))


def _step(kind: str, value: dict[str, Any]) -> Part | None:
    name, its_id = lenient_json.text(value.get("name")) or "", lenient_json.text(value.get("id")) or ""
    match kind:
        case "functionCall" | "function_call":
            return ToolCall(name=name, arguments=arguments(value.get("args")), id=its_id)
        case "functionResponse" | "function_response":
            return ToolResult(text=plain_text(value.get("response")), id=its_id, name=name)
        case "executableCode":
            return ToolCall(name=_CODE, arguments=lenient_json.text(value.get("code")) or "")
        case "codeExecutionResult":
            return ToolResult(text=lenient_json.text(value.get("output")) or "", name=_CODE)
        case "inlineData" | "inline_data" | "fileData" | "file_data":
            return _data(value)
    return None


def _data(value: dict[str, Any]) -> Part:
    media_type = lenient_json.text(value.get("mimeType")) or lenient_json.text(value.get("mime_type")) or ""
    kind = media_type.partition("/")[0]
    link = value.get("fileUri") or value.get("file_uri")
    return attachment(
        kind if kind in ("image", "audio", "video") else "file", url=link, data=value.get("data"), media_type=media_type
    )


# --- what came back


def answers(values: Iterable[dict[str, Any]], *, streamed: bool) -> Iterator[Answer]:  # noqa: ARG001 - a stream's answers have the form of a whole one
    parts: dict[int, list[Part]] = {}
    reasons: dict[int, str | None] = {}
    for value in values:
        for candidate in lenient_json.dicts(value.get("candidates")):
            index = lenient_json.count(candidate.get("index")) or 0
            parts.setdefault(index, []).extend(_parts(candidate.get("content")))
            reasons[index] = lenient_json.text(candidate.get("finishReason")) or reasons.get(index)
    for index in sorted(parts):
        message = said("assistant", joined(part for part in parts[index] if part != Text(text="")))
        yield Answer(message=message, finish_reason=reasons[index])
