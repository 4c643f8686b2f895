"""Connections as mitmproxy holds them: sent elsewhere, and cut so that no client takes the cut for an end."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Hashable, Mapping
from contextlib import suppress
from typing import Self

from mitmproxy import ctx, http
from mitmproxy.proxy.server import ConnectionHandler

from recorder.proxy.tee import Tee

_RESET = struct.pack("ii", 1, 0)  # linger on, for no time: close() sends a reset


class Elsewhere(tuple[str, int]):  # noqa: SLOT001 - CPython gives no subclass of tuple slots of its own
    """An address that leads elsewhere and is equal to the one that was meant, by which mitmproxy looks for connections.

    Otherwise each request that comes while the connection is being made, or after, opens one of its own, and the sixth
    waits for ever: five at once is mitmproxy's limit.
    """

    _meant: tuple[str, int]

    def __new__(cls, address: tuple[str, int], *, meant: tuple[str, int]) -> Self:
        made = super().__new__(cls, address)
        made._meant = meant
        return made

    def __eq__(self, other: object) -> bool:
        return self._meant == other

    def __ne__(self, other: object) -> bool:  # a tuple has its own
        return not self == other

    def __hash__(self) -> int:
        return hash(self._meant)


def cut(flow: http.HTTPFlow) -> None:
    """Reset the client's connection: no client may take an orderly close for the end of its response."""
    if flow.response is not None and isinstance(flow.response.stream, Tee):
        flow.response.stream.shut = True
    if handler := handlers().get(flow.client_conn.id):
        reset(handler)


def handlers() -> Mapping[Hashable, ConnectionHandler]:
    proxy = ctx.master.addons.get("proxyserver")
    return proxy.connections if proxy else {}


def reset(handler: ConnectionHandler) -> None:
    reset_at_exit(handler)
    if (ends := handler.transports.get(handler.client)) and isinstance(ends.writer, asyncio.StreamWriter):
        ends.writer.transport.abort()


def reset_at_exit(handler: ConnectionHandler) -> None:
    """Let the client's connection be reset when it is closed, which the end of the process does as well."""
    if (ends := handler.transports.get(handler.client)) and isinstance(ends.writer, asyncio.StreamWriter):
        with suppress(OSError):  # the client may be gone already
            ends.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
