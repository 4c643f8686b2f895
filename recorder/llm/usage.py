"""What an interaction says of itself: model, tokens, cost, finish reason, time to first token. Read, never reckoned up.

Shapes: chat completions (OpenAI, OpenRouter) and text completions, the Responses API, Anthropic's messages (Bedrock's
too where they are not streamed) and Gemini, streamed and not. What was not told is None and never 0. Anything malformed
is as good as not told: nothing here raises for what a body holds.

Of a long stream only the first and the last events are parsed: that is where all of them put what is wanted here.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any
from urllib.parse import unquote

from recorder.errors import BodyError
from recorder.model import Interaction, Response
from recorder.wire import event_stream, lenient_json
from recorder.wire.content_coding import Decoder
from recorder.wire.exchange import Exchange

_FIRST_EVENTS = 8
_LAST_EVENTS = 16
_LAST_TWO = 2  # the last with data, and `[DONE]`
_EVENTS_TILL_FIRST = 1_000  # among which the first ones with data must be: comments come before them
_EVENTS_BEFORE_OUTPUT = 10_000  # a stream that has said nothing in so many events is not worth reading on
_MODEL_IN_PATH = re.compile(
    r"/models?/([^/:?#]+)"
)  # Gemini: /v1beta/models/NAME:generateContent; Bedrock: /model/NAME/…


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Tokens are counted as OpenAI counts them, so that providers can be compared.

    `prompt_tokens` includes the cached ones (Anthropic reports them apart), `completion_tokens` the reasoning
    (Gemini reports it apart); `total_tokens` is their sum where only they were told. `cached_tokens` were read from a
    cache. `cost` is in the provider's unit: US dollars for OpenRouter, the only one that says it. `finish_reason` is in
    the provider's own words: `stop`, `tool_calls`, `end_turn`, `STOP`, `completed`.
    """

    model: str | None = None
    provider: str | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    reasoning_tokens: int | None = None
    cached_tokens: int | None = None
    total_tokens: int | None = None
    cost: float | None = None
    finish_reason: str | None = None


def of(interaction: Interaction) -> Usage:
    """What `interaction` says; the model from the answer, else from the request's body, else from its URL."""
    request, response = interaction.request, interaction.response
    return of_bodies(
        url=request.url,
        request=request.body,
        response=response.body,
        content_type=response.headers.first("Content-Type"),
    )


def of_bodies(*, url: str, request: bytes, response: bytes, content_type: str) -> Usage:
    """The same of plain (decoded) bodies; `content_type` is the response's."""
    told = _last_word(response, content_type)
    if told is None:
        told = _Told()
        for value in _parsed(response, content_type):
            _read(value, told)
    if told.model is None:
        asked = lenient_json.loads(request)
        told.model = lenient_json.text(asked.get("model")) if isinstance(asked, dict) else None
    if told.model is None and (match := _MODEL_IN_PATH.search(url)):
        told.model = unquote(match[1])
    return told.usage()


def _last_word(body: bytes, content_type: str) -> _Told | None:
    """What the last event tells if it tells everything, as OpenRouter's does; then the others need not be read."""
    if not event_stream.is_event_stream(content_type):
        return None
    told = _Told()
    for event in event_stream.last_events(body, _LAST_TWO):
        if event.complete:
            _read(lenient_json.loads(event.data), told)
    return told if told.everything() else None


def _parsed(body: bytes, content_type: str) -> Iterator[Any]:
    if not event_stream.is_event_stream(content_type):
        value = lenient_json.loads(body)
        yield from value if isinstance(value, list) else [value]  # Gemini streams a list unless it is asked for SSE
        return
    beginning = islice(event_stream.events(body), _EVENTS_TILL_FIRST)
    first = list(islice((event for event in beginning if event.spans), _FIRST_EVENTS))
    read_to = first[-1].end if first else 0
    last = [event for event in event_stream.last_events(body, _LAST_EVENTS) if event.start >= read_to]
    yield from (lenient_json.loads(event.data) for event in (*first, *last) if event.complete)


# --- reading one object


