"""OpenAI's chat completions and what speaks like them (OpenRouter, Azure), and the text completions before them.

A stream's chunks are added up as the `openai` client's own accumulator does it, with two exceptions for servers that
do what OpenAI's does not: a tool call's id and name that are sent with every chunk count once, and another id at the
same index is another call.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from recorder import loose
from recorder.conversation.nouns import Answer, Message, Part, Reasoning, Refusal, Text, Tool, ToolCall, ToolResult
from recorder.conversation.parts import arguments, attachment, joined, plain_text, said

# --- what was sent


def prompt(request: dict[str, Any]) -> Iterator[Message]:
    for message in loose.dicts(request.get("messages")):
        yield _sent(message)
    if "messages" not in request:  # a text completion's
        texts = request.get("prompt")
        yield from (
            said("user", [Text(text=plain_text(text))]) for text in (texts if isinstance(texts, list) else [texts])
        )


def tools(request: dict[str, Any]) -> Iterator[Tool]:
    for tool in loose.dicts(request.get("tools")):
        function = tool.get("function")
        if isinstance(function, dict):
            yield _tool(function)
        else:  # one of the provider's own
            rest = {name: value for name, value in tool.items() if name != "type"}
            yield Tool(name=loose.text(tool.get("type")) or "", schema=rest)
    for function in loose.dicts(request.get("functions")):
        yield _tool(function)


def _tool(function: dict[str, Any]) -> Tool:
    return Tool(
        name=loose.text(function.get("name")) or "",
        description=loose.text(function.get("description")) or "",
        schema=loose.mapping(function.get("parameters")),
    )


def _sent(message: dict[str, Any]) -> Message:
    role = loose.text(message.get("role")) or "user"
    name = loose.text(message.get("name")) or ""
    if role in ("tool", "function"):
        result = ToolResult(
            text=plain_text(message.get("content")), id=loose.text(message.get("tool_call_id")) or "", name=name
        )
        return Message(role="tool", parts=(result,))
    return said(role, _message_parts(message), name=name)


def _message_parts(message: dict[str, Any]) -> Iterator[Part]:
    """In the order in which a model says them: it thinks, speaks, and calls."""
    yield _thoughts(message)
    yield from _content(message.get("content"))
    yield Refusal(text=loose.text(message.get("refusal")) or "")
    for call in loose.dicts(message.get("tool_calls")):
        yield _call(call, id=loose.text(call.get("id")) or "")
    if isinstance(message.get("function_call"), dict):
        yield _call({"function": message["function_call"]}, id="")
    for image in loose.dicts(message.get("images")):
        yield from _content([image])
    if isinstance(message.get("audio"), dict):
        yield attachment("audio", data=message["audio"].get("data"), name=message["audio"].get("id"))


def _content(content: Any) -> Iterator[Part]:
    if isinstance(content, str):
        yield Text(text=content)
    for part in loose.dicts(content):
        yield _part(part)


def _part(part: dict[str, Any]) -> Part:
    kind = loose.text(part.get("type")) or ""
    if kind in ("text", "input_text", "output_text"):
        return Text(text=loose.text(part.get("text")) or "")
    if kind == "refusal":
        return Refusal(text=loose.text(part.get("refusal")) or "")
    body = part.get(kind)
    if kind == "thinking":  # Mistral's
        return Reasoning(text=plain_text(body))
    if kind == "input_audio":
        return attachment("audio", data=loose.at(body, "data"), media_type=loose.at(body, "format"))
    if kind == "file":
        name, data = loose.at(body, "filename"), loose.at(body, "file_data")
        return attachment("file", url=data, name=name or loose.at(body, "file_id"))
    # image_url, video_url; the URL stands in an object, or by itself
    url = body if isinstance(body, str) else loose.at(body, "url")
    return attachment(kind.removesuffix("_url") or "unknown", url=url)


def _call(call: dict[str, Any], *, id: str) -> ToolCall:  # noqa: A002 - the API's word
    function = loose.mapping(call.get("function") or call.get("custom"))
    written = function.get("arguments", function.get("input"))
    return ToolCall(name=loose.text(function.get("name")) or "", arguments=arguments(written), id=id)


def _thoughts(message: dict[str, Any]) -> Reasoning:
    """`reasoning` is OpenRouter's word, `reasoning_content` DeepSeek's; `reasoning_details` repeat either, and more."""
    text = loose.text(message.get("reasoning")) or loose.text(message.get("reasoning_content"))
    details = list(loose.dicts(message.get("reasoning_details")))
    if text is None:
        text = "".join(loose.text(detail.get("text")) or loose.text(detail.get("summary")) or "" for detail in details)
    return Reasoning(text=text, sealed=sum(len(loose.text(detail.get("data")) or "") for detail in details))


# --- what came back


def answers(values: Iterable[dict[str, Any]], *, streamed: bool) -> Iterator[Answer]:
    if streamed:
        yield from _added_up(values)
        return
    for value in values:
        for choice in loose.dicts(value.get("choices")):
            message = loose.mapping(choice.get("message"))
            parts = _message_parts(message) if message else [Text(text=loose.text(choice.get("text")) or "")]
            role = loose.text(message.get("role")) or "assistant"
            yield Answer(message=said(role, parts), finish_reason=loose.text(choice.get("finish_reason")))


@dataclass(slots=True)
class _Call:
    """A call as it grows."""

    id: str = ""
    name: str = ""
    arguments: list[str] = field(default_factory=list)

    def add(self, piece: dict[str, Any]) -> None:
        said = _call(piece, id=loose.text(piece.get("id")) or "")
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
        delta = loose.mapping(choice.get("delta"))
        self.role = loose.text(delta.get("role")) or self.role
        self.thoughts.append(_thoughts(delta))
        self.words.extend(_content(delta.get("content", choice.get("text"))))
        self.refusal += loose.text(delta.get("refusal")) or ""
        for image in loose.dicts(delta.get("images")):
            self.images.extend(_content([image]))
        for piece in loose.dicts(delta.get("tool_calls")):
            self._call_of(piece).add(piece)
        if isinstance(delta.get("function_call"), dict):
            self._call_of({"index": 0}).add({"function": delta["function_call"]})
        self.finish_reason = loose.text(choice.get("finish_reason")) or self.finish_reason

    def _call_of(self, piece: dict[str, Any]) -> _Call:
        """The call that a piece belongs to; a new one at a new index, or with another id."""
        index, its_id = loose.count(piece.get("index")), loose.text(piece.get("id"))
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
        for choice in loose.dicts(value.get("choices")):
            choices.setdefault(loose.count(choice.get("index")) or 0, _Choice()).add(choice)
    return (choices[index].whole() for index in sorted(choices))
