"""What of a request is compared: the parts, the named headers, and the fields of a JSON body that are left out."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from recorder.cassette.go_http import canonical
from recorder.errors import UsageError
from recorder.wire import json_paths

PARTS = ("method", "url", "path", "query", "body", "raw-body")
_HEADER = re.compile(r"headers?:([!#$%&'*+.^_`|~0-9A-Za-z-]+)")  # RFC 9110, section 5.6.2: a name is a token


@dataclass(frozen=True, slots=True, kw_only=True)
class Criteria:
    """`parts` of `PARTS`, `headers` by their canonical names, `ignored`: paths into JSON bodies."""

    parts: frozenset[str] = frozenset(("method", "url", "body"))
    headers: tuple[str, ...] = ()
    ignored: tuple[tuple[json_paths.Step, ...], ...] = ()

    @property
    def compares_bodies(self) -> bool:
        return not self.parts.isdisjoint(("body", "raw-body"))


DEFAULT = Criteria()


def parse_criteria(match: Iterable[str] = (), ignore_json: Iterable[str] = ()) -> Criteria:
    """From `--match` (`method,url,body`, `header:X-Title`) and `--ignore-json`; `UsageError` for what is neither."""
    parts: set[str] = set()
    headers: dict[str, None] = {}
    for word in (word for text in match for word in re.split(r"[,\s]+", text) if word):
        if header := _HEADER.fullmatch(word):
            headers[canonical(header[1])] = None
        elif word in PARTS:
            parts.add(word)
        else:
            raise UsageError(f"expected something to match ({', '.join(PARTS)}, header:NAME), found {word!r}")
    if not parts and headers:  # headers alone, of whatever was asked, match nearly everything
        parts |= DEFAULT.parts
    if "raw-body" in parts:
        parts.discard("body")
    return Criteria(
        parts=frozenset(parts) or DEFAULT.parts,
        headers=tuple(headers),
        ignored=tuple(_parsed(path) for path in ignore_json),
    )


def _parsed(path: str) -> tuple[json_paths.Step, ...]:
    try:
        return json_paths.parse(path)
    except UsageError as error:
        raise UsageError(f"--ignore-json {path}: {error}") from error
