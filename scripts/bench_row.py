"""What a group of `scripts/bench` yields."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One figure. `times`: how many times better ours is than theirs. `goal`: what `times` has to reach; a row without
    one only informs. `others`: how many times better ours is than what else there is, by name. `why`: where the time
    goes, for a goal that is not reached.
    """

    what: str
    ours: str
    theirs: str = ""
    times: float | None = None
    goal: float | None = None
    others: Mapping[str, float] = field(default_factory=dict)
    why: str = ""

    @property
    def missed(self) -> bool:
        return self.goal is not None and (self.times is None or self.times < self.goal)

    def far_off(self, factor: float) -> bool:
        """Whether the goal is missed by more than a factor: what a short run on a busy machine can tell."""
        return self.goal is not None and (self.times is None or self.times * factor < self.goal)

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "missed": self.missed}

    def __str__(self) -> str:
        times = f"{self.times:6.{1 if self.times >= 10 else 2}f}x" if self.times is not None else ""
        goal = f"goal {self.goal:g}x{', MISSED' if self.missed else ''}" if self.goal is not None else ""
        others = ", ".join(f"{name} {times:.2f}x" for name, times in self.others.items())
        why = f"; {self.why}" if self.why and self.missed else ""
        return f"{self.what:<42} {self.ours:>12}  {self.theirs:<28} {times:>7}  {goal:<20} {others}{why}".rstrip()
