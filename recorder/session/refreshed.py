"""Recorded requests sent again: what goes out, and what in the answers has changed by meaning. Pure.

Wording is not meaning: a model says it differently each time. What counts is the status, how the answer ended, which
tools were called with which arguments' names, and which fields there are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit

from recorder.cassette.go_http import canonical
from recorder.errors import UsageError
from recorder.llm import conversation
from recorder.model import Interaction, Request, Response
from recorder.scrub import neutral
from recorder.session.settings import Host
from recorder.wire import event_stream, lenient_json
from recorder.wire.ports import DEFAULT_PORTS

_MOST_FIELDS: Final = 6  # that are told of a shape
_NOT_A_RECORDING: Final = (401, 402, 403, 407, 408, 409, 425, 429)


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """Where a host's key is, and how it is sent."""

    variable: str
    header: str = "Authorization"
    scheme: str = "Bearer "
    more: Mapping[str, str] = field(default_factory=dict)


_KEYS: Final[Mapping[str, Key]] = {
    "openrouter.ai": Key(variable="OPENROUTER_API_KEY"),
    "api.openai.com": Key(variable="OPENAI_API_KEY"),
    "api.anthropic.com": Key(
        variable="ANTHROPIC_API_KEY", header="X-Api-Key", scheme="", more={"Anthropic-Version": "2023-06-01"}
    ),
    "generativelanguage.googleapis.com": Key(variable="GEMINI_API_KEY", header="X-Goog-Api-Key", scheme=""),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Resent:
    """A request as it goes out again. `host`: whom it is meant for; `target`: what stands in its first line."""

    host: Host
    method: str
    target: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


def resent(request: Request, environ: Mapping[str, str], *, variable: str = "") -> Resent:
    """The request with the user's key; `variable`: where that is for a host that is not known here.

    Raises UsageError if there is no key, or if something was taken out of the request that nobody can put back.
    """
    url = urlsplit(request.url)
    if url.scheme not in ("http", "https") or not url.hostname:
        raise UsageError(f"expected an http or https URL, found {request.url}")
    told = (value for values in request.headers.values() for value in values)
    held = "\0".join((request.url, *told)).encode("utf-8", "surrogateescape") + request.body
    if neutral(held) != held:
        raise UsageError("a secret was taken out of the request, and cannot be put back")
    key = Key(variable=variable) if variable else _KEYS.get(url.hostname)
    if key is None:
        raise UsageError(f"expected to know where the key for {url.hostname} is; say it with --key-variable NAME")
    if not environ.get(key.variable):
        raise UsageError(f"expected the key for {url.hostname} in {key.variable}, found none")
    headers = {name: ", ".join(values) for name, values in request.headers.items()}
    headers |= {name: value for name, value in key.more.items() if name not in headers}
    headers["Accept-Encoding"] = "gzip"  # as Go's transport does by itself; it is not written
    headers[canonical(key.header)] = key.scheme + environ[key.variable]
    if not request.host:  # by which the recorder knows a client that leaves it empty
        headers.setdefault("X-Stainless-Lang", "refresh")
    target = (url.path or "/") + (f"?{url.query}" if url.query else "")
    host = Host(name=url.hostname, port=url.port or DEFAULT_PORTS[url.scheme], scheme=url.scheme)
    return Resent(host=host, method=request.method or "GET", target=target, headers=headers, body=request.body)


def changes(old: Interaction, new: Interaction) -> list[str]:
    """What is not as it was, one text each; none if the answers mean the same."""
    return list(_changes(old, new))


def is_a_recording(old: Response, new: Response) -> bool:
    """Whether the new answer may take the old one's place unasked: not a refused key or a server's bad day."""
    return old.code == new.code or not (new.code in _NOT_A_RECORDING or new.code >= 500)


def _changes(old: Interaction, new: Interaction) -> Iterator[str]:
    yield from _changed("status", old.response.status.strip(), new.response.status.strip())
    yield from _changed("type", _kind(old.response), _kind(new.response))
    before, after = (conversation.read(interaction, 0) for interaction in (old, new))
    ends = [", ".join(answer.finish_reason or "cut" for answer in turn.answers) or "none" for turn in (before, after)]
    yield from _changed("finish reason", *ends)
    yield from _changed("tool calls", *(_calls(turn) for turn in (before, after)))
    shapes = [_shape(interaction.response) for interaction in (old, new)]
    new_fields, gone = (sorted(one - other) for one, other in ((shapes[1], shapes[0]), (shapes[0], shapes[1])))
    if new_fields:
        yield f"new fields: {_few(new_fields)}"
    if gone:
        yield f"fields that are gone: {_few(gone)}"


def _changed(what: str, old: str, new: str) -> Iterator[str]:
    if old != new:
        yield f"{what}: {old} → {new}"


def _kind(response: Response) -> str:
    return response.headers.first("Content-Type").partition(";")[0].strip().lower() or "none"


def _calls(turn: conversation.Turn) -> str:
    """`weather(city, days), time()`: names, and those of the arguments; what they are is the model's choice."""
    calls = (call for answer in turn.answers for call in answer.message.tool_calls)
    return ", ".join(f"{call.name}({', '.join(sorted(lenient_json.mapping(call.parsed)))})" for call in calls) or "none"


def _shape(response: Response) -> frozenset[str]:
    """The fields that there are, in any of the events of a stream; places in lists left out."""
    if event_stream.is_event_stream(response.headers.first("Content-Type")):
        values = [lenient_json.loads(event.data) for event in event_stream.events(response.body)]
    else:
        values = [lenient_json.loads(response.body)]
    return frozenset(name for value in values for name in _fields(value, ""))


def _fields(value: Any, path: str) -> Iterator[str]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield f"{path}{name}"
            yield from _fields(inner, f"{path}{name}.")
    elif isinstance(value, list):
        for inner in value:
            yield from _fields(inner, path)


def _few(names: list[str]) -> str:
    more = f" and {len(names) - _MOST_FIELDS} more" if len(names) > _MOST_FIELDS else ""
    return ", ".join(names[:_MOST_FIELDS]) + more
