"""Request → answer, for every address that is served: pure, so the whole simulator can be asked without a socket.

OpenRouter's API is under `/api/v1`. The same server stands in for OpenAI, Anthropic and Google under their own paths.
`/sim/…` is for tests of whatever is between: `echo`, `bytes`, `status/NNN`, `redirect?to=…`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

from recorder.simulator import anthropic, gemini, openai_chat, openai_responses
from recorder.simulator.behaviour import Behaviour
from recorder.simulator.dialogue import reply
from recorder.simulator.models import MODELS, listing
from recorder.simulator.refusal import refusal
from recorder.simulator.script import Answer, BadRequestError, single, with_headers
from recorder.simulator.seeded import Seeded

_KEY = re.compile(r"sk-or-v1-\S+")
_REDIRECTS = (301, 302, 303, 307, 308)


@dataclass(frozen=True, slots=True, kw_only=True)
class Incoming:
    """`headers`: lower-case names, each with its first value."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """`api`: whose errors and keys; `methods`: HEAD goes where GET goes."""

    api: str
    path: re.Pattern[str]
    methods: tuple[str, ...]
    handler: Callable[[Incoming, Behaviour, Seeded, Route], Answer]
    key: bool = True


def answer(request: Incoming, behaviour: Behaviour, seeded: Seeded) -> Answer:
    route = next((route for route in ROUTES if route.path.fullmatch(request.path)), None)
    api = route.api if route else "openrouter"
    if behaviour.error and (not behaviour.error_times or seeded.nth < behaviour.error_times):
        return refusal(api, behaviour.error, behaviour)
    if route is None:
        return refusal(api, 404, behaviour)
    if request.method not in route.methods:
        return refusal(api, 405, behaviour, "Method Not Allowed")
    if route.key and (message := _no_key(request, api)):
        return refusal(api, 401, behaviour, message)
    try:
        return route.handler(request, behaviour, seeded, route)
    except BadRequestError as error:
        return refusal(api, 400, behaviour, str(error))


def _no_key(request: Incoming, api: str) -> str:
    """Why the request has no good key, in OpenRouter's words; "" if it has one."""
    scheme, _, bearer = request.headers.get("authorization", "").partition(" ")
    key = bearer.strip() if scheme.lower() == "bearer" else ""
    if api == "anthropic":
        key = request.headers.get("x-api-key", key)
    if api == "google":
        key = request.headers.get("x-goog-api-key") or parse_qs(request.query).get("key", [key])[0]
    if not key:
        return "No auth credentials found"
    if api == "openrouter" and not _KEY.fullmatch(key):
        return "User not found."
    return ""


def _object(request: Incoming) -> dict[str, Any]:
    try:
        value = json.loads(request.body)
    except ValueError as error:  # UnicodeDecodeError is one, too
        raise BadRequestError("Invalid JSON in request body") from error
    if not isinstance(value, dict):
        raise BadRequestError("Invalid input: expected object")
    return value


def _echoed(request: Incoming, behaviour: Behaviour) -> str:
    if behaviour.echo == "body":
        return request.body.decode("utf-8", "replace")
    return request.headers.get(behaviour.echo.lower(), "")


def _chat(request: Incoming, behaviour: Behaviour, seeded: Seeded, route: Route) -> Answer:
    body = _object(request)
    asked = openai_chat.ask(body)
    bare = route.api != "openrouter"
    if not bare and asked.model not in MODELS:
        return refusal(route.api, 404, behaviour, f"No endpoints found for {asked.model}.")
    said = reply(asked, behaviour, seeded, echoed=_echoed(request, behaviour))
    if body.get("stream"):
        made = openai_chat.streamed(asked, said, behaviour, seeded, usage=openai_chat.wants_usage(body), bare=bare)
    else:
        made = openai_chat.whole(asked, said, behaviour, seeded, bare=bare)
    return made if bare else with_headers(made, (b"x-generation-id", openai_chat.generation(seeded).encode()))


def _responses(request: Incoming, behaviour: Behaviour, seeded: Seeded, route: Route) -> Answer:
    del route
    body = _object(request)
    asked = openai_responses.ask(body)
    said = reply(asked, behaviour, seeded, echoed=_echoed(request, behaviour))
    answer_in = openai_responses.streamed if body.get("stream") else openai_responses.whole
    return answer_in(asked, said, behaviour, seeded)


