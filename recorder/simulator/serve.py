"""Only this module imports hypercorn and trustme. It accepts the connections itself and hands each to hypercorn.

hypercorn's own `serve` shows an application neither the connection, which a simulator must count and break, nor those
whose handshake fails. `TCPServer` is what `serve` runs for each connection, the same in 0.17 and 0.18.
"""

from __future__ import annotations

import asyncio
import json
import logging
import socket
import ssl
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from http.client import responses
from pathlib import Path
from signal import SIGINT, SIGTERM
from tempfile import TemporaryDirectory
from typing import Any

import h2.exceptions  # type: ignore[import-untyped, unused-ignore]  # typed from 4.2 on
import h11
import trustme
from hypercorn.asyncio.tcp_server import TCPServer
from hypercorn.asyncio.worker_context import WorkerContext
from hypercorn.config import Config
from hypercorn.protocol.h11 import H11Protocol
from hypercorn.utils import wrap_app

from recorder.errors import UpstreamError
from recorder.simulator.app import App
from recorder.simulator.behaviour import Behaviour
from recorder.simulator.journal import Journal, Link

NAMES = ("openrouter.ai", "localhost", "127.0.0.1", "::1")
_FOREVER = 10**9
_PATIENCE = 1.0  # seconds
# What a connection that breaks under hypercorn may raise; a simulator that breaks connections must not complain of it.
_BROKEN = (OSError, EOFError, h2.exceptions.H2Error, h11.ProtocolError, asyncio.IncompleteReadError)


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """`names`: for the certificate, beside `NAMES`. `ca_file`: where to write the CA; a temporary file if empty."""

    host: str
    port: int
    tls: bool
    http2: bool
    names: tuple[str, ...]
    ca_file: str
    seed: str
    behaviour: Behaviour


_send_event = H11Protocol._send_h11_event  # noqa: SLF001 - there is no other place where the reason can be put in


async def _send_with_reason(self: H11Protocol, event: Any) -> None:
    """`200 OK`, as the services that we stand in for say it over HTTP/1.1; hypercorn says `200 `."""
    if isinstance(event, h11.Response):
        reason = responses.get(event.status_code, "").encode()
        event = h11.Response(status_code=event.status_code, headers=list(event.headers), reason=reason)
    await _send_event(self, event)


H11Protocol._send_h11_event = _send_with_reason  # type: ignore[method-assign] # noqa: SLF001 - the same


def run(options: Options) -> None:
    """Serve until stdin closes, or SIGINT or SIGTERM comes. Raises UpstreamError if the address cannot be had."""
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)  # it warns of writes to connections that clients left
    with _listener(options) as listener, _ca_file(options) as ca_file:
        context = _tls(options, ca_file) if ca_file else None
        asyncio.run(_serve(options, listener, context, ca_file))


@contextmanager
def _listener(options: Options) -> Iterator[socket.socket]:
    family = socket.AF_INET6 if ":" in options.host else socket.AF_INET
    # The protocol is named because asyncio turns Nagle's delay off only where it is (base_events._set_nodelay).
    with socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((options.host, options.port))
            listener.listen(512)
        except (OSError, OverflowError) as error:
            where, why = f"{options.host}:{options.port}", getattr(error, "strerror", None) or error
            raise UpstreamError(f"cannot listen on {where}: {why}; --port 0 takes a free port") from error
        listener.setblocking(False)
        yield listener


@contextmanager
def _ca_file(options: Options) -> Iterator[Path | None]:
    if not options.tls:
        yield None
        return
    if options.ca_file:
        yield Path(options.ca_file)
        return
    with TemporaryDirectory(prefix="upstream-") as folder:
        yield Path(folder) / "ca.pem"


def _tls(options: Options, ca_file: Path) -> ssl.SSLContext:
    ca = trustme.CA()
    try:
        leaf = ca.issue_cert(*dict.fromkeys((*NAMES, *options.names)))
    except ValueError as error:  # idna's errors are such
        raise UpstreamError(f"cannot make a certificate for {', '.join(options.names)}: {error}") from error
    try:
        ca.cert_pem.write_to_path(str(ca_file))
    except OSError as error:
        raise UpstreamError(f"cannot write {ca_file}: {error.strerror}; name another with --ca-file") from error
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2  # RFC 9113, section 9.2
    context.set_alpn_protocols(["h2", "http/1.1"] if options.http2 else ["http/1.1"])
    leaf.configure_cert(context)
    return context


