"""An interaction → a turn: which API it speaks, and its parts from there. Nothing here raises for what a body holds."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import urlsplit

from recorder.llm import usage
from recorder.llm.conversation import anthropic, bodies, gemini, openai_chat, openai_responses
from recorder.llm.conversation.turn import Answer, Message, Tool, Turn
from recorder.llm.usage import Usage
from recorder.model import Interaction
from recorder.wire import event_stream, lenient_json


class _Answers(Protocol):
    def __call__(self, values: Iterable[dict[str, Any]], *, streamed: bool) -> Iterator[Answer]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class _Api:
    """How to read one API. `path`: what the URL's path ends in. `said`: the request's fields that are no parameters."""

    name: str
    path: re.Pattern[str]
    said: tuple[str, ...]
    prompt: Callable[[dict[str, Any]], Iterator[Message]]
    tools: Callable[[dict[str, Any]], Iterator[Tool]]
    answers: _Answers


_CHAT = _Api(
    name="chat",
    path=re.compile(r"/chat/completions/?$"),
    said=("messages", "tools", "functions", "model"),
    prompt=openai_chat.prompt,
    tools=openai_chat.tools,
    answers=openai_chat.answers,
)
_COMPLETIONS = _Api(
    name="completions",
    path=re.compile(r"/completions/?$"),
    said=("prompt", "model"),
    prompt=openai_chat.prompt,
    tools=openai_chat.tools,
    answers=openai_chat.answers,
)
_RESPONSES = _Api(
    name="responses",
    path=re.compile(r"/responses/?$"),
    said=("input", "instructions", "tools", "model"),
    prompt=openai_responses.prompt,
    tools=openai_responses.tools,
    answers=openai_responses.answers,
)
_MESSAGES = _Api(
    name="messages",
    path=re.compile(r"/messages/?$|/invoke(?:-with-response-stream)?$|:(?:streamR|r)awPredict$"),
    said=("messages", "system", "tools", "model"),
    prompt=anthropic.prompt,
    tools=anthropic.tools,
    answers=anthropic.answers,
)
_GEMINI = _Api(
    name="gemini",
    path=re.compile(r":(?:streamG|g)enerateContent$"),
    said=("contents", "systemInstruction", "system_instruction", "tools", "model"),
    prompt=gemini.prompt,
    tools=gemini.tools,
    answers=gemini.answers,
)
_APIS = (_CHAT, _COMPLETIONS, _RESPONSES, _MESSAGES, _GEMINI)
# A gateway may have any path: then a field that only one of them has tells.
_SIGNS = (("contents", _GEMINI), ("anthropic_version", _MESSAGES), ("messages", _CHAT), ("input", _RESPONSES))


def read(interaction: Interaction, number: int = 0) -> Turn:
    """`interaction`, the cassette's `number`-th, as a turn."""
    body, content_type = bodies.plain(interaction.response)
    request = lenient_json.mapping(lenient_json.loads(interaction.request.body))
    streamed = event_stream.is_event_stream(content_type)
    values = bodies.values(body, content_type)
    told = usage_of(interaction)
    error = _error(interaction, values)
    api = _api(interaction.request.url, request)
    if api is None:
        return Turn(id=number, api="", interaction=interaction, streamed=streamed, usage=told, error=error)
    return Turn(
        id=number,
        api=api.name,
        interaction=interaction,
        streamed=streamed,
        prompt=tuple(api.prompt(request)),
        answers=tuple(api.answers(values, streamed=streamed)),
        tools=tuple(api.tools(request)),
        parameters={name: value for name, value in request.items() if name not in api.said},
        usage=told,
        error=error,
    )


def usage_of(interaction: Interaction) -> Usage:
    """What `read(interaction).usage` is, without reading the rest; binary event streams of Bedrock included."""
    body, content_type = bodies.plain(interaction.response)
    asked = interaction.request
    return usage.of_bodies(url=asked.url, request=asked.body, response=body, content_type=content_type)


def _api(url: str, request: dict[str, Any]) -> _Api | None:
    """By the path; a path's last word can mean something else, so the body must be a request's at all."""
    if not request:
        return None
    try:
        path = urlsplit(url).path
    except ValueError:  # what is recorded is what was asked for, and that may be no URL
        path = ""
    found = next((api for api in _APIS if api.path.search(path)), None)
    if found is not None and any(name in request for name in found.said):
        return found
    return next((api for sign, api in _SIGNS if sign in request and "model" in request), None)


def _error(interaction: Interaction, values: list[dict[str, Any]]) -> str:
    """What went wrong, in the server's words: in the body, in one of a stream's events, or by its status."""
    for value in reversed(values):
        for told in (value.get("error"), lenient_json.at(value, "response", "error")):
            if told:
                return _words(told)
        if value.get("type") == "error" and isinstance(value.get("message"), str):
            return str(value["message"])
    response = interaction.response
    if response.code < 400:
        return ""
    return next((text for value in values if (text := lenient_json.text(value.get("message")))), response.status)


def _words(told: Any) -> str:
    if isinstance(told, str):
        return told
    message = lenient_json.text(lenient_json.at(told, "message"))
    behind = lenient_json.text(lenient_json.at(told, "metadata", "raw"))  # OpenRouter: what the provider said
    return ": ".join(filter(None, (message, behind))) or lenient_json.dumps(told)