def _messages(request: Incoming, behaviour: Behaviour, seeded: Seeded, route: Route) -> Answer:
    del route
    body = _object(request)
    asked = anthropic.ask(body)
    said = reply(asked, behaviour, seeded, echoed=_echoed(request, behaviour))
    answer_in = anthropic.streamed if body.get("stream") else anthropic.whole
    return answer_in(asked, said, behaviour, seeded)


def _gemini(request: Incoming, behaviour: Behaviour, seeded: Seeded, route: Route) -> Answer:
    del route
    model, _, method = request.path.rpartition("/")[2].partition(":")
    asked = gemini.ask(_object(request), model)
    said = reply(asked, behaviour, seeded, echoed=_echoed(request, behaviour))
    answer_in = gemini.streamed if method == "streamGenerateContent" else gemini.whole
    return answer_in(asked, said, behaviour, seeded)


def _models(request: Incoming, behaviour: Behaviour, seeded: Seeded, route: Route) -> Answer:
    del request
    if route.api == "openrouter":
        return single({"data": listing(seeded.created)}, behaviour)
    data = [{"id": name, "object": "model", "created": seeded.created, "owned_by": "openai"} for name in MODELS]
    return single({"object": "list", "data": data}, behaviour)


def _echo(request: Incoming, behaviour: Behaviour, seeded: Seeded, route: Route) -> Answer:
    """The request as it arrived. A body that is no UTF-8 is given with U+FFFD in place of what is not."""
    del seeded, route
    value = {
        "method": request.method,
        "path": request.path,
        "query": request.query,
        "headers": dict(request.headers),
        "body": request.body.decode("utf-8", "replace"),
    }
    return single(value, behaviour)


def _bytes(request: Incoming, behaviour: Behaviour, seeded: Seeded, route: Route) -> Answer:
    """`body_bytes` of noise (`binary`), or of text, in writes of at most 64 KiB."""
    del request, route
    size = behaviour.body_bytes
    if behaviour.binary:
        block = seeded.noise("bytes", 65_536)
        kind = b"application/octet-stream"
    else:
        block = b"The quick brown fox jumps over the lazy dog; 12345.\n" * 1260
        kind = b"text/plain; charset=utf-8"
    whole, rest = divmod(size, len(block))
    return Answer(headers=((b"content-type", kind),), events=(*[block] * whole, block[:rest]))


def _status(request: Incoming, behaviour: Behaviour, seeded: Seeded, route: Route) -> Answer:
    """A success or a redirect without a body; an error as OpenRouter words it."""
    del seeded
    status = int(request.path.rpartition("/")[2])
    if status >= 400:
        return refusal(route.api, status, behaviour)
    return Answer(status=status, headers=())


def _redirect(request: Incoming, behaviour: Behaviour, seeded: Seeded, route: Route) -> Answer:
    del behaviour, seeded, route
    query = parse_qs(request.query)
    status = int(query.get("status", ["307"])[0])
    if status not in _REDIRECTS:
        raise BadRequestError(f"expected one of {_REDIRECTS}, found {status}")
    to = query.get("to", ["/sim/echo"])[0]
    return Answer(status=status, headers=((b"location", to.encode("ascii", "replace")),))


def _route(api: str, path: str, methods: tuple[str, ...], handler: Any, *, key: bool = True) -> Route:
    return Route(api=api, path=re.compile(path), methods=methods, handler=handler, key=key)


_ANY = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
ROUTES = (
    _route("openrouter", "/api/v1/chat/completions", ("POST",), _chat),
    _route("openrouter", "/api/v1/models", ("GET", "HEAD"), _models, key=False),
    _route("openai", "(/openai)?/v1/chat/completions", ("POST",), _chat),
    _route("openai", "(/openai)?/v1/models", ("GET", "HEAD"), _models),
    _route("openai", "(/api|/openai)?/v1/responses", ("POST",), _responses),
    _route("anthropic", "(/api)?/v1/messages", ("POST",), _messages),
    _route("google", "/v1beta/models/[^/:]+:(g|streamG)enerateContent", ("POST",), _gemini),
    _route("openrouter", "/sim/echo", _ANY, _echo, key=False),
    _route("openrouter", "/sim/bytes", _ANY, _bytes, key=False),
    _route("openrouter", "/sim/status/[2-5][0-9][0-9]", _ANY, _status, key=False),
    _route("openrouter", "/sim/redirect", _ANY, _redirect, key=False),
)
