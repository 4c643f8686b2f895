"""When each piece of a recorded answer came: the lines of `NAME.timing.jsonl`, beside the cassette. Pure.

A line is found again by what its interaction says, not by its id: a cassette is put in order when it is sealed, and
may be edited. A line of an interaction that is no longer there says nothing to anybody.

Times are nanoseconds since the request began; lengths are bytes as they came over the wire.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import blake2b

from recorder.model import Interaction

SUFFIX = ".timing.jsonl"

_MOST = 2**63 - 1  # nanoseconds or bytes: more than Go's durations and any body can have


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """`headers`: when the response's headers came. `chunks`: when each piece of the body came, and its length."""

    headers: int
    chunks: tuple[tuple[int, int], ...]


def dumps(interaction: Interaction, timing: Timing) -> bytes:
    """One line. `interaction` as it is written: scrubbed."""
    value = {"interaction": key(interaction), "headers": timing.headers, "chunks": timing.chunks}
    return json.dumps(value, separators=(",", ":")).encode() + b"\n"


def loads(data: bytes) -> Mapping[str, deque[Timing]]:
    """The timings by `key`, in the order of writing. A line that is none (a recorder died in it) is left out."""
    found: dict[str, deque[Timing]] = {}
    for line in data.splitlines():
        try:
            value = json.loads(line)
            timing = Timing(
                headers=_number(value["headers"]),
                chunks=tuple((_number(at), _number(length)) for at, length in value["chunks"]),
            )
            found.setdefault(str(value["interaction"]), deque()).append(timing)
        except (ValueError, TypeError, KeyError, RecursionError):
            continue
    return found


def _number(value: object) -> int:
    if not isinstance(value, int) or not 0 <= value <= _MOST:
        raise ValueError("expected nanoseconds or bytes")
    return value


def of(interactions: Iterable[Interaction], data: bytes) -> list[Timing | None]:
    """The timing of each interaction; None where none was kept."""
    found = loads(data)
    timings: list[Timing | None] = []
    for interaction in interactions:
        queue = found.get(key(interaction))
        timings.append(queue.popleft() if queue else None)
    return timings


def key(interaction: Interaction) -> str:
    """What an interaction is known by: what was asked and answered, and how long that took, to the nanosecond."""
    request, response = interaction.request, interaction.response
    digest = blake2b(digest_size=12)
    for part in (request.method, request.url, str(response.duration)):
        digest.update(part.encode("utf-8", "surrogateescape") + b"\0")
    digest.update(b"%d:" % len(request.body) + request.body + response.body)
    return digest.hexdigest()
