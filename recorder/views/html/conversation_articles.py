"""The conversation as articles, one for each interaction. Thoughts, calls and what is long are folded.

As in a terminal, what an earlier interaction has shown is told in one line, which here is a link.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from recorder import humanize
from recorder.llm.conversation import (
    Attachment,
    Message,
    Part,
    Reasoning,
    Refusal,
    Text,
    Tool,
    ToolCall,
    ToolResult,
    Turn,
    bodies,
)
from recorder.model import Fields
from recorder.views.html import charts
from recorder.views.html.clock import Course
from recorder.views.html.markup import Markup, join, tag
from recorder.views.shared_prefix import Seen
from recorder.views.terminal import conversation
from recorder.views.terminal.http import text_of
from recorder.wire import lenient_json

_PREVIEW = 110  # characters of what is folded that stand on its fold
_LONG_TEXT, _LONG_LINES = 1_500, 24  # of what was sent: more is folded
_SHORT_RESULT = 200  # characters of a tool's result that need no fold
_LONGEST_BODY = 200_000  # characters of a body that is no conversation; the cassette has the rest


def articles(turns: Sequence[Turn], courses: Sequence[Course]) -> Iterator[Markup]:
    seen = Seen()
    tools: dict[tuple[str, ...], int] = {}
    for turn, course in zip(turns, courses, strict=True):
        told = [*map(conversation.said, turn.messages)]
        known, where = seen.known(told[: len(turn.prompt)])
        yield tag(
            "article",
            _head(turn),
            _facts(turn, course),
            *_tools(turn, tools),
            _as_before(known, where) if known else None,
            *(_message(message, asked=True) for message in turn.prompt[known:]),
            *(_message(answer.message, asked=False) for answer in turn.answers),
            *_end(turn),
            *_bodies(turn),
            _wire(turn),
            id=f"i{turn.id}",
            aria_label=f"Interaction {turn.id}: {_named_by(turn)}",
            tabindex=-1,
        )
        seen.add(told, turn.id)


# --- the head


def _head(turn: Turn) -> Markup:
    number = tag("a", f"{turn.id}", href=f"#i{turn.id}", class_="number", aria_label=f"Link to interaction {turn.id}")
    provider = tag("span", f" by {turn.provider}", class_="faint") if turn.provider else None
    return tag("header", tag("h3", number, " ", tag("bdi", _named_by(turn)), provider), _status(turn))


def _named_by(turn: Turn) -> str:
    return turn.model or f"{turn.interaction.request.method} {turn.interaction.request.url}"


def _status(turn: Turn) -> Markup:
    bad = turn.status >= 400 or bool(turn.error)
    return tag("span", turn.interaction.response.status, class_="status bad" if bad else "status")


def _facts(turn: Turn, course: Course) -> Markup:
    request = turn.interaction.request
    how = "streamed" if turn.streamed else "in one piece"
    asked = f"{request.method} {request.url}" if turn.model else ""  # without one it is the heading
    lines = [asked, ", ".join([how, *charts.in_words(course)]), conversation.asked_for(turn)]
    picture = charts.pieces(course) if course.pieces else None
    return join(*(tag("p", told, class_="facts", dir="auto") for told in lines if told), picture)


def _tools(turn: Turn, before: dict[tuple[str, ...], int]) -> Iterator[Markup]:
    """The tools that the model was given; the same ones as before only by their number."""
    if not turn.tools:
        return
    told = humanize.count(len(turn.tools), "tool")
    key = tuple(map(_tool_text, turn.tools))
    if key in before:
        link = _link(before[key])
        yield tag("p", f"{told}, the same as in ", link, class_="facts")
        return
    before[key] = turn.id
    names = ", ".join(tool.name for tool in turn.tools)
    inside = (join(tag("h4", tool.name), _code(text)) for tool, text in zip(turn.tools, key, strict=True))
    yield _fold(f"{told}: {names}", *inside, class_="tools")


def _tool_text(tool: Tool) -> str:
    return "\n".join(filter(None, (tool.description, lenient_json.dumps(tool.schema, indent=2) if tool.schema else "")))


def _as_before(known: int, where: int) -> Markup:
    return tag("p", f"{humanize.count(known, 'message')} as in ", _link(where), class_="before")


def _link(number: int) -> Markup:
    return tag("a", f"interaction {number}", href=f"#i{number}")


# --- messages


def _message(message: Message, *, asked: bool) -> Markup:
    name = tag("bdi", f" {message.name}", class_="faint") if message.name else None
    parts = [_part(part, asked=asked) for part in message.parts] or [tag("p", "(nothing)", class_="faint")]
    known = message.role if message.role in ("system", "developer", "user", "assistant", "tool") else "other"
    side = "asked" if asked else "answer"
    return tag(
        "section",
        tag("h4", message.role, name, class_="role"),
        tag("div", *parts, class_="said"),
        class_=f"message {known} {side}",
    )


def _part(part: Part, *, asked: bool) -> Markup:
    match part:
        case Text():
            return _prose(part.text, folded=asked and _is_long(part.text))
        case Refusal():
            return tag("div", tag("strong", "Refused: "), part.text, class_="text bad", dir="auto")
        case Reasoning():
            return _thoughts(part)
        case ToolCall():
            return _fold(_named("calls", part.name, part.arguments), _code(conversation.arguments(part)), _id(part.id))
        case ToolResult():
            return _result(part)
        case Attachment():
            return tag("p", conversation.attached(part), class_="attached", dir="auto")


def _is_long(text: str) -> bool:
    return len(text) > _LONG_TEXT or text.count("\n") > _LONG_LINES


def _prose(text: str, *, folded: bool) -> Markup:
    shown = tag("div", text, class_="text", dir="auto")
    if not folded:
        return shown
    return _fold(join(_length(text), " ", _preview(text)), shown)


def _thoughts(part: Reasoning) -> Markup:
    sealed = f"{humanize.count(part.sealed, 'character')} sealed" if part.sealed else ""
    if not part.text:
        return tag("p", f"reasoning: {sealed}", class_="faint")
    told = ", ".join(filter(None, (_length(part.text), sealed)))
    return _fold(
        join("reasoning ", tag("span", told, class_="faint"), " ", _preview(part.text)),
        tag("div", part.text, class_="text", dir="auto"),
        class_="reasoning",
    )


def _result(part: ToolResult) -> Markup:
    told = "failed" if part.failed else "result"
    text = conversation.pretty(part.text)
    if len(text) <= _SHORT_RESULT:
        head = tag("p", tag("span", told, class_="bad" if part.failed else None), " ", tag("code", part.name))
        return join(head if part.failed or part.name else None, _code(text or "(nothing)"))
    return _fold(_named(told, part.name, part.text), _code(text), _id(part.id), class_="bad" if part.failed else None)


def _named(what: str, name: str, text: str) -> Markup:
    return join(f"{what} ", tag("code", name) if name else None, " ", _preview(text))


def _id(its_id: str) -> Markup | None:
    return tag("p", its_id, class_="facts", dir="auto") if its_id else None


def _length(text: str) -> str:
    return humanize.count(len(text), "character")


# --- the end


def _end(turn: Turn) -> Iterator[Markup]:
    if turn.error:
        yield tag("div", tag("strong", "Error: "), turn.error, class_="text bad error", dir="auto")
    if turn.api and not turn.answers and not turn.error:
        yield tag("p", "No answer.", class_="bad")
    if not turn.answers:
        return
    reasons = ", ".join(answer.finish_reason or "cut off" for answer in turn.answers)
    told = " · ".join(filter(None, (conversation.tokens(turn.usage), humanize.dollars(turn.usage.cost))))
    yield tag("p", tag("strong", reasons), f" · {told}" if told else "", class_="end")


def _bodies(turn: Turn) -> Iterator[Markup]:
    """Of an interaction that is no conversation, and of an answer that is none: they say nothing else."""
    if turn.answers:
        return
    sent, came = turn.interaction.request.body, bodies.plain(turn.interaction.response)[0]
    for name, body in (("request", b"" if turn.api else sent), ("response", came)):
        if body:
            text = conversation.pretty(text_of(body[: 2 * _LONGEST_BODY]))
            told = join(f"{name} body ", tag("span", humanize.size(len(body)), class_="faint"), " ", _preview(text))
            more = len(text) > _LONGEST_BODY or len(body) > 2 * _LONGEST_BODY
            rest = tag("p", f"The first {_LONGEST_BODY:,} characters; the cassette has the rest.", class_="facts")
            yield _fold(told, _code(text[:_LONGEST_BODY]), rest if more else None)


def _wire(turn: Turn) -> Markup:
    request, response = turn.interaction.request, turn.interaction.response
    return _fold(
        "headers",
        _code("\n".join([f"{request.method} {request.url}", *_fields(request.headers)])),
        _code("\n".join([f"{response.proto} {response.status}", *_fields(response.headers)])),
        class_="wire",
    )


def _fields(fields: Fields) -> Iterable[str]:
    return (f"{name}: {value}" for name, values in fields.items() for value in values)


# --- shapes


def _fold(summary: str, *inside: str | None, class_: str | None = None) -> Markup:
    return tag("details", tag("summary", summary), tag("div", *inside, class_="inside"), class_=class_)


def _preview(text: str) -> Markup:
    """The beginning in one line; it goes where the fold is open."""
    begun = " ".join(text[: 3 * _PREVIEW].split())
    told = begun if len(begun) <= _PREVIEW and len(text) <= 3 * _PREVIEW else begun[: _PREVIEW - 1] + "…"
    return tag("span", told, class_="preview", dir="auto", data_preview=True)


def _code(text: str) -> Markup:
    return tag("div", text, class_="code", dir="auto")
