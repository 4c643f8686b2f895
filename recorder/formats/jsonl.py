"""One line of JSON for each interaction: the request, the response, and the conversation that they carry."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator
from typing import Any

from recorder.formats.exported_session import Session, line, shown
from recorder.llm import conversation, json_values
from recorder.model import Fields


def dumps(sessions: Iterable[Session]) -> Iterator[str]:
    for session in sessions:
        for number, interaction in enumerate(session.interactions):
            request, response = interaction.request, interaction.response
            told = json_values.turn(conversation.read(interaction, number))
            usage = told.pop("usage")
            for name in ("id", "method", "url", "status", "duration_ns"):  # these stand with the messages of HTTP
                del told[name]
            yield line(
                {
                    "session": shown(session.name),
                    "id": number,
                    "request": {
                        "method": shown(request.method),
                        "url": shown(request.url),
                        "headers": _headers(request.headers),
                        **_body(request.body),
                    },
                    "response": {
                        "status": response.code,
                        "duration_ns": response.duration,
                        "headers": _headers(response.headers),
                        **_body(response.body),
                    },
                    "conversation": told,
                    "usage": usage,
                }
            )


def _headers(fields: Fields) -> dict[str, list[str]]:
    return {shown(name): list(map(shown, values)) for name, values in fields.items()}


def _body(body: bytes) -> dict[str, Any]:
    """As a text; one that is none as base64."""
    try:
        return {"body": body.decode(), "body_base64": None}
    except UnicodeDecodeError:
        return {"body": None, "body_base64": base64.b64encode(body).decode()}
