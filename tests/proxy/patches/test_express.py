"""The shorter ways: the same hooks, in the same order, and mitmproxy's own way wherever something is not known."""

from __future__ import annotations

import asyncio
import logging
import types
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest
from mitmproxy import addonmanager, exceptions, http
from mitmproxy.log import LegacyLogEvents
from mitmproxy.proxy.mode_servers import ProxyConnectionHandler

from recorder.proxy.patches import express
from recorder.proxy.patches.express import _find_listeners, _rest
from tests.proxy.hooks import context


class Plain:
    """Sees a few hooks; stands in for an addon of ours."""

    def __init__(self, fails: type[Exception] | None = None) -> None:
        self.seen: list[object] = []
        self._fails = fails

    def request(self, flow: object) -> None:
        self.seen.append(flow)
        if self._fails:
            raise self._fails


class Waiting(Plain):
    async def response(self, flow: object) -> None:
        await asyncio.sleep(0)
        self.seen.append(flow)


class Foreign:
    def request(self, flow: object) -> None: ...


Plain.__module__ = Waiting.__module__ = "recorder.test"


@pytest.fixture
def untouched() -> Iterator[None]:
    """mitmproxy as it is, and again after the test."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ProxyConnectionHandler, "handle_client", express._handle_client)
        for name in ("register", "remove", "clear", "add"):
            change = getattr(addonmanager.AddonManager, name)
            patch.setattr(addonmanager.AddonManager, name, getattr(change, "__wrapped__", change))
        patch.setattr(http.MessageData, "__post_init__", express._check)
        patch.setattr(LegacyLogEvents, "emit", express._emit)
        yield


def with_addons(*addons: object, test: Callable[[addonmanager.AddonManager], Awaitable[None] | None]) -> None:
    async def inside() -> None:
        with context(*addons) as made:
            answer = test(made.master.addons)
            if answer is not None:
                await answer

    asyncio.run(inside())


def test_a_hook_is_heard_by_those_who_have_it_in_their_order() -> None:
    first, second = Plain(), Waiting()

    def claim(addons: addonmanager.AddonManager) -> None:
        heard = _find_listeners(addons, "request")
        assert heard is not None
        assert (first.request, second.request) == heard.each
        assert not heard.wait
        heard.call("flow")
        assert [["flow"], ["flow"]] == [first.seen, second.seen]

    with_addons(first, second, test=claim)


def test_a_coroutine_among_them_is_waited_for() -> None:
    waiting = Waiting()

    async def claim(addons: addonmanager.AddonManager) -> None:
        heard = _find_listeners(addons, "response")
        assert heard is not None
        assert heard.wait
        await heard.call_and_wait("flow")
        assert ["flow"] == waiting.seen

    with_addons(waiting, test=claim)


def test_what_was_begun_outside_of_a_task_goes_on_in_one_to_its_end() -> None:
    async def inside() -> None:
        loop = asyncio.get_running_loop()
        first, second, seen = loop.create_future(), loop.create_future(), []

        async def work() -> None:
            await asyncio.sleep(0)
            seen.append(await first)
            seen.append(await second)

        working = work()
        going_on = asyncio.ensure_future(_await(_rest(working, working.send(None))))
        await asyncio.sleep(0)
        for number, future in enumerate((first, second)):
            future.set_result(number)
            await asyncio.sleep(0)
        await going_on
        assert [0, 1] == seen

    asyncio.run(inside())


@pytest.mark.parametrize("ends", ["error", "cancelled"])
def test_what_it_waited_for_may_end_in_another_way(ends: str) -> None:
    async def inside() -> None:
        future = asyncio.get_running_loop().create_future()
        seen: list[str] = []

        async def work() -> None:
            try:
                await future
            except BaseException as error:
                seen.append(type(error).__name__)
                raise

        working = work()
        going_on = asyncio.ensure_future(_await(_rest(working, working.send(None))))
        await asyncio.sleep(0)
        if ends == "error":
            future.set_exception(ValueError("broken"))
        else:
            going_on.cancel()
        with pytest.raises((ValueError, asyncio.CancelledError)):
            await going_on
        assert ["ValueError" if ends == "error" else "CancelledError"] == seen
        assert future.cancelled() == (ends == "cancelled")

    asyncio.run(inside())


async def _await(what: Awaitable[None]) -> None:
    await what


def test_what_one_raises_is_logged_and_the_next_is_called(caplog: pytest.LogCaptureFixture) -> None:
    failing, second = Plain(ValueError), Waiting()

    async def claim(addons: addonmanager.AddonManager) -> None:
        heard = _find_listeners(addons, "request")
        assert heard is not None
        heard.call("flow")
        await heard.call_and_wait("other")
        assert ["flow", "other"] == second.seen

    with_addons(failing, second, test=claim)
    assert 2 == sum("Addon error" in record.message for record in caplog.records)


def test_one_that_halts_keeps_it_from_the_next() -> None:
    second = Waiting()

    async def claim(addons: addonmanager.AddonManager) -> None:
        heard = _find_listeners(addons, "request")
        assert heard is not None
        heard.call("flow")
        await heard.call_and_wait("flow")
        assert [] == second.seen

    with_addons(Plain(exceptions.AddonHalt), second, test=claim)


def test_with_an_addon_that_is_not_known_hooks_go_mitmproxys_way() -> None:
    script = types.ModuleType("script")
    script.request = print  # type: ignore[attr-defined] # a script's hook
    for stranger in (Foreign(), script):
        with_addons(Plain(), stranger, test=lambda addons: _none(_find_listeners(addons, "request")))


def test_a_script_that_only_brings_our_addon_is_known() -> None:
    script, plain = types.ModuleType("script"), Plain()
    script.addons = [plain]  # type: ignore[attr-defined] # as addons/record.py has it

    def claim(addons: addonmanager.AddonManager) -> None:
        heard = _find_listeners(addons, "request")
        assert heard is not None
        assert (plain.request,) == heard.each

    with_addons(script, test=claim)


@pytest.mark.usefixtures("untouched")
def test_an_addon_that_comes_later_is_heard() -> None:
    express.install()
    first, second = Plain(), Waiting()

    def claim(addons: addonmanager.AddonManager) -> None:
        known = express._known.setdefault(addons, {})
        known["request"] = _find_listeners(addons, "request")
        addons.add(second)
        assert {} == known
        known["request"] = None
        addons.remove(second)
        assert {} == known

    with_addons(first, test=claim)


@pytest.mark.usefixtures("untouched")
def test_twice_is_as_good_as_once() -> None:
    express.install()
    register: Any = addonmanager.AddonManager.register
    express.install()
    again: Any = addonmanager.AddonManager.register
    assert register is again
    assert not hasattr(register.__wrapped__, "__wrapped__")


@pytest.mark.usefixtures("untouched")
@pytest.mark.parametrize("stranger", [False, True])
def test_the_deprecated_hook_of_the_log_is_called_only_where_somebody_may_listen(stranger: bool) -> None:
    express.install()
    turns: list[object] = []

    def claim(addons: addonmanager.AddonManager) -> None:
        loop = types.SimpleNamespace(call_soon_threadsafe=lambda *call: turns.append(call))
        events = LegacyLogEvents(types.SimpleNamespace(addons=addons, event_loop=loop))  # type: ignore[arg-type]
        events.emit(logging.LogRecord("x", logging.INFO, "x", 1, "said", (), None))
        assert stranger == bool(turns)

    with_addons(Plain(), *([Foreign()] if stranger else []), test=claim)


@pytest.mark.usefixtures("untouched")
@pytest.mark.parametrize(
    "wrong",
    [{"content": "text"}, {"status_code": "200"}, {"headers": {}}, {"timestamp_start": None}, {"reason": None}],
    ids=lambda wrong: next(iter(wrong)),
)
def test_a_message_is_refused_as_mitmproxy_refuses_it(wrong: dict[str, Any]) -> None:
    right: dict[str, Any] = {
        "http_version": b"HTTP/1.1", "headers": http.Headers(), "content": None, "trailers": None,
        "timestamp_start": 1, "timestamp_end": 2.5, "status_code": 200, "reason": b"OK",
    }  # fmt: skip
    with pytest.raises(TypeError) as theirs:
        http.ResponseData(**right | wrong)
    express.install()
    http.ResponseData(**right)
    with pytest.raises(TypeError) as ours:
        http.ResponseData(**right | wrong)
    assert str(theirs.value) == str(ours.value)


@pytest.mark.parametrize("message", [http.RequestData, http.ResponseData])
def test_each_field_of_a_message_is_known(message: type[http.MessageData]) -> None:
    assert all(kinds for _, kinds in express._kinds(message))


def _none(found: object) -> None:
    assert found is None
