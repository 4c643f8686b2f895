"""Turns as a person reads them: who said what, what was called with what, how it ended and what it cost.

A request repeats the conversation so far; what an earlier interaction has shown is told in one line.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from recorder import humanize
from recorder.llm.conversation import Attachment, Message, Part, Reasoning, Refusal, Text, ToolCall, ToolResult, Turn
from recorder.llm.usage import Usage
from recorder.views.shared_prefix import Seen
from recorder.views.terminal.style import BLANK, Line, Span, line, lines
from recorder.wire import lenient_json

_INDENT = 2
_DEEPER = 4
_OBVIOUS = frozenset(("stream", "stream_options", "usage"))  # parameters that only say how the answer is to be sent


def conversation(turns: Iterable[Turn], *, reasoning: bool = False, repeat: bool = False) -> Iterator[Line]:
    """All `turns`, one below the other. `reasoning`: in full. `repeat`: what was shown before, too."""
    seen = Seen()
    for place, turn in enumerate(turns):
        if place:
            yield BLANK
        told = [*map(said, turn.messages)]
        known = (0, 0) if repeat else seen.known(told[: len(turn.prompt)])
        yield from _turn(turn, *known, reasoning=reasoning)
        seen.add(told, turn.id)


def _turn(turn: Turn, known: int, where: int, *, reasoning: bool) -> Iterator[Line]:
    yield from head(turn)
    if known:
        told = f"… {humanize.count(known, 'message')} as in interaction {where}"
        yield from (BLANK, line(told, style="faint", indent=_INDENT))
    for message in turn.prompt[known:]:
        yield from _message(message, reasoning=reasoning)
    for answer in turn.answers:
        yield from _message(answer.message, reasoning=reasoning)
    yield from _end(turn)


def head(turn: Turn) -> Iterator[Line]:
    """What was asked of whom, with what, and how long it took."""
    request, response = turn.interaction.request, turn.interaction.response
    status = Span(text=response.status, style="bad" if response.code >= 400 else "")
    yield line(Span(text=f"interaction {turn.id}", style="head"), f"  {request.method} {request.url}  ", status)
    who = f"{turn.model or 'unknown model'}" + (f" by {turn.provider}" if turn.provider else "")
    sent = f"{'streamed' if turn.streamed else 'in one piece'}, headers after {humanize.duration(turn.duration)}"
    if turn.api:
        yield line(Span(text=who, style="strong"), f"  {sent}", indent=_INDENT)
    else:
        size = humanize.size(len(response.body))
        yield line(f"{size} of {response.headers.first('Content-Type') or 'no type'}, {sent}", indent=_INDENT)
    if turn.tools:
        yield line(f"tools: {', '.join(tool.name for tool in turn.tools)}", style="faint", indent=_INDENT)
    asked = asked_for(turn)
    if asked:
        yield line(asked, style="faint", indent=_INDENT)


def asked_for(turn: Turn) -> str:
    """The parameters that say how to answer, in a line."""
    told = ((name, value) for name, value in turn.parameters.items() if name not in _OBVIOUS)
    return ", ".join(f"{name} {_short(value)}" for name, value in told)


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else lenient_json.dumps(value)
    return text if len(text) <= 60 else text[:59] + "…"


# --- messages


def said(message: Message) -> tuple[Any, ...]:
    """A message without what programs leave out or spell anew when they send it back: thoughts, spaces in arguments."""
    calls = tuple((call.id, call.name, lenient_json.dumps(call.parsed)) for call in message.tool_calls)
    other = tuple(part for part in message.parts if isinstance(part, ToolResult | Attachment))
    return message.role, message.name, message.text, calls, other


def _message(message: Message, *, reasoning: bool) -> Iterator[Line]:
    yield BLANK
    yield line(Span(text=message.role, style="role"), f" {message.name}" if message.name else "", indent=_INDENT)
    for part in message.parts:
        yield from _part(part, reasoning=reasoning)
    if not message.parts:
        yield line("(nothing)", style="faint", indent=_DEEPER)


def _part(part: Part, *, reasoning: bool) -> Iterator[Line]:
    match part:
        case Text():
            yield from lines(part.text, indent=_DEEPER)
        case Refusal():
            yield from lines(f"refused: {part.text}", style="bad", indent=_DEEPER)
        case Reasoning():
            yield from _thoughts(part, unfolded=reasoning)
        case ToolCall():
            yield line(
                "calls ", Span(text=part.name, style="call"), Span(text=_id(part.id), style="faint"), indent=_DEEPER
            )
            yield from lines(arguments(part), indent=_DEEPER + 2)
        case ToolResult():
            told = "failed" if part.failed else "result"
            name = Span(text=f" {part.name}" if part.name else "", style="call")
            style = Span(text=told, style="bad" if part.failed else "")
            yield line(style, name, Span(text=_id(part.id), style="faint"), indent=_DEEPER)
            yield from lines(pretty(part.text), indent=_DEEPER + 2)
        case Attachment():
            yield line(attached(part), style="faint", indent=_DEEPER)


def _id(its_id: str) -> str:
    return f"  {its_id}" if its_id else ""


def _thoughts(part: Reasoning, *, unfolded: bool) -> Iterator[Line]:
    sealed = f"{humanize.count(part.sealed, 'character')} sealed" if part.sealed else ""
    if unfolded and part.text:
        yield line(", ".join(filter(None, ("reasoning", sealed))), style="faint", indent=_DEEPER)
        yield from lines(part.text, style="faint", indent=_DEEPER + 2)
        return
    length = humanize.count(len(part.text), "character") if part.text else ""
    yield line(f"reasoning: {', '.join(filter(None, (length, sealed)))}", style="faint", indent=_DEEPER)


def arguments(call: ToolCall) -> str:
    return pretty(call.arguments) if call.arguments else "(no arguments)"


def pretty(text: str) -> str:
    """JSON with its levels indented; anything else as it is."""
    value = lenient_json.loads(text.encode(errors="surrogatepass"))
    return text if value is None else lenient_json.dumps(value, indent=2)


def attached(part: Attachment) -> str:
    size = "" if part.size is None else humanize.size(part.size)
    return ", ".join(filter(None, (part.kind, part.media_type, part.name, part.url, size)))


# --- the end


def _end(turn: Turn) -> Iterator[Line]:
    yield BLANK
    if turn.error:
        yield from lines(f"error: {turn.error}", style="bad", indent=_INDENT)
    if turn.api and not turn.answers and not turn.error:
        yield line("no answer", style="bad", indent=_INDENT)
    if not turn.answers:
        return
    reasons = ", ".join(answer.finish_reason or "cut off" for answer in turn.answers)
    told = filter(None, (tokens(turn.usage), humanize.dollars(turn.usage.cost)))
    yield line(Span(text=reasons, style="strong"), *(f"  {text}" for text in told), indent=_INDENT)


def tokens(usage: Usage) -> str:
    """`390 + 130 tokens (384 cached, 104 reasoning)`: what was told, "" if nothing was."""
    if usage.prompt_tokens is None or usage.completion_tokens is None:
        return humanize.tokens(usage.total_tokens)
    parts = ((usage.cached_tokens, "cached"), (usage.reasoning_tokens, "reasoning"))
    told = ", ".join(f"{number:,} {name}" for number, name in parts if number)
    sums = f"{usage.prompt_tokens:,} + {humanize.tokens(usage.completion_tokens)}"
    return f"{sums} ({told})" if told else sums
