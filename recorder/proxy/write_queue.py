"""Finished exchanges → the recording, without holding up the event loop.

Small ones are scrubbed on the loop itself: that takes less than a thread would, which has to be woken, and with which
the loop would have to share the interpreter (each system call of the loop's waits for its turn then). Large ones, and
those that may become large when they are decoded, are scrubbed by threads. They are written by others, which spend
their time in system calls; what has become ready while a cassette is synced goes out together with its next sync.

A small exchange with no other under way is written on the loop, too, as long as the disk is quick: where a sync takes
0.15 ms, as much goes by until a thread has begun it and the loop has heard of its end. Nobody waits for it but who
would wait anyway, and after one sync that was slow the threads have the next. On one connection it took an exchange
from 1.6 ms to 1.35.

Against four threads that each did all of it this took small exchanges from 3.3 ms of CPU each to 2.4 over 16
connections, and from 3.2 to 2.2 over 64. Neither uvloop nor another rhythm of the garbage collector made a difference.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import ParamSpec, TypeVar

from recorder.errors import RecorderError
from recorder.session.recording import Prepared, Recorded, Recording, Summary
from recorder.wire.exchange import Exchange

_SMALL = 16 * 1024  # bytes of bodies; to scrub so many takes a millisecond or two
_QUICK = 0.0005  # seconds of a write and its sync that may pass on the loop: those of scrubbing a small exchange
_THREADS = 4  # of each kind; one large body, or one slow disk, must not hold up the ends of the others


_P = ParamSpec("_P")
_T = TypeVar("_T")

_Waiting = asyncio.Future[Recorded]
_Batch = list[tuple[Prepared, _Waiting]]


class Threads:
    """The threads of all recordings: some that compute, some that wait for the disk."""

    def __init__(self) -> None:
        self._computing = ThreadPoolExecutor(_THREADS, thread_name_prefix="compute")
        self._disk = ThreadPoolExecutor(_THREADS, thread_name_prefix="write")

    def compute(self, call: Callable[_P, _T], *given: _P.args, **named: _P.kwargs) -> asyncio.Future[_T]:
        return asyncio.get_running_loop().run_in_executor(self._computing, partial(call, *given, **named))

    def on_disk(self, call: Callable[_P, _T], *given: _P.args, **named: _P.kwargs) -> asyncio.Future[_T]:
        return asyncio.get_running_loop().run_in_executor(self._disk, partial(call, *given, **named))

    def on_disk_alone(self, call: Callable[_P, None], *given: _P.args, **named: _P.kwargs) -> None:
        """The same where nobody waits for it: `call` tells of its end, and of what went wrong, by itself."""
        self._disk.submit(call, *given, **named)

    def close(self) -> None:
        """Let the threads go, when they have done what they were given."""
        self._computing.shutdown()
        self._disk.shutdown()


class Writing:
    """One recording's exchanges on their way to disk. To be made and used on the event loop.

    What one turn of the loop hands to the next costs some 20 µs of a small exchange's one or two milliseconds, so there
    are as few turns between the disk and the exchange that waits for it as can be.
    """

    def __init__(self, recording: Recording, threads: Threads) -> None:
        self._recording = recording
        self._threads = threads
        self._pending: set[_Waiting] = set()  # more than who waits: one that is cancelled is written all the same
        self._ready: list[tuple[Prepared, _Waiting]] = []
        self._busy = False
        self._is_quick = False  # as far as is known: whether the last write, with its sync, was
        self._finished: asyncio.Future[None] | None = None
        self._unheard: BaseException | None = None  # what went wrong with an exchange that nobody waits for
        self._failed: BaseException | None = (
            None  # what went wrong in a step that nobody awaits: nothing more is written
        )

    @property
    def pending(self) -> bool:
        """Whether any exchange is still on its way."""
        return bool(self._pending)

    async def record(self, exchange: Exchange, *, alone: bool = False) -> Recorded:
        """Bring one exchange to disk; when this returns it is there. Cancelled, it goes there all the same.

        `alone`: no other exchange is under way.
        """
        if self._failed is not None:
            raise RecorderError(f"an earlier exchange could not be written: {self._failed!r}")
        prepared = self._recording.prepare(exchange) if _is_small(exchange) else None
        if prepared and alone and self._is_quick and not self._pending:
            return self._write_timed([prepared])[0]
        waiting: _Waiting = asyncio.get_running_loop().create_future()
        self._pending.add(waiting)
        try:
            self._begin(exchange, prepared, waiting)
        except BaseException as error:
            self._pending.discard(waiting)
            self._fail(error)
            raise
        return await waiting

    async def finish(self) -> None:
        """Wait for what is pending; it raises what went wrong with any of it."""
        if self._pending:
            if self._finished is None or self._finished.done():
                self._finished = asyncio.get_running_loop().create_future()
            await asyncio.shield(self._finished)
        if self._unheard:
            raise self._unheard

    @property
    def summary(self) -> Summary:
        return self._recording.summary

    def note(self, text: str) -> None:
        """Put a remark into the summary."""
        self.summary.notes.append(text)

    def _guarded(self, step: Callable[_P, None], *given: _P.args, **named: _P.kwargs) -> None:
        """Take a step that nobody awaits."""
        try:
            step(*given, **named)
        except BaseException as error:  # noqa: BLE001 - it is for all who wait, or their clients would wait for ever
            self._fail(error)

    def _fail(self, error: BaseException) -> None:
        """Write nothing more, and let nobody wait: what was half done cannot be gone on with."""
        self._failed, self._ready = error, []
        for waiting in list(self._pending):
            self._settle(waiting, error)

    def _begin(self, exchange: Exchange, prepared: Prepared | None, waiting: _Waiting) -> None:
        if prepared:
            self._enqueue(prepared, waiting)
            return
        scrubbing = self._threads.compute(self._recording.prepare, exchange)
        scrubbing.add_done_callback(lambda scrubbed: self._guarded(self._scrubbed, scrubbed, waiting))

    def _scrubbed(self, scrubbed: asyncio.Future[Prepared], waiting: _Waiting) -> None:
        if error := scrubbed.exception():
            self._settle(waiting, error)
        else:
            self._enqueue(scrubbed.result(), waiting)

    def _enqueue(self, prepared: Prepared, waiting: _Waiting) -> None:
        self._ready.append((prepared, waiting))
        if not self._busy:
            self._busy = True
            # Not at once: what else ends in this turn of the loop goes along.
            asyncio.get_running_loop().call_soon(self._guarded, self._write)

    def _write(self) -> None:
        batch, self._ready = self._ready, []
        self._threads.on_disk_alone(self._commit, batch, asyncio.get_running_loop())

    def _commit(self, batch: _Batch, loop: asyncio.AbstractEventLoop) -> None:
        """On a thread: bring a batch to disk, and tell the loop."""
        told: list[Recorded] | BaseException
        try:
            told = self._write_timed([prepared for prepared, _ in batch])
        except BaseException as error:  # noqa: BLE001 - it is for who waits
            told = error
        with suppress(RuntimeError):  # the loop is closed, and nobody waits any more
            loop.call_soon_threadsafe(self._guarded, self._written, batch, told)

    def _write_timed(self, finished: Sequence[Prepared]) -> list[Recorded]:
        began = time.monotonic()
        told = self._recording.commit(finished)
        self._is_quick = time.monotonic() - began < _QUICK
        return told

    def _written(self, batch: _Batch, told: list[Recorded] | BaseException) -> None:
        self._busy = bool(self._ready)
        if self._ready:
            self._write()
        each: Sequence[Recorded | BaseException] = [told] * len(batch) if isinstance(told, BaseException) else told
        for (_, waiting), became in zip(batch, each, strict=True):
            self._settle(waiting, became)

    def _settle(self, waiting: _Waiting, became: Recorded | BaseException) -> None:
        """Tell who waits, and only then forget it: `_fail` finds whoever has not been told."""
        error = became if isinstance(became, BaseException) else None
        if not waiting.done():
            _resolve(waiting, became)
        elif error is not None:  # cancelled: nobody waits for it any more
            self._unheard = self._unheard or error
        self._pending.discard(waiting)
        if self._finished is None or self._finished.done():
            return
        if error is not None:
            self._finished.set_exception(error)
        elif not self._pending:
            self._finished.set_result(None)


def _resolve(waiting: _Waiting, became: Recorded | BaseException) -> None:
    if isinstance(became, BaseException):
        waiting.set_exception(became)
    else:
        waiting.set_result(became)


def _is_small(exchange: Exchange) -> bool:
    """Whether it can be scrubbed in about a millisecond; a compressed body may be of any size."""
    bodies = [(exchange.request.headers, exchange.request.body)]
    if exchange.response:
        bodies.append((exchange.response.headers, exchange.response.body))
    if any(name.lower() == b"content-encoding" for headers, _ in bodies for name, _ in headers):
        return False
    return sum(len(body) for _, body in bodies) <= _SMALL