async def _serve(
    options: Options, listener: socket.socket, context: ssl.SSLContext | None, ca_file: Path | None
) -> None:
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(_loop_trouble)
    journal = Journal()
    app = App(seed=options.seed, defaults=options.behaviour, journal=journal)
    stop = asyncio.Event()
    for number in (SIGINT, SIGTERM):
        with suppress(NotImplementedError):  # Windows
            loop.add_signal_handler(number, stop.set)
    host, port = listener.getsockname()[:2]
    _say({"host": host, "port": port, "tls": context is not None, "ca_file": str(ca_file) if ca_file else None})
    threading.Thread(target=_commands, args=(loop, journal, stop), daemon=True).start()
    accepting = asyncio.create_task(_accept(app, journal, listener, context))
    await stop.wait()
    accepting.cancel()
    with suppress(asyncio.CancelledError):
        await accepting


async def _accept(app: App, journal: Journal, listener: socket.socket, context: ssl.SSLContext | None) -> None:
    loop = asyncio.get_running_loop()
    server = _Connections(app, journal, context)
    try:
        while True:
            accepted, _ = await loop.sock_accept(listener)
            server.start(accepted)
    finally:
        await server.stop()


class _Connections:
    """Those that are open, each a task."""

    def __init__(self, app: App, journal: Journal, context: ssl.SSLContext | None) -> None:
        self._app = app
        self._journal = journal
        self._tls = context
        self._tasks: set[asyncio.Task[None]] = set()
        self._open: set[asyncio.Transport] = set()
        self._config = Config()
        self._config.errorlog = None
        self._config.include_date_header = False  # ours is simulated
        self._config.include_server_header = False
        self._config.keep_alive_timeout = _FOREVER
        self._config.keep_alive_max_requests = _FOREVER
        self._worker = WorkerContext(None)

    def start(self, accepted: socket.socket) -> None:
        task = asyncio.create_task(self._handle(accepted, self._journal.connect()))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def stop(self) -> None:
        """At once: whoever stops a simulator is done with it. An orderly close of TLS would wait for the client."""
        for transport in self._open:
            transport.abort()
        if self._tasks:  # each notices by itself that its client is gone; cancelled, hypercorn would warn
            await asyncio.wait(self._tasks, timeout=_PATIENCE)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _handle(self, accepted: socket.socket, link: Link) -> None:
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader()
        protocol = asyncio.StreamReaderProtocol(reader)
        try:
            transport, _ = await loop.connect_accepted_socket(
                lambda: protocol, accepted, ssl=self._tls, ssl_handshake_timeout=10 if self._tls else None
            )
        except (OSError, EOFError):
            accepted.close()
            link.close()
            return
        writer = asyncio.StreamWriter(transport, protocol, reader, loop)
        chosen = writer.get_extra_info("ssl_object")
        link.protocol = (chosen and chosen.selected_alpn_protocol()) or "http/1.1"
        self._open.add(transport)
        app = wrap_app(partial(self._app, link=link, writer=writer), 0, "asgi")
        try:
            await TCPServer(app, loop, self._config, self._worker, {}, reader, writer)
        except* _BROKEN:
            pass
        finally:
            link.close()
            self._open.discard(transport)
            transport.abort()


def _loop_trouble(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    if not isinstance(context.get("exception"), _BROKEN):
        # asyncio's logger is silenced above; what is left is a defect, and must be seen.
        sys.stderr.write(f"{context.get('message')}: {context.get('exception')!r}\n")


def _commands(loop: asyncio.AbstractEventLoop, journal: Journal, stop: asyncio.Event) -> None:
    """`log` or `log N`, a line on stdin, is answered by a line of JSON, with the requests numbered above N.
    The end of stdin, and so the parent's, ends the server.

    A thread, because a pipe is not something that every platform's event loop can wait for.
    """
    for line in sys.stdin:
        command, _, after = line.strip().partition(" ")
        if command == "log" and (after or "0").isdecimal():
            # On the loop, so that no entry is half written.
            loop.call_soon_threadsafe(_tell, journal, int(after or 0))
    with suppress(RuntimeError):  # the loop is closed already
        loop.call_soon_threadsafe(stop.set)


def _tell(journal: Journal, after: int) -> None:
    _say(journal.dump(after))


def _say(value: Mapping[str, Any]) -> None:
    with suppress(BrokenPipeError):  # nobody reads any more; the end of stdin will tell
        sys.stdout.write(json.dumps(value) + "\n")
        sys.stdout.flush()