@dataclass(slots=True)
class _Told:
    """What the objects of a body have told so far: of two that tell the same, the later is right."""

    model: str | None = None
    provider: str | None = None
    finish_reason: str | None = None
    cost: float | None = None
    counts: dict[str, int] = field(default_factory=dict)

    def everything(self) -> bool:
        texts = (self.model, self.provider, self.finish_reason)
        return None not in texts and self.cost is not None and self.counts.keys() >= _EVERY_COUNT

    def usage(self) -> Usage:
        get = self.counts.get
        prompt = _sum(get("prompt"), get("cache_read_apart"), get("cache_written_apart"), needs=get("prompt"))
        completion = _sum(get("completion"), get("thoughts_apart"), needs=get("completion", get("thoughts_apart")))
        total = get("total")
        if total is None and prompt is not None and completion is not None:
            total = prompt + completion
        return Usage(
            model=self.model,
            provider=self.provider,
            prompt_tokens=prompt,
            completion_tokens=completion,
            reasoning_tokens=get("reasoning", get("thoughts_apart")),
            cached_tokens=get("cached", get("cache_read_apart")),
            total_tokens=total,
            cost=self.cost,
            finish_reason=self.finish_reason,
        )


_EVERY_COUNT = {"prompt", "completion", "total", "reasoning", "cached"}


def _sum(*counts: int | None, needs: int | None) -> int | None:
    return None if needs is None else sum(count or 0 for count in counts)


# Where each count stands in `usage` (OpenAI's two APIs, OpenRouter, Anthropic) or in Gemini's `usageMetadata`.
_COUNTS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("prompt", ("prompt_tokens",)),
    ("prompt", ("input_tokens",)),
    ("prompt", ("promptTokenCount",)),
    ("completion", ("completion_tokens",)),
    ("completion", ("output_tokens",)),
    ("completion", ("candidatesTokenCount",)),
    ("total", ("total_tokens",)),
    ("total", ("totalTokenCount",)),
    ("reasoning", ("completion_tokens_details", "reasoning_tokens")),
    ("reasoning", ("output_tokens_details", "reasoning_tokens")),
    ("thoughts_apart", ("thoughtsTokenCount",)),
    ("cached", ("prompt_tokens_details", "cached_tokens")),
    ("cached", ("input_tokens_details", "cached_tokens")),
    ("cached", ("cachedContentTokenCount",)),
    ("cache_read_apart", ("cache_read_input_tokens",)),
    ("cache_written_apart", ("cache_creation_input_tokens",)),
)


def _read(value: Any, told: _Told) -> None:
    if not isinstance(value, dict):
        return
    # The events of the Responses API and Anthropic's message_start have what is wanted one level down.
    for part in (value.get("response"), value.get("message"), value):
        if isinstance(part, dict):
            _read_part(part, told)


def _read_part(value: dict[str, Any], told: _Told) -> None:
    told.model = lenient_json.text(value.get("model")) or lenient_json.text(value.get("modelVersion")) or told.model
    told.provider = lenient_json.text(value.get("provider")) or told.provider
    told.finish_reason = _finish_reason(value) or told.finish_reason
    for name in ("usage", "usageMetadata"):
        _read_usage(value.get(name), told)


def _read_usage(value: Any, told: _Told) -> None:
    if not isinstance(value, dict):
        return
    cost = _cost(value.get("cost"))
    told.cost = told.cost if cost is None else cost
    for name, path in _COUNTS:
        count = lenient_json.count(lenient_json.at(value, *path))
        if count is not None:
            told.counts[name] = count


def _finish_reason(value: dict[str, Any]) -> str | None:
    for choice in lenient_json.dicts(value.get("choices")):
        if reason := lenient_json.text(choice.get("finish_reason")):
            return reason
    for candidate in lenient_json.dicts(value.get("candidates")):
        if reason := lenient_json.text(candidate.get("finishReason")):
            return reason
    if reason := lenient_json.text(value.get("stop_reason")) or lenient_json.text(
        lenient_json.at(value, "delta", "stop_reason")
    ):
        return reason
    if value.get("object") == "response" and value.get("status") in ("completed", "failed", "incomplete"):
        return lenient_json.text(lenient_json.at(value, "incomplete_details", "reason")) or lenient_json.text(
            value.get("status")
        )
    return None


