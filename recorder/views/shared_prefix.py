"""Beginnings that conversations share: each request repeats what was said so far, and a reader wants it once."""

from __future__ import annotations

from collections.abc import Hashable, Iterable


class Seen:
    """The conversations so far as a tree; one that goes on from another shares its beginning with it."""

    def __init__(self) -> None:
        self._behind: dict[tuple[int, Hashable], int] = {}  # a node and what was said there → the next node
        self._latest: dict[int, int] = {}  # the latest turn that came by a node

    def add(self, said: Iterable[Hashable], turn: int = 0) -> None:
        node = 0
        for each in said:
            node = self._behind.setdefault((node, each), len(self._behind) + 1)
            self._latest[node] = turn

    def known(self, said: Iterable[Hashable]) -> tuple[int, int]:
        """How much of the beginning was there before, and the turn that had it last."""
        node = count = 0
        for each in said:
            behind = self._behind.get((node, each))
            if behind is None:
                break
            node, count = behind, count + 1
        return count, self._latest.get(node, 0)
