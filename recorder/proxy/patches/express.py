"""Shorter ways through mitmproxy's connection handling; each leads to the same commands in the same order.

An event of a connection (bytes from the network, a hook that is done) goes down a stack of layers, and the commands
that they answer with come up again, one by one. Five things on that way cost more than what they do here:

- A hook asks each addon whether it has such a hook, twice, in a task of its own that then waits for the lock of the
  event that started it. Here it is known who listens, and they are called on the spot; what has to wait for something
  goes on in a task from there.
- Behind a CONNECT every event and every byte also passes the layers that had spoken it, which have nothing to do any
  more. They are left out once the tunnel stands.
- Each piece of what is to be sent is a system call. What one event brings forth for a connection is one.
- Each message is checked to be made of the right types, by a general way through their annotations. Here one look at
  each field finds it right, as it always is; only where it is not, mitmproxy's own check says so.
- Each line of the log is formatted twice, and taken round all addons for a hook that is deprecated, in a turn of the
  event loop of its own. Here it goes only where somebody listens. That a response is streamed, which in a recorder is
  every one, is not logged at all.

Together, on Python 3.13: a small exchange from 1.4 ms of CPU in bare mitmdump to 0.9, recording included, and a new
connection from 7 to 5.

It is for speed alone. `table.py` installs it only with a mitmproxy that was tested, and `RECORDER_SHORTCUTS=off` leaves
it out for diagnosis. With addons that are neither mitmproxy's nor ours, hooks take mitmproxy's own path.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
import logging
import types
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Generator, Iterator
from dataclasses import dataclass, fields
from typing import Any, Union, get_args, get_origin
from weakref import WeakKeyDictionary

from mitmproxy import exceptions, hooks, http
from mitmproxy.addonmanager import AddonManager, safecall, traverse
from mitmproxy.connection import ConnectionState
from mitmproxy.flow import Flow
from mitmproxy.log import AddLogHook, LegacyLogEvents
from mitmproxy.proxy import commands, events
from mitmproxy.proxy.layers.http import HttpLayer
from mitmproxy.proxy.layers.http._http1 import Http1Server
from mitmproxy.proxy.layers.modes import HttpProxy
from mitmproxy.proxy.layers.tls import TLSLayer
from mitmproxy.proxy.mode_servers import ProxyConnectionHandler

_STREAMING = "Streaming response from "
_KNOWN_CODE = ("mitmproxy.", "recorder.")

_Commands = Generator[commands.Command, Any, None]
_Listener = Callable[[Any], Awaitable[None] | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Listeners:
    """Who listens to one hook, in the order of the addons. `wait`: whether one of them is a coroutine function.

    As in `AddonManager.trigger_event`, what one of them raises is logged, and the next is called.
    """

    each: tuple[_Listener, ...]
    wait: bool

    def call(self, subject: Any) -> None:
        for listener in self.each:
            try:
                listener(subject)
            except exceptions.AddonHalt:
                return
            except Exception:
                with safecall():
                    raise

    async def call_and_wait(self, subject: Any) -> None:
        """In no task up to the first thing that it has to wait for, so nothing in it may ask for the current one."""
        for listener in self.each:
            try:
                with safecall():
                    answer = listener(subject)
                    if answer is not None:
                        await answer
            except exceptions.AddonHalt:
                return


_Known = dict[str, _Listeners | None]
"""By the hook's name; None where it has to go mitmproxy's way."""

_known: WeakKeyDictionary[AddonManager, _Known] = WeakKeyDictionary()
_waiting: set[asyncio.Task[None]] = set()


class _Express:
    """One connection's way; `handle_event` stands in for that of its topmost layer."""

    def __init__(self, handler: ProxyConnectionHandler) -> None:
        self._handler = handler
        self._client = handler.client
        self._handle: Callable[[events.Event], _Commands] = handler.layer.handle_event
        self._layers = handler.layer.context.layers
        self._known = _known.setdefault(handler.master.addons, {})
        self._tunnelled = False

    def handle_event(self, event: events.Event) -> _Commands:
        """What mitmproxy's layers answer with, less the hooks that are seen to here."""
        if not self._tunnelled:
            self._leave_out_connect()
        unsent: list[commands.SendData] = []  # all to the same connection
        coming = deque([event])
        while coming:
            for command in self._handle(coming.popleft()):
                if isinstance(command, commands.SendData):
                    if unsent and unsent[0].connection is not command.connection:
                        yield from _joined(unsent)
                    unsent.append(command)
                elif isinstance(command, commands.StartHook) and (heard := self._who_listens(command.name)):
                    if heard.wait:  # it may take a while, and what came before it is not to wait
                        yield from _joined(unsent)
                    if self._call(command, heard) and command.blocking:
                        coming.append(events.HookCompleted(command))
                elif not isinstance(command, commands.Log) or not command.message.startswith(_STREAMING):
                    yield from _joined(unsent)
                    yield from self._passed_on(command)
        yield from _joined(unsent)

    # Hooks

    def _who_listens(self, name: str) -> _Listeners | None:
        try:
            return self._known[name]
        except KeyError:
            return _listeners(self._handler.master.addons, name)

    def _call(self, hook: commands.StartHook, heard: _Listeners) -> bool:
        """Call them; False if the hook is not done yet."""
        (subject,) = hook.args()
        if heard.wait:
            calling = heard.call_and_wait(subject)
            try:
                waits_for = calling.send(None)
            except StopIteration:  # it had nothing to wait for
                pass
            else:
                _start(self._wait(hook, _rest(calling, waits_for), subject))
                return False
        else:
            heard.call(subject)
        if isinstance(subject, Flow):
            self._updated(subject)
            if subject.intercepted:
                _start(self._resume(hook, subject))
                return False
        return True

    async def _wait(self, hook: commands.StartHook, rest: Awaitable[None], subject: Any) -> None:
        with self._handler.timeout_watchdog.disarm():
            await rest
            if isinstance(subject, Flow):
                self._updated(subject)
        await self._resume(hook, subject)

    async def _resume(self, hook: commands.StartHook, subject: Any) -> None:
        if isinstance(subject, Flow):
            with self._handler.timeout_watchdog.disarm():
                await subject.wait_for_resume()
        if hook.blocking:
            await self._handler.server_event(events.HookCompleted(hook))

    def _updated(self, flow: Flow) -> None:
        if heard := self._who_listens("update"):
            heard.call([flow])

    # Behind a CONNECT

    def _passed_on(self, command: commands.Command) -> Iterator[commands.Command]:
        """A command as the layers of the CONNECT hand it on: never a half-close, and none of what is closed already."""
        if self._tunnelled and isinstance(command, commands.CloseConnection):
            if command.connection is not self._client or self._client.state & ConnectionState.CAN_WRITE:
                yield commands.CloseConnection(command.connection)
        else:
            yield command

    def _leave_out_connect(self) -> None:
        """Where all that is above the tunnel passes everything on, and waits for nothing, go to the tunnel itself."""
        # ruff: noqa: SLF001 - all that these layers keep of their state is private
        if len(self._layers) != 2:
            return
        proxy, above = self._layers
        if (
            type(proxy) is not HttpProxy
            or not isinstance(above, HttpLayer)
            or len(above.streams) != 1
            or above.command_sources
            or above._paused
        ):
            return
        (stream,) = above.streams.values()
        server = above.connections.get(self._client)
        if type(server) is not Http1Server or server.state != server.passthrough or server._paused or server.buf:
            return
        if stream.__dict__.get("_handle_event") != stream.passthrough or stream._paused or proxy._paused:
            return
        tunnel = getattr(stream.child_layer, "layer", None)
        if isinstance(tunnel, TLSLayer) and getattr(stream.child_layer, "_handle", None) is not None:
            self._handle = tunnel.handle_event
            self._tunnelled = True


