"""A worker's addon: as the recorder's own, but the sessions, their cassettes and secrets are with the recorder.

What is put off until an exchange is on disk is put off until the recorder has answered that it is. So all promises
hold for a worker as they hold for one process; what is left to do here is that no worker lags behind the others: a
session that ends or fails does so in all of them.
"""

from __future__ import annotations

import asyncio
from typing import Any

from mitmproxy import http

from recorder.errors import RecorderError
from recorder.proxy import flow_values
from recorder.proxy.addon import RecordAddon, _Session
from recorder.proxy.link import Link
from recorder.proxy.messages import Ask, Ending, Failed, Finish, Join, Left, Note, Record
from recorder.proxy.write_queue import Sink
from recorder.session.recording import Recorded, Summary
from recorder.session.session_table import Started
from recorder.session.settings import Mode
from recorder.wire.exchange import Exchange


class RemoteWriting:
    """One session's exchanges on their way to the recorder, and to disk there."""

    def __init__(self, session: str, summary: Summary, link: Link) -> None:
        self._session = session
        self._link = link
        self._pending: set[asyncio.Task[Recorded]] = set()
        self.summary = summary
        """As it was when this worker joined."""

    @property
    def pending(self) -> bool:
        return bool(self._pending)

    async def record(self, exchange: Exchange, *, alone: bool = False) -> Recorded:  # noqa: ARG002 - not to a worker
        """When this returns it is on disk. Cancelled, it goes there all the same."""
        recording = asyncio.ensure_future(self._link.call(Record(session=self._session, exchange=exchange)))
        self._pending.add(recording)
        recording.add_done_callback(self._pending.discard)
        return await asyncio.shield(recording)

    async def finish(self) -> None:
        await asyncio.gather(*self._pending)

    def note(self, text: str) -> None:
        self._link.tell(Note(session=self._session, text=text))


class RemoteAddon(RecordAddon):
    """`link` leads to the recorder. The recordings that every addon has stay empty here."""

    def __init__(self, *given: Any, link: Link, **named: Any) -> None:
        super().__init__(*given, **named)
        self._link = link

    # What other workers have begun

    def told_to_end(self, name: str) -> None:
        session = self._sessions.get(name)
        if session is not None and session.ending is None:
            self._begin_end(session).add_done_callback(self._check_end)

    def _check_end(self, ending: asyncio.Future[Summary | None]) -> None:
        if not ending.cancelled() and (error := ending.exception()):
            self.fail(error)

    def told_of_failure(self, failed: Failed) -> None:
        """As `fail` and `_fail_session`, but that another one has logged it."""
        self.failure = self.failure or failed.reason
        if failed.session is None:
            self._broken = self._broken or failed.reason
            self._cut(list(self._under_way.values()))
            return
        session = self._sessions.setdefault(failed.session, _Session(name=failed.session))
        session.failure = session.failure or failed.reason
        self._cut([exchange for exchange in self._under_way.values() if exchange.session is session])

    # Sessions

    async def _open(self, name: str, mode: Mode | None) -> tuple[Started, Sink | None]:
        if mode not in (None, Mode.RECORD):
            raise RecorderError(f"expected mode record with --workers, found {mode}; start a recorder of one process")
        summary: Summary = await self._link.call(Join(session=name))
        return Started.elsewhere(summary), RemoteWriting(name, summary, self._link)

    async def _close(self, session: _Session) -> Summary | None:
        summary: Summary | None = await self._link.call(Finish(session=session.name))
        return summary

    async def _ended(self, session: _Session) -> Summary | None:
        self._link.tell(Ending(session=session.name))
        summary = await super()._ended(session)
        self._link.tell(Left(session=session.name))  # no `await` since it was forgotten here: nobody can rejoin before
        return summary

    async def _control(self, name: str, method: str, mode: Mode | None) -> http.Response:
        """A session may have been started by way of another worker, and its summary is of all of them."""
        if method == "PUT":
            await self._start(name, mode)
        if method in ("GET", "PUT", "DELETE") and not self._amiss(self._sessions.get(name)):
            standing: Summary | None = await self._link.call(Ask(session=name))
            if standing is not None and method != "DELETE":
                return flow_values.json_answer(standing.as_json())
            if standing is not None:  # were it ended in between, it would be started for nothing, and be ended again
                await self._start(name)
        return await super()._control(name, method, mode)

    def _fail_session(self, session: _Session, error: RecorderError) -> None:
        super()._fail_session(session, error)
        self._link.tell(Failed(session=session.name, reason=str(error)))

    def fail(self, error: BaseException) -> None:
        super().fail(error)
        self._link.tell(Failed(reason=self._broken or ""))
