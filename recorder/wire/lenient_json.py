"""JSON that nobody vouches for: what is not there, or of another kind than expected, is None. Nothing here raises."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any


def loads(data: bytes) -> Any:
    """An object or a list; None for anything else, malformed or not."""
    if data.lstrip()[:1] not in (b"{", b"["):  # spares parsing pages, pictures and `[DONE]`'s like
        return None
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return None


def dumps(value: Any, indent: int | None = None, *, ordered: bool = False) -> str:
    """As text, compact without `indent`; `ordered`: by name. What is nested too deeply for it is told and not shown."""
    separators = (",", ":") if indent is None else None
    try:
        return json.dumps(value, ensure_ascii=False, indent=indent, separators=separators, sort_keys=ordered)
    except (ValueError, RecursionError):  # a value that `loads` has made may still be too deep for the encoder
        return "<nested too deeply>"


def at(value: Any, *path: str) -> Any:
    """What stands at `path`, through objects only."""
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def mapping(value: Any) -> dict[str, Any]:
    """The object, or an empty one."""
    return value if isinstance(value, dict) else {}


def dicts(value: Any) -> Iterator[dict[str, Any]]:
    """The objects of a list."""
    return (item for item in value if isinstance(item, dict)) if isinstance(value, list) else iter(())


def text(value: Any) -> str | None:
    """A string that says something."""
    return value if isinstance(value, str) and value else None


def count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
