"""What is put out: sessions, each with its interactions; and texts that any program can read."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, repeat
from typing import Any

from recorder.model import Interaction
from recorder.replay.timing import Timing

_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """`timings`: of each interaction, None where its times were not kept; empty if none were."""

    name: str
    interactions: Sequence[Interaction]
    timings: Sequence[Timing | None] = ()

    def timed(self) -> Iterator[tuple[Interaction, Timing | None]]:
        return zip(self.interactions, chain(self.timings, repeat(None)), strict=False)


def clean(text: str) -> str:
    """Text that is Unicode: halves of a pair that a stream delivered apart are joined, others become U+FFFD."""
    if not _SURROGATE.search(text):
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def shown(text: str) -> str:
    """The model's text for those who have Unicode only: bytes that are no UTF-8 become U+FFFD."""
    return text if text.isascii() else text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def line(value: Any) -> str:
    """A line of JSON that any parser takes."""
    return clean(json.dumps(value, ensure_ascii=False, separators=(",", ":"))) + "\n"
