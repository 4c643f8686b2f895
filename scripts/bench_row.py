"""What a group of `scripts/bench` yields."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One figure. `goal`: what `times` has to reach; a row without one only informs."""

    what: str
    ours: str
    theirs: str = ""
    times: float | None = None
    goal: float | None = None

    @property
    def missed(self) -> bool:
        return self.goal is not None and (self.times is None or self.times < self.goal)

    def __str__(self) -> str:
        times = f"{self.times:6.1f}x" if self.times is not None else ""
        goal = f"goal {self.goal:g}x{', MISSED' if self.missed else ''}" if self.goal is not None else ""
        return f"{self.what:<42} {self.ours:>12}  {self.theirs:<28} {times:>7}  {goal}".rstrip()