def _joined(unsent: list[commands.SendData]) -> Iterator[commands.SendData]:
    """All of them as one, and the list is empty."""
    if len(unsent) == 1:
        yield unsent.pop()
    elif unsent:
        yield commands.SendData(unsent[0].connection, b"".join(each.data for each in unsent))
        unsent.clear()


@types.coroutine
def _rest(coroutine: Coroutine[Any, Any, None], waits_for: Any) -> Generator[Any, Any, None]:
    """What is left of a coroutine that has been begun; the first thing that it `waits_for` came of that."""
    while True:
        try:
            yield waits_for
        except BaseException as error:  # noqa: BLE001 - it is the coroutine's
            step = functools.partial(coroutine.throw, error)
        else:
            step = functools.partial(coroutine.send, None)
        try:
            waits_for = step()
        except StopIteration:
            return


def _start(waiting: Coroutine[Any, Any, None]) -> None:
    task = asyncio.get_running_loop().create_task(waiting)
    if not task.done():  # from Python 3.12 on it has run already, to its first pause
        _waiting.add(task)
        task.add_done_callback(_waiting.discard)


def _listeners(addons: AddonManager, name: str) -> _Listeners | None:
    known = _known.setdefault(addons, {})
    if name not in known:
        known[name] = _find_listeners(addons, name)
    return known[name]


