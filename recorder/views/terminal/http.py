"""An interaction as it went over the wire: the request, the response, and an event stream event by event."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import accumulate

from recorder import humanize
from recorder.llm.conversation import bodies
from recorder.model import Fields, Interaction, Response
from recorder.replay.timing import Timing
from recorder.views.terminal.style import Line, Span, line, lines
from recorder.wire import event_stream, lenient_json


def request(interaction: Interaction) -> Iterator[Line]:
    asked = interaction.request
    yield line(Span(text=f"{asked.method} {asked.url}", style="head"), f"  {asked.proto}")
    yield from _fields(asked.headers)
    yield from _body(asked.body)


def response(interaction: Interaction) -> Iterator[Line]:
    answered = interaction.response
    took = f"  {answered.proto}, headers after {humanize.duration(answered.duration)}"
    yield line(Span(text=answered.status, style="bad" if answered.code >= 400 else "head"), took)
    yield from _fields(answered.headers)
    yield from _body(bodies.plain(answered)[0])


def _fields(fields: Fields) -> Iterator[Line]:
    for name, values in fields.items():
        yield from (line(Span(text=f"{name}: ", style="role"), value) for value in values)


def _body(body: bytes) -> Iterator[Line]:
    if not body:
        return
    yield line()
    value = lenient_json.loads(body)
    yield from lines(lenient_json.dumps(value, indent=2) if value is not None else text_of(body))


def text_of(body: bytes) -> str:
    return body.decode("utf-8", "backslashreplace")


def events(answered: Response, times: Sequence[int | None] = ()) -> Iterator[Line]:
    """Each event in a line: its number, when it was whole, its kind, its data. Comments are events of their own.

    `times`: nanoseconds from the request, one for each event, None where it is not known; none at all if no chunk's
    time was kept.
    """
    body, content_type = bodies.plain(answered)
    if not event_stream.is_event_stream(content_type):
        yield line(f"no event stream: {content_type or 'no type'}, {humanize.size(len(body))}", style="faint")
        return
    for number, event in enumerate(event_stream.events(body)):
        at = times[number] if number < len(times) else None
        moment = "" if at is None else humanize.duration(at)
        kind = (Span(text=f"{event.kind} ", style="role"),) if event.kind else ()
        yield line(Span(text=f"{number:>5}  {moment:>8}  ", style="faint"), *kind, *_said(event, body))


def event_times(answered: Response, kept: Timing | None) -> list[int | None]:
    """When each event was whole; none at all where that was not kept, or the body is not what came over the wire."""
    if kept is None or answered.uncompressed or sum(size for _, size in kept.chunks) != len(answered.body):
        return []
    ends = list(accumulate(size for _, size in kept.chunks))
    return [kept.chunks[bisect_left(ends, event.end)][0] for event in event_stream.events(answered.body)]


def _said(event: event_stream.Event, body: bytes) -> Iterator[Span]:
    if event.spans:
        yield Span(text=text_of(event.data).replace("\n", "\\n"))
    else:
        yield Span(text=text_of(body[event.start : event.end]).strip().replace("\n", " "), style="faint")
    if not event.complete:
        yield Span(text="  cut off here", style="bad")
