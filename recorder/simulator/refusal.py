"""Errors, in the shape of the API that was asked: OpenRouter's, OpenAI's, Anthropic's or Google's."""

from __future__ import annotations

from typing import Any

from recorder.simulator.behaviour import Behaviour
from recorder.simulator.script import Answer, single, with_headers

_MESSAGES = {
    400: "Bad Request",
    401: "No auth credentials found",
    402: "Insufficient credits. Add more using https://openrouter.ai/settings/credits",
    403: "Input was flagged by moderation",
    404: "Not Found",
    408: "Request timed out",
    413: "Request too large",
    429: "Provider returned error",
    500: "Internal Server Error",
    502: "Provider returned error",
    503: "No instances available",
}
_ANTHROPIC = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    529: "overloaded_error",
}
_GOOGLE = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
_OPENAI = {401: "invalid_api_key", 404: "model_not_found", 429: "rate_limit_exceeded"}


def refusal(api: str, status: int, behaviour: Behaviour, message: str = "") -> Answer:
    """`api`: openrouter, openai, anthropic or google."""
    text = message or _MESSAGES.get(status, "Error")
    answer = single(_body(api, status, text), behaviour, status=status)
    if status in {429, 503}:
        return with_headers(answer, (b"retry-after", b"%d" % behaviour.retry_after))
    return answer


def _body(api: str, status: int, text: str) -> dict[str, Any]:
    if api == "anthropic":
        return {"type": "error", "error": {"type": _ANTHROPIC.get(status, "api_error"), "message": text}}
    if api == "google":
        return {"error": {"code": status, "message": text, "status": _GOOGLE.get(status, "UNKNOWN")}}
    if api == "openai":
        kind = "server_error" if status >= 500 else "invalid_request_error"
        return {"error": {"message": text, "type": kind, "param": None, "code": _OPENAI.get(status)}}
    error: dict[str, Any] = {"message": text, "code": status}
    if status in {429, 502}:  # what a provider behind OpenRouter said
        raw = "temporarily rate-limited upstream" if status == 429 else "upstream connect error"
        error["metadata"] = {"raw": raw, "provider_name": "xAI"}
    return {"error": error}
