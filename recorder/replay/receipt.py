"""What a session's replay came to: what was served, what missed, what was never played."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from recorder import humanize
from recorder.replay.matching import Miss


@dataclass(frozen=True, slots=True, kw_only=True)
class Unplayed:
    id: int
    method: str
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What a session's replay came to. `digest`: of the file as it was read, "" if there was none. `recorded`: how many
    interactions were added. `upstream_connections`: how many were opened, which in `replay` is 0."""

    session: str
    cassette: str
    digest: str
    interactions: int
    served: int
    missed: tuple[Miss, ...]
    never_played: tuple[Unplayed, ...]
    recorded: int = 0
    upstream_connections: int = 0

    @property
    def is_clean(self) -> bool:
        """Whether all that was asked for was there, and all that was there was asked for."""
        return not self.missed and not self.never_played

    def line(self) -> str:
        told = [
            f"{self.served:,} served",
            f"{len(self.missed):,} missed",
            f"{len(self.never_played):,} never played",
            f"{self.recorded:,} recorded" if self.recorded else "",
            humanize.count(self.upstream_connections, "upstream connection"),
        ]
        return ", ".join(part for part in told if part)

    def as_json(self) -> dict[str, Any]:
        return {
            "session": self.session,
            "cassette": self.cassette,
            "digest": self.digest,
            "interactions": self.interactions,
            "served": self.served,
            "missed": [miss.as_json() for miss in self.missed],
            "never_played": [{"id": left.id, "method": left.method, "url": left.url} for left in self.never_played],
            "recorded": self.recorded,
            "upstream_connections": self.upstream_connections,
        }
