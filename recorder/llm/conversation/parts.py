"""What the APIs' parts have in common: pieces of text that follow each other, and data that is sent along."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from recorder.llm.conversation.turn import Attachment, Message, Part, Reasoning, Refusal, Text
from recorder.wire import lenient_json

_DATA_URL = re.compile(r"data:([^;,]*)(?:;[^;,]*)*?(;base64)?,")


def said(role: str, parts: Iterable[Part], *, name: str = "") -> Message:
    """A message of `parts`, without those that say nothing."""
    return Message(role=role, parts=tuple(filter(_says_something, parts)), name=name)


def _says_something(part: Part) -> bool:
    if isinstance(part, Reasoning):
        return bool(part.text or part.sealed)
    return bool(part.text) if isinstance(part, Text | Refusal) else True


def joined(parts: Iterable[Part]) -> list[Part]:
    """Pieces of the same kind that follow each other as one: a stream's deltas as what they add up to."""
    texts: list[list[str]] = []
    whole: list[Part] = []
    for part in parts:
        last = whole[-1] if whole else None
        if isinstance(part, Text) and isinstance(last, Text):
            texts[-1].append(part.text)
        elif isinstance(part, Reasoning) and isinstance(last, Reasoning):
            texts[-1].append(part.text)
            whole[-1] = replace(last, sealed=last.sealed + part.sealed)
        else:
            whole.append(part)
            texts.append([part.text] if isinstance(part, Text | Reasoning) else [])
    return [
        replace(part, text="".join(pieces)) if isinstance(part, Text | Reasoning) else part
        for part, pieces in zip(whole, texts, strict=True)
    ]


def attachment(kind: str, *, url: Any = None, data: Any = None, media_type: Any = None, name: Any = None) -> Attachment:
    """From a URL, a `data:` URL, or base64."""
    link, sent = lenient_json.text(url) or "", lenient_json.text(data)
    found = _DATA_URL.match(link)
    if found:
        sent, media_type, link = link[found.end() :], media_type or found[1], ""
    return Attachment(
        kind=kind,
        media_type=lenient_json.text(media_type) or "",
        url=link,
        name=lenient_json.text(name) or "",
        size=None if sent is None else _size(sent, base64=found is None or found[2] is not None),
    )


def _size(data: str, *, base64: bool) -> int:
    return len(data.rstrip("=")) * 3 // 4 if base64 else len(data)


def arguments(value: Any) -> str:
    """A call's arguments as text, whichever way the API gives them."""
    return _other(value)


def plain_text(value: Any) -> str:
    """What a program sent back: a string, parts of text, or any JSON."""
    if isinstance(value, list):
        return "\n".join(lenient_json.text(lenient_json.at(item, "text")) or _other(item) for item in value)
    return _other(value)


def _other(value: Any) -> str:
    if isinstance(value, str):
        return value
    return "" if value is None else lenient_json.dumps(value)
