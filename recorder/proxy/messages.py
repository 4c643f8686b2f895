"""What a recorder and its workers say to each other.

The recorder holds the cassettes and accepts the connections; a worker is a proxy for the connections that it is
handed. A session belongs to the recorder; a worker that has a request of it joins it.
"""

from __future__ import annotations

from dataclasses import dataclass

from recorder.session.settings import Settings
from recorder.wire.exchange import Exchange

# The recorder tells a worker


@dataclass(frozen=True, slots=True, kw_only=True)
class Serve:
    """The first message. Its ports are those that the recorder listens at."""

    settings: Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """Another worker is asked to end this session: end it, too."""

    session: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """Stop in order; said again: wait no longer."""


# Either tells the other


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """A session records no more; without `session`, nothing does."""

    reason: str
    session: str | None = None


# A worker tells the recorder


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """It serves. `bundle`: what clients are to trust."""

    bundle: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """It ends a session: no new request of it is let in here."""

    session: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """It knows nothing of that session any more."""

    session: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """A remark for the session's summary."""

    session: str
    text: str


# A worker calls the recorder


@dataclass(frozen=True, slots=True, kw_only=True)
class Join:
    """Start a session, if it has not been; the answer, its summary so far, comes when it can record."""

    session: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """Bring one exchange to disk; the answer, `Recorded`, comes when it is there."""

    session: str
    exchange: Exchange


@dataclass(frozen=True, slots=True, kw_only=True)
class Finish:
    """It has no more of this session to write. The answer comes when nobody has and the cassette is in order.

    It is the `Summary`, None if the session failed. Who began to end the session gets it last.
    """

    session: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """What has a session come to so far? The answer is its `Summary`, None if there is no such session."""

    session: str
