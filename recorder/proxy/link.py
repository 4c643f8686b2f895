"""Messages between a recorder and its workers: pickles over a socket pair that only the two of them hold.

A message is told (nobody answers) or called (one answer comes, or the error). They arrive in the order in which they
were sent; answers come in whatever order they are ready. Of an error only the words travel: a `RecorderError` is one
on the other side, too; anything else is `RemoteError` there, which nobody expects.
"""

from __future__ import annotations

import asyncio
import logging
import pickle
import socket
from collections.abc import Awaitable, Callable
from itertools import count
from struct import Struct
from typing import Any, Self

from recorder.errors import RecorderError

logger = logging.getLogger(__name__)

_LENGTH = Struct("!Q")  # bytes of the pickle behind it
_GONE = "the other half of the recorder has ended"
_TOLD, _CALLED, _ANSWER, _REFUSAL, _FAULT = range(5)


class RemoteError(Exception):
    """What no `RecorderError` is went wrong on the other side, where it has been logged."""


class Link(asyncio.Protocol):
    """One end. `told` is called with each message that is told, `called` gives the answer to one that is called.

    `lost` is called once when the other end is gone. To be used on the event loop.
    """

    def __init__(
        self, *, told: Callable[[Any], None], called: Callable[[Any], Awaitable[Any]], lost: Callable[[], None]
    ) -> None:
        self._told = told
        self._called = called
        self._lost = lost
        self._transport: asyncio.Transport | None = None
        self._received = bytearray()
        self._numbers = count()
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._answering: set[asyncio.Task[None]] = set()

    @classmethod
    async def over(
        cls,
        connection: socket.socket,
        *,
        told: Callable[[Any], None],
        called: Callable[[Any], Awaitable[Any]],
        lost: Callable[[], None],
    ) -> Self:
        link = cls(told=told, called=called, lost=lost)
        await asyncio.get_running_loop().create_connection(lambda: link, sock=connection)
        return link

    def tell(self, message: Any) -> None:
        self._send(_TOLD, 0, message)

    async def call(self, message: Any) -> Any:
        if self._transport is None:
            raise RecorderError(_GONE)
        number = next(self._numbers)
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting[number] = answer
        self._send(_CALLED, number, message)
        return await answer

    def close(self) -> None:
        if self._transport:
            self._transport.close()

    def _send(self, kind: int, number: int, content: Any) -> None:
        if self._transport is None or self._transport.is_closing():
            return  # who waits is told by `connection_lost`
        pickled = pickle.dumps((kind, number, content), protocol=5)
        self._transport.write(_LENGTH.pack(len(pickled)) + pickled)

    async def _answer(self, number: int, message: Any) -> None:
        try:
            answer = await self._called(message)
        except RecorderError as error:
            self._send(_REFUSAL, number, str(error))
        except Exception as error:
            logger.exception("recorder: internal error")
            self._send(_FAULT, number, repr(error))
        else:
            self._send(_ANSWER, number, answer)

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        received = self._received
        received += data
        start = 0
        while len(received) - start >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(received, start)
            end = start + _LENGTH.size + length
            if len(received) < end:
                break
            with memoryview(received) as view:
                # From the other half of this very program, over a socket that has no name.
                kind, number, content = pickle.loads(view[start + _LENGTH.size : end])  # noqa: S301 - see above
            start = end
            self._take(kind, number, content)
        del received[:start]

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - it is gone, for whatever reason
        self._transport = None
        for answer in self._waiting.values():
            if not answer.done():
                answer.set_exception(RecorderError(_GONE))
        self._waiting.clear()
        self._lost()

    def _take(self, kind: int, number: int, content: Any) -> None:
        if kind == _TOLD:
            self._told(content)
        elif kind == _CALLED:
            answering = asyncio.get_running_loop().create_task(self._answer(number, content))
            self._answering.add(answering)
            answering.add_done_callback(self._answering.discard)
        else:
            answer = self._waiting.pop(number)
            if answer.done():  # whoever asked was cancelled
                return
            if kind == _ANSWER:
                answer.set_result(content)
            else:
                answer.set_exception((RecorderError if kind == _REFUSAL else RemoteError)(content))
