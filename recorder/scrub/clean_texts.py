"""Texts in which nothing was found, so that they need not be searched again."""

from __future__ import annotations

from dataclasses import dataclass, field

_MOST_KNOWN = 4096


_LARGEST_KNOWN = 1 << 22


@dataclass(slots=True, kw_only=True)
class CleanTexts:
    """What had nothing in it when `learned` values were known, and comes again: texts (headers, bodies that the gate
    sees too), bodies whose pieces had nothing in them either, and runs (ids, names of models) that were read as base64
    and hex."""

    learned: int
    texts: set[bytes] = field(default_factory=set, repr=False)
    bodies: set[bytes] = field(default_factory=set, repr=False)
    runs: set[bytes] = field(default_factory=set, repr=False)
    size: int = 0

    def add(self, text: bytes) -> None:
        self._make_room()
        self.texts.add(text)
        self.size += len(text)

    def add_body(self, body: bytes) -> None:
        if len(body) > _LARGEST_KNOWN:  # to search it again is cheaper than to hold it
            return
        self._make_room()
        self.bodies.add(body)
        self.size += len(body)

    def add_run(self, run: bytes) -> None:
        if len(self.runs) > _MOST_KNOWN:
            self.runs.clear()
        self.runs.add(run)

    def _make_room(self) -> None:
        if self.size > _LARGEST_KNOWN or len(self.texts) > _MOST_KNOWN:
            self.texts.clear()
            self.bodies.clear()
            self.size = 0
