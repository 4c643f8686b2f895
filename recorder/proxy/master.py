"""The proxy as `recorder start` runs it: mitmproxy's core in this process, with only the addons that it needs.

Two doors on loopback: the proxy port (`HTTPS_PROXY`; TLS is ended with our CA) and the base-URL port (plain HTTP in,
the first recorded host upstream). Run `Proxy.run` to its end; `Proxy.stop` ends it in order, and called again at once.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable
from typing import Any

from mitmproxy import ctx, exceptions
from mitmproxy.options import Options

from recorder.errors import ProxyError
from recorder.proxy import certificates
from recorder.proxy.addon import RecordAddon
from recorder.proxy.ca_hint import TrustHints
from recorder.proxy.listeners import LOOPBACK, Doors, door_error, with_ports
from recorder.proxy.patches.lean_imports import Master, core, disable_h2c, next_layer, proxyserver, tlsconfig
from recorder.proxy.patches.tcp_only import keep_to_tcp
from recorder.session.playback import Answer
from recorder.session.recording import Recorded, Summary
from recorder.session.session_table import Recordings
from recorder.session.settings import Settings


class Proxy:
    """One recorder. `on_ready` is called when both doors are open, the others as in `RecordAddon`."""

    def __init__(
        self,
        settings: Settings,
        recordings: Recordings,
        *,
        on_ready: Callable[[Doors], None],
        on_recorded: Callable[[Recorded], None],
        on_replayed: Callable[[Answer], None],
        on_stopped: Callable[[Summary], None],
    ) -> None:
        self._settings = settings
        self._on_ready = on_ready
        self._addon = RecordAddon(
            settings, recordings, on_recorded=on_recorded, on_replayed=on_replayed, on_stopped=on_stopped
        )
        self._master: Master | None = None
        self._stopping = False

    @property
    def failure(self) -> str | None:
        """Why the session failed, None if it did not."""
        return self._addon.failure

    async def run(self) -> None:
        """Serve until `stop`; then the recording has been stopped too. `ProxyError` if a door cannot be opened."""
        logging.getLogger("mitmproxy").setLevel(logging.WARNING)
        # It logs why a door could not be opened, which `door_error` tells in our own words.
        logging.getLogger(proxyserver.__name__).setLevel(logging.CRITICAL)
        settings = with_ports(self._settings)
        kept = certificates.prepare(
            settings.certs, upstream_ca=settings.upstream_ca, roots=certificates.roots(os.environ)
        )
        master = self._master = Master(Options())
        doors = Doors(port=settings.port, base_url_port=settings.base_url_port, bundle=kept.bundle)
        server = proxyserver.Proxyserver()
        opened = _Opened(lambda: self._on_ready(doors))
        try:
            master.options.update(**_options(settings, kept))
            master.addons.add(
                core.Core(),
                disable_h2c.DisableH2C(),
                server,
                next_layer.NextLayer(),
                tlsconfig.TlsConfig(),
                self._addon,
                TrustHints(quiet=True),
                opened,
            )
            master.options.update(connection_strategy="lazy")
        except exceptions.OptionsError as error:
            raise ProxyError(str(error)) from error
        keep_to_tcp(_modes(settings))
        if self._stopping:
            master.shutdown()
        await master.run()
        # Left open, the doors would close with the process, some time after the session has ended.
        await server.servers.update([])
        asyncio.get_running_loop().set_exception_handler(_report)
        if opened.error:
            raise opened.error

    def stop(self) -> None:
        """Stop in order; the second call ends the wait for streams under way."""
        if self._stopping:
            self._addon.force_shutdown()
        self._stopping = True
        if self._master:
            self._master.shutdown()


def _report(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """As usual, but for connections that clients still hold open, whose handlers are cancelled with the loop.

    Python 3.11 asks such a task for its exception (asyncio.streams, `connection_made`; 3.12 no longer does), and a
    traceback would be the last that the user sees of an orderly stop.
    """
    if not isinstance(context.get("exception"), asyncio.CancelledError):
        loop.default_exception_handler(context)


class _Opened:
    """The addon that sees both doors open, or why one is not."""

    def __init__(self, opened: Callable[[], None]) -> None:
        self._opened = opened
        self.error: ProxyError | None = None

    def running(self) -> None:
        for server in ctx.master.addons.get("proxyserver").servers:
            if server.last_exception is not None:
                self.error = door_error(server.mode.custom_listen_port, server.last_exception)
                ctx.master.shutdown()
                return
        self._opened()


def _modes(settings: Settings) -> list[str]:
    return [
        f"regular@{LOOPBACK}:{settings.port}",
        f"reverse:{settings.hosts[0].base_url}@{LOOPBACK}:{settings.base_url_port}",
    ]


def _options(settings: Settings, kept: certificates.Trust) -> dict[str, Any]:
    chosen: dict[str, Any] = {
        "mode": _modes(settings),
        "confdir": str(kept.folder),
        "allow_hosts": [host.pattern for host in settings.hosts],  # everything else is tunnelled unopened
    }
    if kept.upstream:
        chosen["ssl_verify_upstream_trusted_ca"] = str(kept.upstream)
    return chosen
