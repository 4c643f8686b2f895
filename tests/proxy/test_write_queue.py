"""Exchanges on their way to disk: which thread does what, what shares a sync, and how errors come back."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest

from recorder import cassette
from recorder.errors import StoreError
from recorder.proxy.write_queue import Threads, Writing
from recorder.session.recording import Prepared, Recorded, Recording
from recorder.session.settings import Settings
from recorder.wire.exchange import Capture, Exchange, WireRequest, WireResponse

NOW = 1_700_000_000_000_000_000
URL = "https://openrouter.ai/api/v1/models"


class Watched(Recording):
    """Notes in which thread each part was done, and how many were written at once."""

    scrubbed_by: list[int]
    written_by: list[int]
    batches: list[int]
    gate: threading.Event
    full: bool = False

    def prepare(self, exchange: Exchange) -> Prepared:
        self.scrubbed_by.append(threading.get_ident())
        return super().prepare(exchange)

    def commit(self, finished: Sequence[Prepared]) -> list[Recorded]:
        self.written_by.append(threading.get_ident())
        assert self.gate.wait(10)
        self.batches.append(len(finished))
        if self.full:
            raise StoreError("the disk is full")
        return super().commit(finished)


def exchange(number: int, body: bytes = b"{}", encoding: bytes = b"") -> Exchange:
    fields = ((b"Content-Type", b"text/plain"), *(((b"Content-Encoding", encoding),) if encoding else ()))
    capture = Capture(WireRequest(method="GET", url=URL, http_version="HTTP/1.1", headers=()), began=NOW + number)
    capture.respond(WireResponse(code=200, reason="OK", http_version="HTTP/1.1", headers=fields), at=1)
    capture.chunk(body, at=2)
    return capture.end(at=3)


@asynccontextmanager
async def writing(folder: Path) -> AsyncIterator[tuple[Writing, Watched]]:
    recording = Watched.start(Settings(cassette_dir=folder), "s", now=NOW, salt=bytes(16), environ={})
    recording.scrubbed_by, recording.written_by, recording.batches, recording.gate = [], [], [], threading.Event()
    threads = Threads()
    try:
        yield Writing(recording, threads), recording
    finally:
        recording.gate.set()
        threads.close()
        recording.close()


def test_what_ends_while_another_is_written_shares_the_next_sync(tmp_path: Path) -> None:
    async def inside() -> None:
        async with writing(tmp_path) as (made, recording):
            first = asyncio.ensure_future(made.record(exchange(0)))
            await asyncio.sleep(0.05)  # it waits at the gate
            others = [asyncio.ensure_future(made.record(exchange(number))) for number in range(1, 6)]
            await asyncio.sleep(0.05)
            recording.gate.set()
            assert [0, 1, 2, 3, 4, 5] == [told.id for told in await asyncio.gather(first, *others)]
            assert [1, 5] == recording.batches
            assert not made.pending

    asyncio.run(inside())
    assert 6 == len(cassette.loads((tmp_path / "s.yaml").read_bytes()).interactions)


@pytest.mark.parametrize(
    ("body", "encoding", "on_the_loop"),
    [(b"x" * 100, b"", True), (b"x" * 100_000, b"", False), (b"", b"gzip", False)],
    ids=["small", "large", "compressed"],
)
def test_only_a_small_exchange_is_scrubbed_on_the_loop(
    tmp_path: Path, body: bytes, encoding: bytes, on_the_loop: bool
) -> None:
    async def inside() -> None:
        async with writing(tmp_path) as (made, recording):
            recording.gate.set()
            await made.record(exchange(0, body, encoding))
            assert [on_the_loop] == [thread == threading.get_ident() for thread in recording.scrubbed_by]

    asyncio.run(inside())


def test_one_that_is_alone_is_written_on_the_loop_as_long_as_the_disk_is_quick(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    took = iter([0.0002, 0.0002, 0.1, 0.0002, 0.0002])  # seconds; of the clock only what goes by matters
    times = (at for second, each in enumerate(took) for at in (second, second + each))
    clock = SimpleNamespace(monotonic=lambda: next(times))
    monkeypatch.setattr("recorder.proxy.write_queue.time", clock)

    async def inside() -> None:
        async with writing(tmp_path) as (made, recording):
            recording.gate.set()
            for number in range(4):
                assert number == (await made.record(exchange(number), alone=True)).id
            assert 4 == (await made.record(exchange(4), alone=False)).id
            on_the_loop = [thread == threading.get_ident() for thread in recording.written_by]
            assert [False, True, True, False, False] == on_the_loop

    asyncio.run(inside())


def test_what_fails_on_the_loop_is_told_and_nothing_is_left_pending(tmp_path: Path) -> None:
    async def inside() -> None:
        async with writing(tmp_path) as (made, recording):
            recording.gate.set()
            made._is_quick = recording.full = True
            with pytest.raises(StoreError):
                await made.record(exchange(0), alone=True)
            assert not made.pending
            assert [threading.get_ident()] == recording.written_by

    asyncio.run(inside())


def test_a_failed_write_is_told_to_all_who_wait_for_it(tmp_path: Path) -> None:
    async def inside() -> None:
        async with writing(tmp_path) as (made, recording):
            recording.full = True
            recording.gate.set()
            sizes = (10, 10, 100_000)
            told = await asyncio.gather(
                *(made.record(exchange(number, b"x" * size)) for number, size in enumerate(sizes)),
                return_exceptions=True,
            )
            assert [StoreError] * 3 == [type(each) for each in told]
            assert not made.pending

    asyncio.run(inside())


def test_an_exchange_that_nobody_waits_for_any_more_goes_to_disk_all_the_same(tmp_path: Path) -> None:
    async def inside() -> None:
        async with writing(tmp_path) as (made, recording):
            for number, size in enumerate((10, 100_000)):
                task = asyncio.ensure_future(made.record(exchange(number, b"x" * size)))
                await asyncio.sleep(0.05)
                task.cancel()
            recording.gate.set()
            for _ in range(500):
                await asyncio.sleep(0.01 if made.pending else 0)
            assert not made.pending

    asyncio.run(inside())
    assert 2 == len(cassette.loads((tmp_path / "s.yaml").read_bytes()).interactions)


def test_who_waits_for_the_rest_twice_is_told_twice_and_a_failure_that_nobody_heard_of_is_told_at_the_end(
    tmp_path: Path,
) -> None:
    async def inside() -> None:
        async with writing(tmp_path) as (made, recording):
            recording.full = True
            task = asyncio.ensure_future(made.record(exchange(0)))
            await asyncio.sleep(0.05)  # it waits at the gate
            finishing = [asyncio.ensure_future(made.finish()) for _ in range(2)]
            await asyncio.sleep(0)
            task.cancel()
            recording.gate.set()
            told = await asyncio.wait_for(asyncio.gather(*finishing, return_exceptions=True), 10)
            assert [StoreError] * 2 == [type(each) for each in told]
            with pytest.raises(StoreError):
                await made.finish()

    asyncio.run(inside())
