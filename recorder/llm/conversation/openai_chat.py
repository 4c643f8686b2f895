"""OpenAI's chat completions and what speaks like them (OpenRouter, Azure), and the text completions before them.

A stream's chunks are added up as the `openai` client's own accumulator does it, with two exceptions for servers that
do what OpenAI's does not: a tool call's id and name that are sent with every chunk count once, and another id at the
same index is another call.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from recorder.llm.conversation.parts import arguments, attachment, joined, plain_text, said
from recorder.llm.conversation.turn import Answer, Message, Part, Reasoning, Refusal, Text, Tool, ToolCall, ToolResult
from recorder.wire import lenient_json

# --- what was sent


def prompt(request: dict[str, Any]) -> Iterator[Message]:
    for message in lenient_json.dicts(request.get("messages")):
        yield _sent(message)
    if "messages" not in request:  # a text completion's
        texts = request.get("prompt")
        yield from (
            said("user", [Text(text=plain_text(text))]) for text in (texts if isinstance(texts, list) else [texts])
        )


def tools(request: dict[str, Any]) -> Iterator[Tool]:
    for tool in lenient_json.dicts(request.get("tools")):
        function = tool.get("function")
        if isinstance(function, dict):
            yield _tool(function)
        else:  # one of the provider's own
            rest = {name: value for name, value in tool.items() if name != "type"}
            yield Tool(name=lenient_json.text(tool.get("type")) or "", schema=rest)
    for function in lenient_json.dicts(request.get("functions")):
        yield _tool(function)


def _tool(function: dict[str, Any]) -> Tool:
    return Tool(
        name=lenient_json.text(function.get("name")) or "",
        description=lenient_json.text(function.get("description")) or "",
        schema=lenient_json.mapping(function.get("parameters")),
    )


def _sent(message: dict[str, Any]) -> Message:
    role = lenient_json.text(message.get("role")) or "user"
    name = lenient_json.text(message.get("name")) or ""
    if role in ("tool", "function"):
        result = ToolResult(
            text=plain_text(message.get("content")), id=lenient_json.text(message.get("tool_call_id")) or "", name=name
        )
        return Message(role="tool", parts=(result,))
    return said(role, _message_parts(message), name=name)


def _message_parts(message: dict[str, Any]) -> Iterator[Part]:
    """In the order in which a model says them: it thinks, speaks, and calls."""
    yield _thoughts(message)
    yield from _content(message.get("content"))
    yield Refusal(text=lenient_json.text(message.get("refusal")) or "")
    for call in lenient_json.dicts(message.get("tool_calls")):
        yield _call(call, id=lenient_json.text(call.get("id")) or "")
    if isinstance(message.get("function_call"), dict):
        yield _call({"function": message["function_call"]}, id="")
    for image in lenient_json.dicts(message.get("images")):
        yield from _content([image])
    if isinstance(message.get("audio"), dict):
        yield attachment("audio", data=message["audio"].get("data"), name=message["audio"].get("id"))


def _content(content: Any) -> Iterator[Part]:
    if isinstance(content, str):
        yield Text(text=content)
    for part in lenient_json.dicts(content):
        yield _part(part)


def _part(part: dict[str, Any]) -> Part:
    kind = lenient_json.text(part.get("type")) or ""
    if kind in ("text", "input_text", "output_text"):
        return Text(text=lenient_json.text(part.get("text")) or "")
    if kind == "refusal":
        return Refusal(text=lenient_json.text(part.get("refusal")) or "")
    body = part.get(kind)
    if kind == "thinking":  # Mistral's
        return Reasoning(text=plain_text(body))
    if kind == "input_audio":
        return attachment("audio", data=lenient_json.at(body, "data"), media_type=lenient_json.at(body, "format"))
    if kind == "file":
        name, data = lenient_json.at(body, "filename"), lenient_json.at(body, "file_data")
        return attachment("file", url=data, name=name or lenient_json.at(body, "file_id"))
    # image_url, video_url; the URL stands in an object, or by itself
    url = body if isinstance(body, str) else lenient_json.at(body, "url")
    return attachment(kind.removesuffix("_url") or "unknown", url=url)


def _call(call: dict[str, Any], *, id: str) -> ToolCall:  # noqa: A002 - the API's word
    function = lenient_json.mapping(call.get("function") or call.get("custom"))
    written = function.get("arguments", function.get("input"))
    return ToolCall(name=lenient_json.text(function.get("name")) or "", arguments=arguments(written), id=id)


def _thoughts(message: dict[str, Any]) -> Reasoning:
    """`reasoning` is OpenRouter's word, `reasoning_content` DeepSeek's; `reasoning_details` repeat either, and more."""
    text = lenient_json.text(message.get("reasoning")) or lenient_json.text(message.get("reasoning_content"))
    details = list(lenient_json.dicts(message.get("reasoning_details")))
    if text is None:
        text = "".join(
            lenient_json.text(detail.get("text")) or lenient_json.text(detail.get("summary")) or ""
            for detail in details
        )
    return Reasoning(text=text, sealed=sum(len(lenient_json.text(detail.get("data")) or "") for detail in details))


# --- what came back


def answers(values: Iterable[dict[str, Any]], *, streamed: bool) -> Iterator[Answer]:
    if streamed:
        yield from _added_up(values)
        return
    for value in values:
        for choice in lenient_json.dicts(value.get("choices")):
            message = lenient_json.mapping(choice.get("message"))
            parts = _message_parts(message) if message else [Text(text=lenient_json.text(choice.get("text")) or "")]
            role = lenient_json.text(message.get("role")) or "assistant"
            yield Answer(message=said(role, parts), finish_reason=lenient_json.text(choice.get("finish_reason")))


@dataclass(slots=True)
class _Call:
    """A call as it grows."""

    id: str = ""
    name: str = ""
    arguments: list[str] = field(default_factory=list)

    def add(self, piece: dict[str, Any]) -> None:
        said = _call(piece, id=lenient_json.text(piece.get("id")) or "")
        if not (said.id and said.id == self.id):  # with its id a chunk repeats the name, too
            self.name += said.name
        self.id = self.id or said.id
        self.arguments.append(said.arguments)

    def whole(self) -> ToolCall:
        return ToolCall(name=self.name, arguments="".join(self.arguments), id=self.id)


@dataclass(slots=True)
class _Choice:
    """An answer as it grows."""

    role: str = "assistant"
    thoughts: list[Part] = field(default_factory=list)
    words: list[Part] = field(default_factory=list)
    refusal: str = ""
    calls: list[_Call] = field(default_factory=list)
    at_index: dict[int, _Call] = field(default_factory=dict)
    images: list[Part] = field(default_factory=list)
    finish_reason: str | None = None

    def add(self, choice: dict[str, Any]) -> None:
        delta = lenient_json.mapping(choice.get("delta"))
        self.role = lenient_json.text(delta.get("role")) or self.role
        self.thoughts.append(_thoughts(delta))
        self.words.extend(_content(delta.get("content", choice.get("text"))))
        self.refusal += lenient_json.text(delta.get("refusal")) or ""
        for image in lenient_json.dicts(delta.get("images")):
            self.images.extend(_content([image]))
        for piece in lenient_json.dicts(delta.get("tool_calls")):
            self._call_of(piece).add(piece)
        if isinstance(delta.get("function_call"), dict):
            self._call_of({"index": 0}).add({"function": delta["function_call"]})
        self.finish_reason = lenient_json.text(choice.get("finish_reason")) or self.finish_reason

    def _call_of(self, piece: dict[str, Any]) -> _Call:
        """The call that a piece belongs to; a new one at a new index, or with another id."""
        index, its_id = lenient_json.count(piece.get("index")), lenient_json.text(piece.get("id"))
        known = self.at_index.get(index) if index is not None else next(reversed(self.calls), None)
        if known is not None and (its_id is None or known.id in ("", its_id)):
            return known
        call = _Call()
        self.calls.append(call)
        if index is not None:
            self.at_index[index] = call
        return call

    def whole(self) -> Answer:
        calls = [call.whole() for call in self.calls]
        parts = joined([*self.thoughts, *self.words, Refusal(text=self.refusal), *calls, *self.images])
        return Answer(message=said(self.role, parts), finish_reason=self.finish_reason)


def _added_up(values: Iterable[dict[str, Any]]) -> Iterator[Answer]:
    choices: dict[int, _Choice] = {}
    for value in values:
        for choice in lenient_json.dicts(value.get("choices")):
            choices.setdefault(lenient_json.count(choice.get("index")) or 0, _Choice()).add(choice)
    return (choices[index].whole() for index in sorted(choices))