def _cost(value: Any) -> float | None:
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    try:
        return float(value) if math.isfinite(value) and value >= 0 else None
    except OverflowError:  # an integer too large for a float
        return None


# --- time to first token


def time_to_first_token(exchange: Exchange) -> int | None:
    """Nanoseconds from the request to the piece that completes the first event with generated output, or None.

    Output is text, reasoning, a refusal or a tool call; the role, pings and comments are none. None where the answer
    is no event stream, came in no pieces (stored flows), holds no output, or cannot be decoded as far as that.
    """
    response = exchange.response
    if response is None or not exchange.chunks or not event_stream.is_event_stream(_header(exchange, b"content-type")):
        return None
    try:
        return _first_token(response.body, exchange.chunks, Decoder(_header(exchange, b"content-encoding")))
    except BodyError:
        return None


def first_token(response: Response, chunks: Sequence[tuple[int, int]]) -> int | None:
    """The same of a recorded response, and when each piece of it came, and its length on the wire.

    None too where the body is not what came over the wire: it was compressed there, or scrubbed to another length.
    """
    same = not response.uncompressed and sum(size for _, size in chunks) == len(response.body)
    if not same or not event_stream.is_event_stream(response.headers.first("Content-Type")):
        return None
    return _first_token(response.body, chunks, Decoder(""))


def _header(exchange: Exchange, name: bytes) -> str:
    headers = exchange.response.headers if exchange.response else ()
    return ", ".join(value.decode("latin-1") for key, value in headers if key.lower() == name)


def _first_token(body: bytes, chunks: Iterable[tuple[int, int]], decoder: Decoder) -> int | None:
    plain = bytearray()
    position = read_to = looked_at = 0
    for at, size in chunks:
        had = len(plain)
        plain += decoder.feed(body[position : position + size])
        position += size
        whole = event_stream.whole_until(
            plain, max(read_to, had - 1)
        )  # an empty line may begin at the end of the piece before
        if whole is None:
            continue
        for event in event_stream.events(bytes(plain[read_to:whole])):
            if _is_output(lenient_json.loads(event.data)):
                return at
            looked_at += 1
            if looked_at == _EVENTS_BEFORE_OUTPUT:
                return None
        read_to = whole
    return None


def _is_output(value: Any) -> bool:
    if not isinstance(value, dict):
        return False
    kind = value.get("type")
    if isinstance(kind, str):
        return _is_typed_output(kind, value)
    if any(
        _has_output(choice.get("delta")) or choice.get("text") for choice in lenient_json.dicts(value.get("choices"))
    ):
        return True
    contents = (
        lenient_json.at(candidate, "content", "parts") for candidate in lenient_json.dicts(value.get("candidates"))
    )
    parts = (part for content in contents for part in lenient_json.dicts(content))
    return any(part.get("text") or part.get("functionCall") or part.get("inlineData") for part in parts)


def _is_typed_output(kind: str, value: dict[str, Any]) -> bool:
    """Anthropic's events and those of the Responses API. A tool call begins with its name, and the name is output."""
    if kind == "content_block_start":
        return bool(lenient_json.at(value, "content_block", "type") in ("tool_use", "server_tool_use"))
    if kind == "response.output_item.added":
        return bool(lenient_json.at(value, "item", "type") == "function_call")
    if kind == "content_block_delta":
        return any(lenient_json.at(value, "delta", name) for name in ("text", "thinking", "partial_json"))
    return kind.startswith("response.") and kind.endswith(".delta") and bool(value.get("delta"))


_OUTPUT = ("content", "reasoning", "reasoning_content", "reasoning_details", "refusal", "tool_calls", "function_call")


def _has_output(delta: Any) -> bool:
    return isinstance(delta, dict) and any(delta.get(name) for name in (*_OUTPUT, "audio", "images"))
