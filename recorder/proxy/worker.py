"""One worker of a recorder, as a program: `python -m recorder.proxy.worker LINK CONNECTIONS`, two inherited sockets.

It never outlives its recorder: when that is gone, by whatever, the clients are cut and the process ends at once.
Signals are none of its business (the recorder starts it with those that stop one blocked).
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import sys
import time
from contextlib import suppress
from typing import Any

from recorder.errors import RecorderError
from recorder.proxy import connections
from recorder.proxy.handed import Taking
from recorder.proxy.link import Link
from recorder.proxy.listeners import Doors
from recorder.proxy.master import Proxy
from recorder.proxy.messages import End, Failed, Ready, Serve, Stop
from recorder.proxy.remote import RemoteAddon
from recorder.session.session_table import Recordings


class Worker:
    def __init__(self, link: socket.socket, handed: socket.socket) -> None:
        self._connection = link
        self._taking = Taking(handed)
        self._serve: asyncio.Future[Serve] = asyncio.get_running_loop().create_future()
        self._proxy: Proxy | None = None
        self._addon: RemoteAddon | None = None
        self._stops = 0
        self._ended = False
        self._link: Link

    async def run(self) -> int:
        """Serve to the end; the exit status."""
        link = self._link = await Link.over(self._connection, told=self._told, called=self._called, lost=self._die)
        settings = (await self._serve).settings
        self._taking.start()
        proxy = self._proxy = Proxy(
            settings,
            Recordings(settings, clock=time.time_ns, salts=_never, environ={}),
            on_ready=self._ready,
            on_recorded=lambda _: None,  # the recorder tells of it
            on_replayed=lambda _: None,  # a worker only records
            on_stopped=lambda _: None,  # the same
            addon=self._make_addon,
        )
        for _ in range(self._stops):
            proxy.stop()
        try:
            await proxy.run()
        except RecorderError as error:
            link.tell(Failed(reason=str(error)))
            return error.exit_code
        finally:
            self._ended = True
            link.close()
        return 1 if proxy.failure else 0

    def _make_addon(self, *given: Any, **named: Any) -> RemoteAddon:
        self._addon = RemoteAddon(*given, link=self._link, **named)
        return self._addon

    def _ready(self, doors: Doors) -> None:
        self._link.tell(Ready(bundle=str(doors.bundle)))

    def _told(self, message: Any) -> None:
        match message:
            case Serve():
                self._serve.set_result(message)
            case Stop():
                self._stops += 1
                if self._proxy:
                    self._proxy.stop()
            case End(session=name) if self._addon:
                self._addon.told_to_end(name)
            case Failed() if self._addon:
                self._addon.told_of_failure(message)

    async def _called(self, message: Any) -> Any:
        raise AssertionError(f"a worker answers nothing, found {message!r}")

    def _die(self) -> None:
        """Nothing can be recorded any more. By a reset: no client may take this for the end of its response."""
        if self._ended:
            return
        with suppress(Exception):
            for handler in connections.handlers().values():
                connections.reset_at_exit(handler)
        os._exit(1)


def _never() -> bytes:
    raise AssertionError("no session is kept in a worker")


def main() -> int:
    logging.basicConfig(format="%(message)s", level=logging.WARNING)
    link, handed = (socket.socket(fileno=int(number)) for number in sys.argv[1:])

    async def run() -> int:
        return await Worker(link, handed).run()

    return asyncio.run(run())


if __name__ == "__main__":
    sys.exit(main())
