"""Connections that one process accepts and others take: in turn, none lost, none held open."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest

from recorder.proxy.giving import Giving, Taker
from recorder.proxy.listeners import listen


@asynccontextmanager
async def giving(takers: int) -> AsyncIterator[tuple[int, Giving, list[Taker], list[socket.socket]]]:
    """A port, who gives, who takes, and the takers' own ends."""
    pairs = [socket.socketpair() for _ in range(takers)]
    ours = [Taker(mine) for mine, _ in pairs]
    listener = listen(0)
    made = Giving([listener], ours)
    made.start()
    try:
        yield listener.getsockname()[1], made, ours, [theirs for _, theirs in pairs]
    finally:
        made.close()
        for taker in ours:
            taker.close()
        for _, theirs in pairs:
            theirs.close()


def connect(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=10)


async def take(end: socket.socket) -> tuple[int, socket.socket]:
    """The door's port, and the connection."""
    end.setblocking(False)
    async with asyncio.timeout(10):
        while True:
            try:
                told, (descriptor,), _, _ = socket.recv_fds(end, 2, 1)
            except BlockingIOError:
                await asyncio.sleep(0.001)
            else:
                return int.from_bytes(told, "big"), socket.socket(fileno=descriptor)


def test_connections_are_given_in_turn_each_with_its_door() -> None:
    async def inside() -> None:
        async with giving(3) as (port, _, _, ends):
            for number in range(7):
                with connect(port) as client:
                    door, taken = await take(ends[number % 3])
                    with taken:
                        assert port == door
                        assert client.getsockname() == taken.getpeername()

    asyncio.run(inside())


def test_a_connection_is_closed_here_when_it_has_come_there() -> None:
    async def inside() -> None:
        async with giving(1) as (port, _, _, (end,)):
            with connect(port) as client:
                _, taken = await take(end)
                taken.close()
                client.settimeout(0.2)
                with pytest.raises(TimeoutError):  # still open here: nobody has said that it has come
                    client.recv(1)
                end.send(b".")
                await asyncio.sleep(0.05)
                assert b"" == client.recv(1)

    asyncio.run(inside())


def test_what_is_more_than_they_can_take_waits() -> None:
    """A taker that does not read: its socket pair is full at some time, and nothing is lost."""

    async def inside() -> None:
        async with giving(1) as (port, _, _, (end,)):
            clients = [connect(port) for _ in range(400)]
            await asyncio.sleep(0.2)
            seen = set()
            for _ in clients:
                _, taken = await take(end)
                seen.add(taken.getpeername())
                taken.close()
                end.send(b".")
            assert {client.getsockname() for client in clients} == seen
            for client in clients:
                client.close()

    asyncio.run(inside())


def test_one_that_is_gone_is_left_out_and_what_it_had_not_taken_is_closed() -> None:
    async def inside() -> None:
        async with giving(2) as (port, made, takers, ends):
            lost = connect(port)
            await asyncio.sleep(0.05)  # given to the first, which has not taken it
            ends[0].close()
            await asyncio.sleep(0.05)
            made.leave_out(takers[0])
            with lost, suppress(ConnectionResetError):
                assert b"" == lost.recv(1)
            for _ in range(3):
                with connect(port) as client:
                    _, taken = await take(ends[1])
                    with taken:
                        assert client.getsockname() == taken.getpeername()

    asyncio.run(inside())