def _find_listeners(addons: AddonManager, name: str) -> _Listeners | None:
    found: list[_Listener] = []
    for addon in traverse(addons.chain):
        if not _is_known(addon):
            return None
        listener = getattr(addon, name, None)
        if listener is not None and not isinstance(listener, types.ModuleType):
            if not callable(listener):
                return None
            found.append(listener)
    return _Listeners(each=tuple(found), wait=any(map(inspect.iscoroutinefunction, found)))


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
            _known.get(addons, {}).clear()  # emptied and kept: the connections hold it

    return changed


_handle_client = ProxyConnectionHandler.handle_client


async def _handle_client_expressly(self: ProxyConnectionHandler) -> None:
    express = _Express(self)
    self.layer.handle_event = express.handle_event  # type: ignore[method-assign] # of this one object
    await _handle_client(self)


_emit = LegacyLogEvents.emit


def _emit_if_heard(self: LegacyLogEvents, record: logging.LogRecord) -> None:
    heard = _listeners(self.master.addons, AddLogHook.name)
    if heard is None or heard.each:
        _emit(self, record)


_check = http.MessageData.__post_init__


def _check_at_a_look(self: http.MessageData) -> None:
    for name, kinds in _kinds(type(self)):
        if not isinstance(getattr(self, name), kinds):
            _check(self)  # type: ignore[no-untyped-call] # it says what is wrong
            return


@functools.cache
def _kinds(message: type[http.MessageData]) -> tuple[tuple[str, tuple[type, ...]], ...]:
    """Of each field some types that are surely right; none where its annotation is of a kind that is not known here."""
    found = []
    for field in fields(message):
        alternatives = get_args(field.type) or (field.type,)
        is_plain = not get_origin(field.type) or get_origin(field.type) in {Union, types.UnionType}
        known = tuple(kind for kind in alternatives if is_plain and isinstance(kind, type))
        found.append((field.name, known))
    return tuple(found)


def install() -> None:
    """Take the shorter paths from the next connection on. Idempotent."""
    if ProxyConnectionHandler.handle_client is _handle_client_expressly:
        return
    for name in ("register", "remove", "clear", "add"):
        setattr(AddonManager, name, _forgetting(getattr(AddonManager, name)))
    ProxyConnectionHandler.handle_client = _handle_client_expressly  # type: ignore[method-assign, assignment]
    LegacyLogEvents.emit = _emit_if_heard  # type: ignore[method-assign]
    http.MessageData.__post_init__ = _check_at_a_look  # type: ignore[method-assign]
