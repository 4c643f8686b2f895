"""Anthropic's messages, at Anthropic, on Bedrock and on Vertex: blocks, and a stream of their beginnings and deltas."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from recorder.llm.conversation.parts import arguments, attachment, joined, plain_text, said
from recorder.llm.conversation.turn import Answer, Message, Part, Reasoning, Text, Tool, ToolCall, ToolResult
from recorder.wire import lenient_json

# --- what was sent


def prompt(request: dict[str, Any]) -> Iterator[Message]:
    if request.get("system"):
        yield said("system", _content(request["system"]))
    for message in lenient_json.dicts(request.get("messages")):
        yield from _sent(message)


def _sent(message: dict[str, Any]) -> Iterator[Message]:
    """A message; results of tools, which Anthropic has the user say, are the tool's own."""
    parts = list(_content(message.get("content")))
    results = [part for part in parts if isinstance(part, ToolResult)]
    rest = [part for part in parts if not isinstance(part, ToolResult)]
    role = lenient_json.text(message.get("role")) or "user"
    if role != "user" or not results:  # the provider's own tools answer within an assistant's message
        yield said(role, parts)
        return
    yield said("tool", results)
    if rest:
        yield said(role, rest)


def tools(request: dict[str, Any]) -> Iterator[Tool]:
    for tool in lenient_json.dicts(request.get("tools")):
        named = ("name", "description", "input_schema", "type", "cache_control")
        settings = {name: value for name, value in tool.items() if name not in named}
        yield Tool(
            name=lenient_json.text(tool.get("name")) or lenient_json.text(tool.get("type")) or "",
            description=lenient_json.text(tool.get("description")) or "",
            schema=lenient_json.mapping(tool.get("input_schema")) or settings,
        )


def _content(content: Any) -> Iterator[Part]:
    if isinstance(content, str):
        yield Text(text=content)
    for block in lenient_json.dicts(content):
        yield _block(block)


def _block(block: dict[str, Any]) -> Part:
    kind = lenient_json.text(block.get("type")) or ""
    match kind:
        case "text":
            return Text(text=lenient_json.text(block.get("text")) or "")
        case "thinking":
            return Reasoning(text=lenient_json.text(block.get("thinking")) or "")
        case "redacted_thinking":
            return Reasoning(text="", sealed=len(lenient_json.text(block.get("data")) or ""))
        case "tool_use" | "server_tool_use" | "mcp_tool_use":
            return ToolCall(
                name=lenient_json.text(block.get("name")) or "",
                arguments=arguments(block.get("input")),
                id=lenient_json.text(block.get("id")) or "",
            )
    if kind.endswith("tool_result"):  # tool_result, web_search_tool_result, …
        return ToolResult(
            text=plain_text(block.get("content")),
            id=lenient_json.text(block.get("tool_use_id")) or "",
            failed=block.get("is_error") is True,
        )
    source = lenient_json.mapping(block.get("source"))
    return attachment(
        {"document": "file"}.get(kind, kind or "unknown"),
        url=source.get("url"),
        data=source.get("data"),
        media_type=source.get("media_type"),
        name=block.get("title") or source.get("file_id"),
    )


# --- what came back


def answers(values: Iterable[dict[str, Any]], *, streamed: bool) -> Iterator[Answer]:
    if streamed:
        message = _added_up(values)
        if message:
            yield _answer(message)
        return
    for value in values:
        if value.get("type") == "message":
            yield _answer(value)


def _answer(message: dict[str, Any]) -> Answer:
    role = lenient_json.text(message.get("role")) or "assistant"
    parts = joined(_content(message.get("content")))
    return Answer(message=said(role, parts), finish_reason=lenient_json.text(message.get("stop_reason")))


def _added_up(values: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """The events of a stream as the message that they tell of; {} if none begins."""
    message: dict[str, Any] = {}
    blocks: dict[int, dict[str, Any]] = {}
    pieces: dict[int, dict[str, list[str]]] = {}
    for value in values:
        index = lenient_json.count(value.get("index")) or 0
        match value.get("type"):
            case "message_start":
                message |= lenient_json.mapping(value.get("message"))
            case "content_block_start":
                blocks[index] = dict(lenient_json.mapping(value.get("content_block")))
            case "content_block_delta":
                delta = lenient_json.mapping(value.get("delta"))
                for name, told in (("text", "text"), ("thinking", "thinking"), ("partial_json", "input")):
                    if piece := lenient_json.text(delta.get(name)):
                        pieces.setdefault(index, {}).setdefault(told, []).append(piece)
            case "message_delta":
                message |= lenient_json.mapping(value.get("delta"))
    for index, grown in pieces.items():
        block = blocks.setdefault(index, {"type": "text"})
        block |= {name: (lenient_json.text(block.get(name)) or "") + "".join(texts) for name, texts in grown.items()}
    if blocks:
        message["content"] = [blocks[index] for index in sorted(blocks)]
    return message
