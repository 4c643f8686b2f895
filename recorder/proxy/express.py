"""Shorter ways through mitmproxy's connection handling; each leads to the same commands in the same order.

An event of a connection (bytes from the network, a hook that is done) goes down a stack of layers, and the commands that
they answer with come up again, one by one. Three things on that way cost more than what they do here:

- A hook is a task of its own, that asks each addon whether it has such a hook, twice, and then waits for the lock of the
  event that started it. Where all who listen are plain functions of mitmproxy's or ours they are called on the spot.
- Behind a CONNECT every event and every byte also passes the layers that had spoken it, which have nothing to do any
  more. They are left out once the tunnel stands.
- Each piece of what is to be sent is a system call. What one event brings forth for a connection is one.

Measured with recording, CPU before and after, on Python 3.13: EXPRESS-FIGURES.

All of it stands in for code of mitmproxy's that could change; with a version that is not known here nothing is done, and
that is said once.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
import logging
import types
from collections import deque
from collections.abc import Callable, Generator, Iterator
from typing import Any
from weakref import WeakKeyDictionary

from mitmproxy import exceptions, hooks, version
from mitmproxy.addonmanager import AddonManager, safecall, traverse
from mitmproxy.flow import Flow
from mitmproxy.proxy import commands, events
from mitmproxy.proxy.layers.http import HttpLayer
from mitmproxy.proxy.layers.http._http1 import Http1Server
from mitmproxy.proxy.layers.modes import HttpProxy
from mitmproxy.proxy.layers.tls import TLSLayer
from mitmproxy.proxy.mode_servers import ProxyConnectionHandler

logger = logging.getLogger(__name__)

_KNOWN = ((11, 0), (12, 4))  # from the first, before the second: 11.0.2, 11.1.3, 12.1.2, 12.2.3 and 12.3.1 were read
_KNOWN_CODE = ("mitmproxy.", "recorder.")

_Commands = Generator[commands.Command, Any, None]
_Listener = Callable[[Any], object]
_Listeners = dict[str, tuple[_Listener, ...] | None]
"""By the hook's name; None where it has to go mitmproxy's way."""

_listeners: WeakKeyDictionary[AddonManager, _Listeners] = WeakKeyDictionary()
_resuming: set[asyncio.Task[None]] = set()


class _Express:
    """One connection's way; `handle_event` stands in for that of its topmost layer."""

    def __init__(self, handler: ProxyConnectionHandler) -> None:
        self._handler = handler
        self._client = handler.client
        self._handle: Callable[[events.Event], _Commands] = handler.layer.handle_event
        self._layers = handler.layer.context.layers
        self._listeners = _listeners.setdefault(handler.master.addons, {})
        self._tunnelled = False

    def handle_event(self, event: events.Event) -> _Commands:
        """What mitmproxy's layers answer with, less the hooks that have been called already."""
        if not self._tunnelled:
            self._leave_out_connect()
        unsent: list[commands.SendData] = []  # all to the same connection
        coming = deque([event])
        while coming:
            for command in self._answers(coming.popleft()):
                if type(command) is commands.SendData:
                    if unsent and unsent[0].connection is not command.connection:
                        yield _joined(unsent)
                        unsent = []
                    unsent.append(command)
                    continue
                if isinstance(command, commands.StartHook):
                    listeners = self._who_listens(command.name)
                    if listeners is not None:
                        if self._call(command, listeners) and command.blocking:
                            coming.append(events.HookCompleted(command))
                        continue
                if unsent:
                    yield _joined(unsent)
                    unsent = []
                yield command
        if unsent:
            yield _joined(unsent)

    # Hooks

    def _who_listens(self, name: str) -> tuple[_Listener, ...] | None:
        try:
            return self._listeners[name]
        except KeyError:
            found = self._listeners[name] = _find_listeners(self._handler.master.addons, name)
            return found

    def _call(self, hook: commands.StartHook, listeners: tuple[_Listener, ...]) -> bool:
        """Call them; False if the hook is not done yet, as the user looks at the flow."""
        (subject,) = hook.args()
        _call_each(listeners, subject)
        if not isinstance(subject, Flow):
            return True
        if updated := self._who_listens("update"):
            _call_each(updated, [subject])
        if subject.intercepted:
            task = asyncio.get_running_loop().create_task(self._resume(hook, subject))
            _resuming.add(task)
            task.add_done_callback(_resuming.discard)
            return False
        return True

    async def _resume(self, hook: commands.StartHook, flow: Flow) -> None:
        await flow.wait_for_resume()
        if hook.blocking:
            await self._handler.server_event(events.HookCompleted(hook))

    # Behind a CONNECT

    def _answers(self, event: events.Event) -> Iterator[commands.Command]:
        return map(self._as_passed_through, self._handle(event)) if self._tunnelled else self._handle(event)

    def _as_passed_through(self, command: commands.Command) -> commands.Command:
        """What `HttpStream.passthrough` and the HTTP/1.1 connection above it make of a command: never a half-close."""
        if isinstance(command, commands.CloseTcpConnection):
            return commands.CloseConnection(command.connection)
        return command

    def _leave_out_connect(self) -> None:
        """If all that is above the tunnel passes everything on, and waits for nothing, events go to the tunnel itself."""
        if len(self._layers) != 2 or type(self._layers[1]) is not HttpLayer:
            return
        proxy, http = self._layers
        if type(proxy) is not HttpProxy or len(http.streams) != 1 or http.command_sources or http._paused:
            return
        (stream,) = http.streams.values()
        server = http.connections.get(self._client)
        if type(server) is not Http1Server or server.state != server.passthrough or server._paused or server.buf:
            return
        if stream.__dict__.get("_handle_event") != stream.passthrough or stream._paused or proxy._paused:
            return
        tunnel = getattr(stream.child_layer, "layer", None)
        if isinstance(tunnel, TLSLayer) and getattr(stream.child_layer, "_handle", None) is not None:
            self._handle = tunnel.handle_event
            self._tunnelled = True


