"""An answer before it is sent: one body, or an event stream in its parts. Bytes, and no idea of a connection."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from recorder.simulator.behaviour import Behaviour
from recorder.simulator.models import dollars

JSON = (b"content-type", b"application/json")
EVENT_STREAM = (b"content-type", b"text/event-stream")
HOLE = "\0delta\0"  # stands in a template where the text of a delta goes; no id and no model has it in its name
_HOLE = json.dumps(HOLE)[1:-1]
_COST = re.compile(r'"\\u0000\$([0-9.]+)"')


class BadRequestError(Exception):
    """The request's body is not what the API takes; the message is for the client."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """`events`: the body in its natural pieces, one for an answer that is no stream."""

    status: int = 200
    headers: tuple[tuple[bytes, bytes], ...] = (JSON,)
    events: Iterable[bytes] = ()
    streamed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """An event stream. `deltas`: the text's. `failure`: the event that an API sends when it fails in mid-stream."""

    opening: tuple[bytes, ...]
    deltas: Iterable[bytes]
    closing: tuple[bytes, ...]
    terminal: tuple[bytes, ...]
    failure: bytes
    headers: tuple[tuple[bytes, bytes], ...] = (EVENT_STREAM, (b"cache-control", b"no-cache"))


def dumps(value: Any) -> str:
    """Compact JSON in UTF-8, as the providers send it; amounts of money in full (`cost`)."""
    return _COST.sub(r"\1", json.dumps(value, ensure_ascii=False, separators=(",", ":")))


def cost(price: int) -> str:
    """A placeholder for `dumps`: JSON in Python would print a small amount with an exponent."""
    return f"\0${dollars(price)}"


def event(value: Any, kind: str = "") -> bytes:
    head = f"event: {kind}\n" if kind else ""
    return f"{head}data: {dumps(value)}\n\n".encode()


def deltas(template: bytes, pieces: Iterable[str], *, size: int = 0) -> Iterator[bytes]:
    """The template (one event with `HOLE` in it) once for each piece, padded to `size` bytes: thousands, fast."""
    parts = template.split(_HOLE.encode())
    for piece in pieces:
        text = json.dumps(piece, ensure_ascii=False)[1:-1].encode()
        made = text.join(parts)
        if len(made) < size:
            made = (text + b"." * ((size - len(made)) // (len(parts) - 1))).join(parts)
        yield made


def stream(script: Script, behaviour: Behaviour) -> Answer:
    return Answer(headers=script.headers, events=_events(script, behaviour), streamed=True)


def _events(script: Script, behaviour: Behaviour) -> Iterator[bytes]:
    yield from script.opening
    for number, delta in enumerate(script.deltas):
        if number == behaviour.error_at:
            yield script.failure
            return
        yield delta
    if behaviour.error_at is not None:  # fewer deltas than that: it fails at the end of the text
        yield script.failure
        return
    yield from script.closing
    if not behaviour.no_terminal:
        yield from script.terminal


def single(value: Any, behaviour: Behaviour, *, keep_alives: int = 0, status: int = 200) -> Answer:
    """A body that is no stream. JSON may have white space in front, and OpenRouter sends it while the model thinks."""
    body = dumps(value).encode()
    events = [b"\n         \n"] * keep_alives
    padding = behaviour.body_bytes - len(body) - sum(map(len, events))
    return Answer(status=status, events=(*events, body + b" " * padding))


def with_headers(answer: Answer, *headers: tuple[bytes, bytes]) -> Answer:
    return replace(answer, headers=(*answer.headers, *headers))
