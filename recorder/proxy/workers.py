"""A recorder of several processes: this one accepts the connections and alone writes, the workers are proxies.

What one process promises holds here for the same reasons, because the exchanges of a session all pass through this
process's one `Writing`, scrubber and store: they are on disk before a worker is answered, and so before its client
sees the end; what any of them taught the scrubber is searched for in all that follow.

- A session ends when every worker that had requests of it has handed in its last. Who asks for the end is answered
  when all others have forgotten it, so that what is asked for next by its name starts it anew everywhere.
- A failure is told to every worker before the answer to any exchange that comes after it.
- A worker that dies takes with it what it had under way: no client has seen the end of that. The recorder then stops
  in order, and ends with status 1.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from recorder.errors import ProxyError, RecorderError
from recorder.proxy.giving import Giving, Taker
from recorder.proxy.link import Link
from recorder.proxy.listeners import Doors, listen
from recorder.proxy.messages import Ask, End, Ending, Failed, Finish, Join, Left, Note, Ready, Record, Serve, Stop
from recorder.proxy.write_queue import Threads, Writing
from recorder.session.playback import Answer
from recorder.session.recording import Recorded, Summary
from recorder.session.session_table import Recordings
from recorder.session.settings import Settings

logger = logging.getLogger(__name__)

_TURN = 0.0005  # seconds; as in record.py: a thread that scrubs a large body must not hold up the answers to the others


class Process(Protocol):
    """What of `subprocess.Popen` is used here."""

    @property
    def pid(self) -> int: ...
    def wait(self) -> int: ...


Start = Callable[[Sequence[int]], Process]
"""Starts `recorder.proxy.worker` with these descriptors."""


@dataclass(slots=True, kw_only=True, eq=False)
class _Session:
    """`members`: the workers that have joined it. `handed_in`: those of them that have no more to write.

    `first`: who began to end it, None while nobody has. `sealed`: done when its cassette is, with what it came to.
    """

    name: str
    starting: asyncio.Future[Any]
    sealed: asyncio.Future[Summary | None]
    writing: Writing | None = None
    failure: str | None = None
    members: set[_Worker] = field(default_factory=set)
    handed_in: set[_Worker] = field(default_factory=set)
    ending: bool = False
    first: _Worker | None = None
    sealing: bool = False
    forgotten: asyncio.Event = field(default_factory=asyncio.Event)
    """By every worker but the first."""
    over: asyncio.Event = field(default_factory=asyncio.Event)


class _Worker:
    """One worker, seen from here."""

    def __init__(self, recorder: Workers, process: Process, taker: Taker) -> None:
        self._recorder = recorder
        self.process = process
        self.taker = taker
        self.ready: asyncio.Future[Ready] = asyncio.get_running_loop().create_future()
        self.gone = asyncio.Event()
        self.link: Link

    def told(self, message: Any) -> None:
        self._recorder.told(self, message)

    async def called(self, message: Any) -> Any:
        return await self._recorder.called(self, message)

    def lost(self) -> None:
        self.gone.set()
        self._recorder.lost(self)


class Workers:
    """One recorder, as `master.Proxy` is one; `start` starts a worker, `count` times."""

    def __init__(
        self,
        settings: Settings,
        recordings: Recordings,
        *,
        start: Start,
        on_ready: Callable[[Doors], None],
        on_recorded: Callable[[Recorded], None],
        on_replayed: Callable[[Answer], None],  # noqa: ARG002 - as of every recorder; workers record
        on_stopped: Callable[[Summary], None],
    ) -> None:
        self._settings = settings
        self._recordings = recordings
        self._start_process = start
        self._on_ready = on_ready
        self._on_recorded = on_recorded
        self._on_stopped = on_stopped
        self._threads = Threads()
        self._sessions: dict[str, _Session] = {}
        self._workers: list[_Worker] = []
        self._giving: Giving | None = None
        self._sealings: set[asyncio.Task[None]] = set()
        self._stops = 0
        self._over = False
        self._broken: str | None = None
        self.failure: str | None = None

    async def run(self) -> None:
        """Serve until `stop`; then the recording has been stopped too. `ProxyError` if it cannot be started."""
        sys.setswitchinterval(_TURN)
        listeners = [listen(self._settings.port), listen(self._settings.base_url_port)]
        try:
            await self._serve(listeners)
        finally:
            self._over = True
            if self._giving:
                self._giving.close()
            for listener in listeners:
                listener.close()
            await self._end_workers()
            await self._end_sessions()

    async def _serve(self, listeners: list[socket.socket]) -> None:
        port, base_url_port = (listener.getsockname()[1] for listener in listeners)
        settings = replace(self._settings, port=port, base_url_port=base_url_port)
        for _ in range(settings.workers):
            self._workers.append(await self._start_worker(settings))
        ready = (await asyncio.gather(*(worker.ready for worker in self._workers)))[0]
        self._giving = Giving(listeners, [worker.taker for worker in self._workers])
        self._giving.start()
        self._on_ready(Doors(port=port, base_url_port=base_url_port, bundle=Path(ready.bundle)))
        for worker in list(self._workers):
            await worker.gone.wait()

    async def _start_worker(self, settings: Settings) -> _Worker:
        with ExitStack() as theirs:
            pairs = []
            for _ in range(2):
                ours, their = socket.socketpair()
                theirs.enter_context(their)
                pairs.append((ours, their))
            process = self._start_process([their.fileno() for _, their in pairs])
        (link, _), (handed, _) = pairs
        worker = _Worker(self, process, Taker(handed))
        worker.link = await Link.over(link, told=worker.told, called=worker.called, lost=worker.lost)
        worker.link.tell(Serve(settings=settings))
        for _ in range(self._stops):
            worker.link.tell(Stop())
        return worker

    def stop(self) -> None:
        """Stop in order; the second call ends the wait for streams under way."""
        self._stops += 1
        for worker in self._workers:
            worker.link.tell(Stop())

    async def _end_workers(self) -> None:
        for worker in self._workers:
            worker.link.close()  # the sign for one that still runs
            worker.taker.close()
        for worker in self._workers:
            await self._threads.on_disk(worker.process.wait)

    async def _end_sessions(self) -> None:
        """Those that no worker has ended: that had no request, or lost the only worker that they had."""
        await asyncio.gather(*self._sealings)
        for session in self._sessions.values():
            session.forgotten.set()
        await asyncio.gather(*map(self._seal, list(self._sessions.values())))
        for name in self._recordings.names():
            try:
                await self._close(name, whole=self._broken is None)
            except RecorderError as error:
                self._log_failure(name, str(error))
        self._threads.close()

    # Workers

    def told(self, worker: _Worker, message: Any) -> None:
        match message:
            case Ready():
                worker.ready.set_result(message)
            case Ending(session=name):
                self._begin_ending(worker, name)
            case Left(session=name):
                self._forget(worker, name)
            case Note(session=name, text=text):
                self._note(self._sessions[name], text)
            case Failed(session=None, reason=reason):
                self._fail(reason, told=worker)
            case Failed(session=str(name), reason=reason):
                if session := self._sessions.get(name):
                    self._fail_session(session, reason, told=worker)

    async def called(self, worker: _Worker, message: Any) -> Any:
        match message:
            case Join(session=name):
                return await self._join(worker, name)
            case Record():
                return await self._record(worker, message)
            case Finish(session=name):
                return await self._finish(worker, name)
            case Ask(session=name):
                session = self._sessions.get(name)
                return session.writing.summary if session and session.writing and not session.ending else None
        raise AssertionError(f"expected a message of a worker's, found {message!r}")

    def lost(self, worker: _Worker) -> None:
        """It has ended: as it was told to, or died."""
        if self._giving:
            self._giving.leave_out(worker.taker)
        worker.taker.close()
        if not worker.ready.done():
            worker.ready.set_exception(ProxyError(self.failure or "expected a worker to serve, found that it ended"))
            return
        if self._over:  # it is we who have ended it
            return
        died = not self._stops or any(worker in session.members for session in self._sessions.values())
        for session in list(self._sessions.values()):
            if worker in session.members:
                self._note(session, f"worker {worker.process.pid} died: what it had under way is lost")
                session.handed_in.discard(worker)
                self._forget(worker, session.name)
                self._settle(session)
        if died:
            if self.failure is None:
                self.failure = f"worker {worker.process.pid} died"
                logger.error("recorder: %s; the recorder stops", self.failure)
            self.stop()

    # Sessions

    async def _join(self, worker: _Worker, name: str) -> Summary:
        while (session := self._sessions.get(name)) is not None and session.ending:
            await session.over.wait()
        if session is None:
            session = self._sessions[name] = _Session(
                name=name,
                starting=self._threads.on_disk(self._recordings.start, name),
                sealed=asyncio.get_running_loop().create_future(),
            )
            session.failure = self._broken
        session.members.add(worker)
        if session.failure:
            raise RecorderError(session.failure)
        try:
            started = await asyncio.shield(session.starting)
        except RecorderError as error:
            self._fail_session(session, str(error), told=worker)
            raise
        assert started.recording is not None
        session.writing = session.writing or Writing(started.recording, self._threads)
        return session.writing.summary

    async def _record(self, worker: _Worker, message: Record) -> Recorded:
        session = self._sessions[message.session]
        assert session.writing is not None
        try:
            recorded = await session.writing.record(message.exchange)
        except RecorderError as error:
            self._fail_session(session, str(error), told=worker)
            raise
        if not session.failure:  # another exchange may have failed it meanwhile: this one is not told
            self._on_recorded(recorded)
        return recorded

    async def _finish(self, worker: _Worker, name: str) -> Summary | None:
        session = self._sessions[name]
        session.handed_in.add(worker)
        self._settle(session)
        summary = await asyncio.shield(session.sealed)
        if worker is session.first:
            await session.over.wait()
        return summary

    def _begin_ending(self, worker: _Worker, name: str) -> None:
        session = self._sessions.get(name)
        if session is None or session.ending:
            return
        session.ending = True
        session.first = worker
        for other in session.members - {worker}:
            other.link.tell(End(session=name))
        self._forget(None, name)

    def _forget(self, worker: _Worker | None, name: str) -> None:
        """`worker` knows nothing of that session any more."""
        session = self._sessions.get(name)
        if session is None:
            return
        if worker is not None:
            session.members.discard(worker)
        if worker is not None and worker is session.first:  # it died
            session.first = next(iter(session.members), None)
        if session.ending and session.members <= {session.first}:
            session.forgotten.set()

    def _settle(self, session: _Session) -> None:
        """Put its cassette in order when everybody has handed in."""
        if session.ending and not session.sealing and session.members <= session.handed_in:
            session.sealing = True
            sealing = asyncio.get_running_loop().create_task(self._seal(session))
            self._sealings.add(sealing)
            sealing.add_done_callback(self._sealings.discard)

    async def _seal(self, session: _Session) -> None:
        """Let go of its cassette, and of the session when all have forgotten it."""
        summary = None
        try:
            await asyncio.wait({session.starting})
            if session.writing:
                await session.writing.finish()  # what is still being written may fail, too
            if session.name in self._recordings.names():
                summary = await self._close(session.name, whole=session.failure is None)
        except RecorderError as error:
            self._log_failure(session.name, str(error))
            self._fail_session(session, str(error))
        session.sealed.set_result(summary)
        await session.forgotten.wait()
        del self._sessions[session.name]
        session.over.set()

    async def _close(self, name: str, *, whole: bool) -> Summary | None:
        if not whole:
            await self._threads.on_disk(self._recordings.abandon, name)
            return None
        summary = await self._threads.on_disk(self._recordings.stop, name)
        self._on_stopped(summary)
        return summary

    def _note(self, session: _Session, text: str) -> None:
        if session.writing:
            session.writing.note(text)

    # Failure

    def _fail(self, reason: str, *, told: _Worker) -> None:
        """Nothing is recorded any more; `told` has said so."""
        if self._broken:
            return
        self._broken = reason
        self.failure = self.failure or reason
        for session in self._sessions.values():
            session.failure = session.failure or reason
        for worker in self._workers:
            if worker is not told:
                worker.link.tell(Failed(reason=reason))

    def _fail_session(self, session: _Session, reason: str, *, told: _Worker | None = None) -> None:
        """The same for one session; the others go on. All workers know it then, to refuse what comes for it."""
        if session.failure:
            return
        session.failure = reason
        self.failure = self.failure or reason
        if not session.ending:  # else it is about to be forgotten
            session.members.update(worker for worker in self._workers if not worker.gone.is_set())
        for worker in session.members - {told}:
            worker.link.tell(Failed(session=session.name, reason=reason))

    def _log_failure(self, name: str, reason: str) -> None:
        self.failure = self.failure or reason
        logger.error("recorder: session %s failed: %s", name, reason)
