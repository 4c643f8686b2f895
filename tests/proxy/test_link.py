"""Messages over a socket pair: in their order, whole at any size, and no caller is left waiting."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from recorder.errors import RecorderError, StoreError
from recorder.proxy.link import Link, RemoteError

Called = Callable[[Any], Awaitable[Any]]


async def nothing(message: Any) -> Any:
    raise AssertionError(message)


@asynccontextmanager
async def linked(called: Called = nothing) -> AsyncIterator[tuple[Link, Link, list[Any]]]:
    """Two ends, and what the second was told; its last is None if the first is gone."""
    one, other = socket.socketpair()
    told: list[Any] = []
    first = await Link.over(one, told=told.append, called=nothing, lost=lambda: None)
    second = await Link.over(other, told=told.append, called=called, lost=lambda: told.append(None))
    try:
        yield first, second, told
    finally:
        first.close()
        second.close()
        await asyncio.sleep(0.01)


def test_messages_of_any_size_come_whole_and_in_order() -> None:
    async def heard(_: Any) -> Any:
        return None

    async def inside() -> None:
        sizes = [0, 1, 7, 8, 9, 65_535, 65_536, 1_000_000, 3, 30_000_000, 0]
        async with linked(heard) as (first, _, told):
            for size in sizes:
                first.tell(bytes(size))
            await first.call("the last")
            assert [bytes(size) for size in sizes] == told

    asyncio.run(inside())


def test_answers_come_to_whoever_asked_in_whatever_order_they_are_ready() -> None:
    async def slower_first(message: Any) -> Any:
        await asyncio.sleep(0.05 - message * 0.01)
        return message * 10

    async def inside() -> None:
        async with linked(slower_first) as (first, _, _):
            ready: list[int] = []

            async def ask(number: int) -> None:
                assert number * 10 == await first.call(number)
                ready.append(number)

            await asyncio.gather(*map(ask, range(5)))
            assert [4, 3, 2, 1, 0] == ready

    asyncio.run(inside())


def test_an_error_of_ours_is_one_on_the_other_side_and_any_other_is_unexpected(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def failing(message: Any) -> Any:
        if message == "ours":
            raise StoreError("the disk is full")
        raise ZeroDivisionError(message)

    async def inside() -> None:
        async with linked(failing) as (first, _, _):
            with pytest.raises(RecorderError, match="the disk is full"):
                await first.call("ours")
            assert [] == caplog.records
            with pytest.raises(RemoteError, match="ZeroDivisionError"):
                await first.call("another")

    asyncio.run(inside())
    assert ["recorder: internal error"] == [record.getMessage() for record in caplog.records]


def test_whoever_waits_when_the_other_end_goes_is_told() -> None:
    async def never(_: Any) -> Any:
        await asyncio.Event().wait()

    async def inside() -> None:
        async with linked(never) as (first, second, told):
            waiting = asyncio.ensure_future(first.call("anything"))
            await asyncio.sleep(0.01)
            second.close()
            with pytest.raises(RecorderError, match="the other half of the recorder has ended"):
                await asyncio.wait_for(waiting, 10)
            assert [None] == told
            with pytest.raises(RecorderError, match="has ended"):
                await asyncio.wait_for(first.call("more"), 10)

    asyncio.run(inside())
