"""A turn as the text that is compared: what was asked and said, and nothing that changes from recording to recording.

So there are no times, tokens, cost, providers or ids here; calls and their results are numbered as they come instead.
JSON is laid out the same way whoever wrote it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from recorder import humanize
from recorder.llm.conversation import Attachment, Message, Part, Reasoning, Refusal, Text, ToolCall, ToolResult, Turn
from recorder.views.terminal.http import text_of
from recorder.wire import lenient_json

_CARRIER = ("stream", "stream_options")  # how the answer was to be sent


@dataclass(frozen=True, slots=True, kw_only=True)
class Meaning:
    """`asked`: address and parameters. `prompt`, `answers`: each message's lines. `end`: how it ended."""

    asked: tuple[str, ...]
    tools: tuple[str, ...]
    prompt: tuple[tuple[str, ...], ...]
    answers: tuple[tuple[str, ...], ...]
    end: tuple[str, ...]

    @property
    def said(self) -> tuple[tuple[str, ...], ...]:
        """The conversation with this turn's answer, which the next one begins with."""
        return (*self.prompt, *self.answers[:1])

    def lines(self, *, known: int = 0, known_tools: bool = False) -> list[str]:
        """All of it, without the first `known` messages and the tools if they are."""
        tools = ["… tools as before"] if self.tools and known_tools else self.tools
        before = ["", f"… {humanize.count(known, 'message')} as before"] if known else []
        messages = (line for message in (*self.prompt[known:], *self.answers) for line in ("", *message))
        return [*self.asked, *tools, *before, *messages, "", *self.end]


def of(turn: Turn, *, reasoning: bool = False) -> Meaning:
    """`reasoning`: with what the model thought."""
    if not turn.api:
        return _other(turn)
    numbers: dict[str, int] = {}
    prompt = tuple(tuple(_message(message, numbers, reasoning=reasoning)) for message in turn.prompt)
    answers = (tuple(_message(answer.message, numbers, reasoning=reasoning)) for answer in turn.answers)
    return Meaning(
        asked=tuple(_asked(turn)),
        tools=tuple(_tools(turn)),
        prompt=prompt,
        answers=tuple(answers),
        end=tuple(_end(turn)),
    )


def _other(turn: Turn) -> Meaning:
    """What is no conversation: its bodies."""
    request, response = turn.interaction.request, turn.interaction.response
    return Meaning(
        asked=(f"{request.method} {request.url}", *_indented(_pretty(text_of(request.body)))),
        tools=(),
        prompt=(),
        answers=(),
        end=(response.status, *_indented(_pretty(text_of(response.body)))),
    )


def _asked(turn: Turn) -> Iterator[str]:
    request = turn.interaction.request
    yield f"{request.method} {request.url}"
    asked = lenient_json.mapping(lenient_json.loads(request.body))
    told = {name: asked[name] for name in ("model",) if name in asked} | dict(turn.parameters)
    for name in sorted(told):
        if name not in _CARRIER:
            yield from _field(name, told[name])


def _tools(turn: Turn) -> Iterator[str]:
    for tool in turn.tools:
        yield from _field(f"tool {tool.name}", tool.description)
        yield from _indented(_ordered(dict(tool.schema))) if tool.schema else ()


def _field(name: str, value: Any) -> Iterator[str]:
    """`name: value` in a line, or over several where the value has several."""
    rows = (value if isinstance(value, str) else _ordered(value)).split("\n")
    if len(rows) == 1:
        yield f"{name}: {rows[0]}"
        return
    yield f"{name}:"
    yield from (f"  {row}" for row in rows)


def _message(message: Message, numbers: dict[str, int], *, reasoning: bool) -> Iterator[str]:
    yield message.role + (f" {message.name}" if message.name else "")
    for part in message.parts:
        if reasoning or not isinstance(part, Reasoning):
            yield from _indented(_part(part, numbers))


def _end(turn: Turn) -> Iterator[str]:
    yield from (f"finish reason: {answer.finish_reason or 'none, cut off'}" for answer in turn.answers)
    if turn.error or turn.status >= 400:
        yield turn.interaction.response.status
        yield from _indented(turn.error)


def _part(part: Part, numbers: dict[str, int]) -> str:
    match part:
        case Text():
            return part.text
        case Refusal():
            return f"refused: {part.text}"
        case Reasoning():
            return f"reasoning: {part.text}"
        case ToolCall():
            return f"call {_number(part.id, numbers)}: {part.name}\n{_pretty(part.arguments)}"
        case ToolResult():
            failed = ", failed" if part.failed else ""
            return f"result {_number(part.id, numbers)}{failed}:\n{_pretty(part.text)}"
        case Attachment():
            size = "" if part.size is None else f"{part.size} bytes"
            return ", ".join(filter(None, (part.kind, part.media_type, part.name, part.url, size)))


def _number(its_id: str, numbers: dict[str, int]) -> str:
    """`1` for the id that came first, and so on; `?` where an API has no ids."""
    return str(numbers.setdefault(its_id, len(numbers) + 1)) if its_id else "?"


def _pretty(text: str) -> str:
    value = lenient_json.loads(text.encode(errors="surrogatepass"))
    return text if value is None else _ordered(value)


def _ordered(value: Any) -> str:
    """JSON whose names are in order: {"a":1,"b":2} and {"b":2,"a":1} say the same."""
    return lenient_json.dumps(value, indent=2, ordered=True)


def _indented(text: str) -> Iterable[str]:
    return (f"  {row}" if row else "" for row in text.removesuffix("\n").split("\n")) if text else ()
