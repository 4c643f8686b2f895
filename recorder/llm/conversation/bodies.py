"""Recorded bodies as JSON values: one for a whole answer, one for each event of a stream.

Amazon's binary event streams hold the same events as Anthropic's; they are read as text streams.
"""

from __future__ import annotations

from typing import Any

from recorder.model import Response
from recorder.wire import event_stream, lenient_json

_AMAZON = "application/vnd.amazon.eventstream"
_TEXT = "text/event-stream"


def plain(response: Response) -> tuple[bytes, str]:
    """The body, and its content type; a binary event stream as one in text."""
    content_type = response.headers.first("Content-Type")
    if content_type.partition(";")[0].strip().lower() == _AMAZON:
        from recorder.wire import aws_event_stream  # noqa: PLC0415 - its package takes longer to load than most files to read

        text = aws_event_stream.as_text(response.body)
        if text is not None:
            return text, _TEXT
    return response.body, content_type


def values(body: bytes, content_type: str) -> list[dict[str, Any]]:
    """The objects that a body holds. Gemini streams a list of them unless it is asked for events."""
    if event_stream.is_event_stream(content_type):
        found = [lenient_json.loads(event.data) for event in event_stream.events(body) if event.complete]
    else:
        value = lenient_json.loads(body)
        found = value if isinstance(value, list) else [value]
    return list(lenient_json.dicts(found))
