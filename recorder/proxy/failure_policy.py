"""The recorder fails closed: what failed, and why requests are refused.

What goes wrong with one session's cassette fails that session, anything else all of them: streams under way are cut,
and requests get the reason. Nothing passes unrecorded and unnoticed.
"""

from __future__ import annotations

import logging

from recorder.errors import RecorderError
from recorder.proxy import connections
from recorder.proxy.under_way import LiveSession, UnderWay

logger = logging.getLogger("recorder.proxy.addon")  # one name for all that the addon logs


class FailurePolicy:
    """`broken`: why nothing at all is recorded any more. `first`: what went wrong first, of whatever session. Both are
    None as long as nothing has. `stopping`: whether the recorder takes no new requests."""

    def __init__(self, under_way: UnderWay) -> None:
        self._under_way = under_way
        self.broken: str | None = None
        self.first: str | None = None
        self.stopping = False

    def fail(self, error: BaseException) -> None:
        """Nothing is recorded any more: say so once, cut what is under way, refuse what comes."""
        if self.broken is not None:
            return
        expected = isinstance(error, RecorderError)
        self.broken = str(error) if expected else f"internal error: {error!r}"
        self.first = self.first or self.broken
        logger.error("recorder: the session failed: %s", self.broken, exc_info=None if expected else error)
        self._cut(None)

    def fail_session(self, session: LiveSession, error: RecorderError) -> None:
        """The same for one session; the others go on."""
        if session.failure or self.broken:
            return
        session.failure = str(error)
        self.first = self.first or session.failure
        logger.error("recorder: session %s failed: %s", session.name, session.failure)
        self._cut(session)

    def fail_connections(self, error: BaseException) -> None:
        """mitmproxy's handler of some connection has died. It does not say which one, whose client would wait for ever:
        all of them are reset."""
        self.fail(error)
        for handler in list(connections.handlers().values()):
            connections.reset(handler)

    def reason(self, session: LiveSession | None) -> str | None:
        """Why this session's requests are refused, None if they are not. With None: why any are."""
        failure = self.broken or (session.failure if session else None)
        if failure or self.stopping:
            return failure or "the recorder is stopping"
        return f"session {session.name} is being stopped" if session and session.ending else None

    def has_failed(self, session: LiveSession) -> bool:
        return bool(self.broken or session.failure)

    def _cut(self, session: LiveSession | None) -> None:
        for _ in self._under_way.cut(session):
            pass  # nothing of it is kept