def _joined(unsent: list[commands.SendData]) -> commands.SendData:
    if len(unsent) == 1:
        return unsent[0]
    return commands.SendData(unsent[0].connection, b"".join(each.data for each in unsent))


def _call_each(listeners: tuple[_Listener, ...], subject: Any) -> None:
    """As `AddonManager.trigger_event` does: what one raises is logged, and the next is called."""
    for listener in listeners:
        try:
            listener(subject)
        except exceptions.AddonHalt:
            return
        except Exception:
            with safecall():
                raise


def _find_listeners(addons: AddonManager, name: str) -> tuple[_Listener, ...] | None:
    found: list[_Listener] = []
    for addon in traverse(addons.chain):
        if not _is_known(addon):
            return None
        listener = getattr(addon, name, None)
        if listener is None or isinstance(listener, types.ModuleType):
            continue
        if inspect.iscoroutinefunction(listener) or not callable(listener):
            return None
        found.append(listener)
    return tuple(found)


def _is_known(addon: object) -> bool:
    """Whether it is mitmproxy's or ours, so that its hooks are what its class says. Of a script, which mitmproxy loads
    as a module, only one without hooks of its own is: `addons/record.py` has none."""
    if isinstance(addon, types.ModuleType):
        return not any(hasattr(addon, name) for name in hooks.all_hooks)
    return type(addon).__module__.startswith(_KNOWN_CODE)


def _forgetting(change: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(change)
    def changed(addons: AddonManager, *args: Any, **options: Any) -> Any:
        try:
            return change(addons, *args, **options)
        finally:
            _listeners.get(addons, {}).clear()  # emptied and kept: the connections hold it

    return changed


_handle_client = ProxyConnectionHandler.handle_client


async def _handle_client_expressly(self: ProxyConnectionHandler) -> None:
    express = _Express(self)
    self.layer.handle_event = express.handle_event  # type: ignore[method-assign] # of this one object
    await _handle_client(self)


def go_express() -> None:
    """Take the shorter ways from the next connection on; calling it twice is harmless."""
    if ProxyConnectionHandler.handle_client is _handle_client_expressly:
        return
    known = tuple(int(part) for part in version.VERSION.split(".")[:2])
    if not _KNOWN[0] <= known < _KNOWN[1]:
        logger.warning("recorder: mitmproxy %s is newer than what is known here; all works, slower", version.VERSION)
        return
    for name in ("register", "remove", "clear", "add"):
        setattr(AddonManager, name, _forgetting(getattr(AddonManager, name)))
    ProxyConnectionHandler.handle_client = _handle_client_expressly  # type: ignore[method-assign]
