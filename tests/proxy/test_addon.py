"""The recording addon, its hooks called as mitmproxy calls them, with a real recording behind it and no network.

What a client would have got is worked out by `Bench.client` from what the hooks did to the flow.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from mitmproxy import http
from mitmproxy.addons.proxyserver import Proxyserver
from mitmproxy.flow import Error
from mitmproxy.options import Options
from mitmproxy.proxy.server_hooks import ServerConnectionHookData
from mitmproxy.test.tflow import tclient_conn, tflow, tserver_conn
from mitmproxy.test.tutils import treq, tresp

from recorder.cassette import loads
from recorder.errors import StoreError
from recorder.model import Interaction
from recorder.proxy import flow_values
from recorder.proxy.addon import RecordAddon
from recorder.proxy.live_sessions import LiveSessions
from recorder.proxy.tee import Tee
from recorder.session.recording import Prepared, Recorded, Recording, Summary
from recorder.session.session_table import Recordings
from recorder.session.settings import Settings, parse_connect_to
from tests.proxy.hooks import context

EVENT_STREAM = ((b"Content-Type", b"text/event-stream"), (b"Transfer-Encoding", b"chunked"))
BEGAN = 1_700_000_000.0  # seconds since the epoch: when the flows of these tests began
REFUSED, CUT = "refused", "cut"


@dataclass(slots=True)
class Bench:
    """An addon as `recorder start` makes it, and what it told."""

    addon: RecordAddon
    recordings: Recordings
    recording: Recording
    settings: Settings
    told: list[Recorded] = field(default_factory=list)
    stopped: list[Summary] = field(default_factory=list)

    @property
    def cassette(self) -> list[Interaction]:
        return read(self.recording.summary.path)

    @property
    def incomplete(self) -> list[Interaction]:
        return read(self.recording.summary.path.with_suffix(".incomplete.yaml"))

    async def ask(self, flow: http.HTTPFlow) -> None:
        """Until the upstream would be asked."""
        self.addon.requestheaders(flow)
        await self.addon.request(flow)

    async def answer(self, flow: http.HTTPFlow, response: http.Response, pieces: Iterable[bytes] = ()) -> bytes | str:
        """The upstream's answer; what the client has got of its body, or that it was refused or cut."""
        got = await self.begin(flow, response, pieces)
        if flow.response is not None and flow.error is None:
            flow.response.timestamp_end = BEGAN + 2
            await self.addon.response(flow)
        return self.client(flow, got)

    async def begin(self, flow: http.HTTPFlow, response: http.Response, pieces: Iterable[bytes]) -> bytes:
        """The same without the end; what the tee has passed on."""
        flow.response = response
        self.addon.responseheaders(flow)
        assert flow.response is not None
        stream = flow.response.stream
        if callable(stream):
            assert isinstance(stream, Tee)
            return b"".join(b"".join(stream(piece)) for piece in (*pieces, b""))
        if not flow.response.headers.get(flow_values.REFUSED):
            flow.response.raw_content = b"".join(pieces)
        return b"".join(pieces)

    def client(self, flow: http.HTTPFlow, got: bytes) -> bytes | str:
        assert flow.response is not None
        stream = flow.response.stream
        if flow.error is not None or (isinstance(stream, Tee) and stream.shut):
            return CUT
        if flow_values.REFUSED in flow.response.headers:
            assert 502 == flow.response.status_code
            return REFUSED
        return got + b"".join(stream.held) if isinstance(stream, Tee) else got

    async def exchange(self, flow: http.HTTPFlow, response: http.Response, *pieces: bytes) -> bytes | str:
        await self.ask(flow)
        if flow.response is not None:  # an answer of our own: mitmproxy asks nobody
            self.addon.responseheaders(flow)
            await self.addon.response(flow)
            return self.client(flow, b"")
        return await self.answer(flow, response, pieces)


Test = Callable[[Bench], Awaitable[None]]


def on_a_bench(test: Test) -> Callable[[Path], None]:
    """Run the test with a bench, in an event loop, with mitmproxy's context."""

    def run(tmp_path: Path) -> None:
        async def inside() -> None:
            bench = make(tmp_path)
            with context(bench.addon):
                await test(bench)
            bench.recording.close()

        asyncio.run(inside())

    # Not functools.wraps, after which pytest would look for a fixture named `bench`.
    run.__name__, run.__doc__ = getattr(test, "__name__", ""), test.__doc__
    return run


def make(folder: Path, **changes: Any) -> Bench:
    settings = replace(Settings(session="chat", cassette_dir=folder, grace=0.0), **changes)
    recordings = Recordings(settings, clock=time.time_ns, salts=lambda: bytes(16), environ={})
    assert settings.session is not None
    recordings.start(settings.session)
    told: list[Recorded] = []
    stopped: list[Summary] = []
    addon = RecordAddon(settings, recordings, on_recorded=told.append, on_stopped=stopped.append)
    recording = recordings._started[settings.session].recording
    assert recording is not None
    return Bench(addon=addon, recordings=recordings, recording=recording, settings=settings, told=told, stopped=stopped)


def read(path: Path) -> list[Interaction]:
    return list(loads(path.read_bytes(), str(path)).interactions) if path.exists() else []


def asking(
    path: str = "/api/v1/models", *, host: str = "openrouter.ai", began: float = BEGAN, **more: Any
) -> http.HTTPFlow:
    headers = http.Headers(((b"Host", host.encode()), (b"Authorization", b"Bearer sk-or-v1-0123456789abcdef")))
    request = {
        "method": b"GET",
        "scheme": b"https",
        "host": host,
        "port": 443,
        "authority": b"",
        "path": path.encode(),
        "headers": headers,
        "content": b"",
        "timestamp_start": began,
        **more,
    }
    return tflow(req=treq(**request))


def answering(*headers: tuple[bytes, bytes], status: int = 200) -> http.Response:
    return tresp(
        status_code=status,
        reason=b"OK",
        headers=http.Headers(headers),
        content=None,
        timestamp_start=BEGAN + 1,
        timestamp_end=None,
    )


def paths(interactions: list[Interaction]) -> list[str]:
    return [interaction.request.url.removeprefix("https://openrouter.ai") for interaction in interactions]


# The path of an exchange


@on_a_bench
async def test_a_stream_goes_through_the_tee_and_is_on_disk_after_the_response_hook(bench: Bench) -> None:
    flow = asking()
    await bench.ask(flow)
    got = await bench.begin(flow, answering(*EVENT_STREAM), (b"data: 1\n\n", b"data: [DONE]\n\n"))
    assert b"data: 1\n\n" == got  # the terminal frame is an end for an SDK: it waits for the disk
    assert b"data: 1\n\ndata: [DONE]\n\n" == bench.client(flow, got)
    assert [] == bench.cassette
    await bench.addon.response(flow)
    [recorded] = bench.cassette
    assert bench.client(flow, got) == recorded.response.body
    assert 1_000_000_000 == recorded.response.duration
    await asyncio.sleep(0)  # it is told of in the next turn of the loop
    assert [0] == [told.id for told in bench.told]


@on_a_bench
async def test_a_body_with_a_length_takes_the_same_path_and_its_last_piece_waits(bench: Bench) -> None:
    flow = asking()
    await bench.ask(flow)
    assert b"ab" == await bench.begin(flow, answering((b"Content-Length", b"4")), (b"ab", b"cd"))
    assert flow.response is not None
    assert isinstance(flow.response.stream, Tee)
    assert [b"cd"] == flow.response.stream.held
    await bench.addon.response(flow)
    assert [b"abcd"] == [one.response.body for one in bench.cassette]


@on_a_bench
async def test_headers_that_are_the_end_are_not_streamed(bench: Bench) -> None:
    for status, method in ((204, b"GET"), (304, b"GET"), (200, b"HEAD")):
        flow = asking(method=method)
        assert b"" == await bench.exchange(flow, answering((b"Content-Length", b"9"), status=status))
        assert flow.response is not None
        assert not flow.response.stream
    assert [204, 304, 200] == [one.response.code for one in bench.cassette]


@on_a_bench
async def test_credentials_are_not_written(bench: Bench) -> None:
    await bench.exchange(asking(), answering(*EVENT_STREAM), b"data: sk-or-v1-0123456789abcdef\n\n")
    text = bench.recording.summary.path.read_bytes()
    assert b"sk-or-v1-0123456789abcdef" not in text
    assert b"Authorization" not in text


@on_a_bench
async def test_other_hosts_pass_unread_in_both_directions(bench: Bench) -> None:
    flow = asking(host="example.com")
    assert b"abcd" == await bench.exchange(flow, answering((b"Content-Length", b"4")), b"ab", b"cd")
    assert True is flow.request.stream
    assert flow.response is not None
    assert True is flow.response.stream
    flow = asking(host="example.com")
    await bench.ask(flow)
    flow.error = Error("gone")
    await bench.addon.error(flow)
    assert ([], [], []) == (bench.cassette, bench.incomplete, bench.told)


@on_a_bench
async def test_a_host_is_known_by_its_name_in_the_request_too(bench: Bench) -> None:
    flow = asking(host="192.0.2.1", headers=http.Headers(host="openrouter.ai"))
    await bench.exchange(flow, answering(*EVENT_STREAM))
    assert ["https://openrouter.ai/api/v1/models"] == [one.request.url for one in bench.cassette]


@on_a_bench
async def test_a_stored_flow_is_recorded_whole(bench: Bench) -> None:
    """mitmproxy reads it with its body, and streams nothing."""
    flow = asking()
    flow.live = False
    await bench.exchange(flow, answering(*EVENT_STREAM), b"data: 1\n\n")
    assert flow.response is not None
    assert not flow.response.stream
    assert [b"data: 1\n\n"] == [one.response.body for one in bench.cassette]


@on_a_bench
async def test_a_stored_flow_without_its_body_is_incomplete(bench: Bench) -> None:
    """As mitmdump stores what was streamed."""
    flow = asking()
    flow.live = False
    await bench.ask(flow)
    flow.response = answering()
    bench.addon.responseheaders(flow)
    await bench.addon.response(flow)
    assert ([], 1) == (bench.cassette, len(bench.incomplete))
    await asyncio.sleep(0)  # it is told of in the next turn of the loop
    assert ["the stored flow has no body"] == [told.incomplete for told in bench.told]


@on_a_bench
async def test_a_break_in_the_middle_is_incomplete(bench: Bench) -> None:
    flow = asking()
    await bench.ask(flow)
    await bench.begin(
        flow, answering((b"Content-Type", b"text/event-stream"), (b"Content-Length", b"99")), (b"data: 1\n\n",)
    )
    flow.error = Error("connection closed", BEGAN + 3)
    await bench.addon.error(flow)
    assert [] == bench.cassette
    assert [b"data: 1\n\n"] == [one.response.body for one in bench.incomplete]
    await asyncio.sleep(0)  # it is told of in the next turn of the loop
    [told] = bench.told
    assert ("connection closed", 3_000_000_000) == (told.incomplete, told.total)


@on_a_bench
async def test_a_break_behind_the_terminal_frame_is_the_end(bench: Bench) -> None:
    """SDKs of OpenAI hang up right after it."""
    flow = asking()
    await bench.ask(flow)
    await bench.begin(flow, answering(*EVENT_STREAM), (b"data: 1\n\ndata: [DONE]\n\n",))
    flow.error = Error("client disconnected")
    await bench.addon.error(flow)
    assert [b"data: 1\n\ndata: [DONE]\n\n"] == [one.response.body for one in bench.cassette]
    assert [] == bench.incomplete


@on_a_bench
async def test_a_break_before_any_answer_is_incomplete(bench: Bench) -> None:
    flow = asking()
    await bench.ask(flow)
    flow.error = Error("cannot connect", BEGAN + 1)
    await bench.addon.error(flow)
    assert [0] == [one.response.code for one in bench.incomplete]
    assert [] == bench.cassette
    assert bench.addon.failure is None


@on_a_bench
async def test_a_websocket_is_passed_on_and_noted(bench: Bench) -> None:
    flow = asking()
    await bench.exchange(flow, answering(status=101))
    assert ([], []) == (bench.cassette, bench.incomplete)
    assert ["a WebSocket was passed on and not recorded"] == bench.recording.summary.notes


@on_a_bench
async def test_exchanges_that_end_together_are_all_there(bench: Bench) -> None:
    flows = [asking(f"/{number}") for number in range(30)]
    for flow in flows:
        await bench.ask(flow)
    response = [bench.answer(flow, answering(*EVENT_STREAM), (b"data: x\n\n",)) for flow in flows]
    await asyncio.gather(*response)
    assert {f"/{number}" for number in range(30)} == set(paths(bench.cassette))
    assert 30 == len(bench.cassette)


# Failing closed


def broken(*_args: Any, **_options: Any) -> Any:
    raise ValueError("a defect")


def full(*_args: Any, **_options: Any) -> Any:
    raise StoreError("the disk is full")


FAULTS: dict[str, Callable[[pytest.MonkeyPatch], None]] = {
    "the request's headers": lambda patch: patch.setattr(
        "recorder.session.settings.Settings.records", once(broken, True)
    ),
    "the route": lambda patch: patch.setattr("recorder.proxy.routing.take", broken),
    "the request": lambda patch: patch.setattr("recorder.proxy.flow_values.request", broken),
    "the response's headers": lambda patch: patch.setattr("recorder.proxy.flow_values.response_head", broken),
    "the tee's making": lambda patch: patch.setattr("recorder.proxy.flow_values.announced_length", broken),
    "a piece": lambda patch: patch.setattr("recorder.wire.exchange.Capture.chunk", broken),
    "the end": lambda patch: patch.setattr("recorder.wire.exchange.Capture.end", broken),
    "the trailers": lambda patch: patch.setattr("recorder.proxy.flow_values.trailers", broken),
    "the scrubbing": lambda patch: patch.setattr("recorder.session.recording.Recording.prepare", full),
    "the disk": lambda patch: patch.setattr("recorder.session.recording.Recording.commit", full),
}
ANSWERS = {
    "chunks": (answering(*EVENT_STREAM), (b"data: 1\n\n", b"data: [DONE]\n\n")),
    "a length": (answering((b"Content-Length", b"4")), (b"ab", b"cd")),
    "headers alone": (answering(status=204), ()),
}


def once(first: Callable[..., Any], then: object) -> Callable[..., Any]:
    """`first` at the first call, and `then` for all others."""
    calls: list[None] = []

    def call(*args: Any, **options: Any) -> Any:
        calls.append(None)
        return first(*args, **options) if len(calls) == 1 else then

    return call


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS.keys())
@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS.keys())
def test_whatever_fails_no_client_gets_a_whole_answer_that_is_not_recorded(
    tmp_path: Path,
    fault: Callable[[pytest.MonkeyPatch], None],
    answer: tuple[http.Response, tuple[bytes, ...]],
) -> None:
    response, pieces = answer

    async def inside() -> None:
        bench = make(tmp_path)
        with context(bench.addon), pytest.MonkeyPatch.context() as patch:
            fault(patch)
            got = await bench.exchange(asking(), response.copy(), *pieces)
        assert got in (REFUSED, CUT) or bench.addon.failure is None
        if bench.addon.failure is None:  # a part that this answer does not take
            assert 1 == len(bench.cassette)
        else:
            assert ([], []) == (bench.cassette, bench.told)
        bench.recording.close()

    asyncio.run(inside())


def test_each_fault_of_these_tests_is_met(tmp_path: Path) -> None:
    """Else the test above would prove nothing of it."""

    async def failing() -> dict[str, bool]:
        met = {}
        for number, (name, fault) in enumerate(FAULTS.items()):
            bench = make(tmp_path, session=str(number))
            with context(bench.addon), pytest.MonkeyPatch.context() as patch:
                fault(patch)
                response, pieces = ANSWERS["chunks"]
                await bench.exchange(asking(), response.copy(), *pieces)
            bench.recording.close()
            met[name] = bench.addon.failure is not None
        return met

    assert dict.fromkeys(FAULTS, True) == asyncio.run(failing())


@on_a_bench
async def test_after_a_failure_requests_are_refused_with_the_reason_and_others_pass(bench: Bench) -> None:
    bench.addon.fail(StoreError("the disk is full"))
    flow = asking()
    assert REFUSED == await bench.exchange(flow, answering())
    assert flow.response is not None
    assert "recorder: the disk is full" == json.loads(flow.response.content or b"")["error"]["message"]
    assert b"abcd" == await bench.exchange(asking(host="example.com"), answering(), b"ab", b"cd")


@on_a_bench
async def test_the_first_failure_is_the_one_that_is_told(bench: Bench) -> None:
    bench.addon.fail(StoreError("the disk is full"))
    bench.addon.fail(ValueError("a defect"))
    assert "the disk is full" == bench.addon.failure


@on_a_bench
async def test_a_defect_is_told_as_one(bench: Bench) -> None:
    bench.addon.fail(ValueError("a defect"))
    assert "internal error: ValueError('a defect')" == bench.addon.failure


@on_a_bench
async def test_streams_under_way_are_cut_by_the_failure_of_another(bench: Bench) -> None:
    slow, failing = asking("/slow"), asking("/failing")
    await bench.ask(slow)
    await bench.begin(slow, answering(*EVENT_STREAM), (b"data: 1\n\n",))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bench.recording, "commit", full)
        assert CUT == await bench.exchange(failing, answering(*EVENT_STREAM), b"data: 1\n\n")
    assert CUT == bench.client(slow, b"")
    await bench.addon.response(slow)  # the upstream does not know
    assert [] == bench.cassette


@on_a_bench
async def test_an_exchange_whose_answer_begins_after_the_failure_is_refused(bench: Bench) -> None:
    flow = asking()
    await bench.ask(flow)
    bench.addon.fail(StoreError("the disk is full"))
    assert REFUSED == await bench.answer(flow, answering(*EVENT_STREAM), (b"data: 1\n\n",))


def test_a_cut_is_a_reset(tmp_path: Path) -> None:
    """An orderly close is the end of a body that only the close ends, for who asked over HTTP/1.0."""

    async def inside() -> str:
        bench = make(tmp_path)
        serving = Proxyserver()
        with context(bench.addon, serving):
            accepted: asyncio.Future[asyncio.StreamWriter] = asyncio.get_running_loop().create_future()
            server = await asyncio.start_server(lambda _, writer: accepted.set_result(writer), "127.0.0.1", 0)
            reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
            flow = asking()
            client = flow.client_conn
            handler = SimpleNamespace(client=client, transports={client: SimpleNamespace(writer=await accepted)})
            serving.connections[client.id] = handler  # type: ignore[assignment] # the part of it that counts
            await bench.ask(flow)
            bench.addon.fail(StoreError("the disk is full"))
            try:
                await reader.read()
                ended = "an orderly close"
            except ConnectionResetError:
                ended = "a reset"
            writer.close()
            server.close()
        bench.recording.close()
        return ended

    assert "a reset" == asyncio.run(inside())


# Stopping


@on_a_bench
async def test_stopping_puts_the_cassette_in_the_order_of_the_requests_and_tells_once(bench: Bench) -> None:
    slow, fast = asking("/slow", began=BEGAN), asking("/fast", began=BEGAN + 1)
    await bench.ask(slow)
    await bench.exchange(fast, answering(*EVENT_STREAM), b"data: 1\n\n")
    await bench.answer(slow, answering(*EVENT_STREAM), (b"data: 1\n\n",))
    assert ["/fast", "/slow"] == paths(bench.cassette)
    await bench.addon.done()
    await bench.addon.done()
    assert ["/slow", "/fast"] == paths(bench.cassette)
    assert [2] == [summary.interactions for summary in bench.stopped]


@on_a_bench
async def test_a_stream_that_does_not_finish_in_time_is_incomplete(bench: Bench) -> None:
    flow = asking()
    await bench.ask(flow)
    await bench.begin(flow, answering(*EVENT_STREAM), (b"data: 1\n\n",))
    await bench.addon.done()
    assert CUT == bench.client(flow, b"")
    assert ["the recorder was stopped"] == [told.incomplete for told in bench.told]
    assert [b"data: 1\n\n"] == [one.response.body for one in bench.incomplete]
    assert [] == bench.cassette


def stopping(folder: Path, test: Callable[[Bench, http.HTTPFlow], Awaitable[None]]) -> Bench:
    """A bench that would wait for an hour, with one stream under way."""

    async def inside() -> Bench:
        bench = make(folder, grace=3600.0)
        with context(bench.addon):
            flow = asking()
            await bench.ask(flow)
            await bench.begin(flow, answering(*EVENT_STREAM), (b"data: 1\n\n",))
            await asyncio.wait_for(asyncio.gather(bench.addon.done(), test(bench, flow)), 20)
        return bench

    return asyncio.run(inside())


def test_a_stream_that_finishes_in_time_is_recorded(tmp_path: Path) -> None:
    async def finish(bench: Bench, flow: http.HTTPFlow) -> None:
        await asyncio.sleep(0.05)
        await bench.addon.response(flow)

    bench = stopping(tmp_path, finish)
    assert (1, []) == (len(bench.cassette), bench.incomplete)


def test_who_asks_again_waits_no_longer(tmp_path: Path) -> None:
    async def hurry(bench: Bench, _flow: http.HTTPFlow) -> None:
        await asyncio.sleep(0.05)
        bench.addon.force_shutdown()

    bench = stopping(tmp_path, hurry)
    assert ([], 1) == (bench.cassette, len(bench.incomplete))


def test_a_request_that_comes_while_it_stops_is_refused(tmp_path: Path) -> None:
    async def ask(bench: Bench, flow: http.HTTPFlow) -> None:
        await asyncio.sleep(0.05)
        late = asking("/late")
        assert REFUSED == await bench.exchange(late, answering())
        assert late.response is not None
        assert b"recorder: the recorder is stopping" in (late.response.content or b"")
        await bench.addon.response(flow)

    assert ["/api/v1/models"] == paths(stopping(tmp_path, ask).cassette)


@on_a_bench
async def test_a_failed_session_is_not_told_as_a_good_one(bench: Bench) -> None:
    bench.addon.fail(StoreError("the disk is full"))
    await bench.addon.done()
    assert [] == bench.stopped


@on_a_bench
async def test_what_ends_while_the_recorder_stops_is_recorded_once(bench: Bench) -> None:
    """When the grace is over, what is left is written one by one; each write is a chance for another to end."""
    flows = [asking(f"/{number}") for number in range(3)]
    for flow in flows:
        await bench.ask(flow)
        await bench.begin(flow, answering(), [b"x"])
    ending: list[asyncio.Future[None]] = []

    def told(_recorded: Recorded) -> None:
        if not ending:
            ending.append(asyncio.ensure_future(bench.addon.response(flows[2])))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bench.addon, "_on_recorded", told)
        await bench.addon.done()
        await asyncio.gather(*ending)
    assert ["/0", "/1", "/2"] == sorted(path for kept in (bench.cassette, bench.incomplete) for path in paths(kept))


@on_a_bench
async def test_what_fails_after_the_grace_fails_the_session(bench: Bench) -> None:
    """The disk is slow, no longer waited for, and fails."""

    def late(_finished: Sequence[Prepared]) -> list[Recorded]:
        time.sleep(0.2)
        raise StoreError("the disk is full")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bench.recording, "commit", late)
        ending = asyncio.create_task(bench.exchange(asking(), answering(), b"x"))
        await asyncio.sleep(0.05)
        await bench.addon.done()
        assert "the disk is full" == bench.addon.failure
        assert [] == bench.stopped
        assert CUT == await ending


@on_a_bench
async def test_a_cassette_that_cannot_be_put_in_order_fails_the_session(bench: Bench) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bench.recording, "stop", full)
        await bench.addon.done()
    assert "the disk is full" == bench.addon.failure
    assert [] == bench.stopped


# Connections that are sent elsewhere


def connecting(address: tuple[str, int] | None, *rules: str) -> tuple[tuple[str, int] | None, list[str | int]]:
    """The address afterwards; and as it is unpacked, which is how mitmproxy connects."""
    settings = Settings(session="chat", connect_to=tuple(map(parse_connect_to, rules)))
    addon = RecordAddon(settings)
    server = tserver_conn()
    server.address = address
    addon.server_connect(ServerConnectionHookData(server, tclient_conn()))
    return server.address, list(server.address or ())


def test_the_first_rule_that_matches_says_where_a_connection_goes() -> None:
    rules = ("other.test:443:127.0.0.1:1", "openrouter.ai:443:127.0.0.1:2", "openrouter.ai::127.0.0.1:3", "::[::1]:4")
    assert ["127.0.0.1", 2] == connecting(("openrouter.ai", 443), *rules)[1]
    assert ["127.0.0.1", 2] == connecting(("OpenRouter.AI", 443), *rules)[1]
    assert ["127.0.0.1", 3] == connecting(("openrouter.ai", 80), *rules)[1]
    assert ["::1", 4] == connecting(("example.com", 443), *rules)[1]
    assert ["openrouter.ai", 444] == connecting(("openrouter.ai", 444), *rules[:2])[1]
    assert (None, []) == connecting(None, *rules)


def test_an_address_that_leads_elsewhere_is_found_as_the_one_that_was_meant() -> None:
    """mitmproxy looks for a connection to use again by its address, and counts connections by it."""
    meant = ("openrouter.ai", 443)
    there, unpacked = connecting(meant, "::127.0.0.1:2")
    assert ["127.0.0.1", 2] == unpacked
    assert meant == there
    assert not meant != there  # noqa: SIM202 - a tuple answers this one by itself
    assert there == connecting(meant, "::127.0.0.1:2")[0]
    assert ("127.0.0.1", 2) != there
    assert 1 == len({meant, there})


@on_a_bench
async def test_a_connection_that_cannot_be_directed_is_not_made(bench: Bench) -> None:
    """It would go to the address that it was to be kept from."""
    server = tserver_conn()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bench.addon, "_settings", None)
        bench.addon.server_connect(ServerConnectionHookData(server, tclient_conn()))
    assert bench.addon.failure is not None
    assert bench.addon.failure == server.error


# In mitmdump


def in_mitmdump(folder: Path, given: Mapping[str, Any], **options: Any) -> Options:
    """mitmproxy's options after a start with these; `given` are mitmproxy's own, set before."""

    async def inside() -> Options:
        addon = RecordAddon()
        with context(Proxyserver(), addon) as mitmproxy:
            mitmproxy.options.update(**given)
            mitmproxy.configure(addon, cassette_dir=str(folder), **options)
            await addon.done()
            told: Options = mitmproxy.options
            return told

    return asyncio.run(inside())


@pytest.mark.parametrize(
    ("option", "value"),
    [("session", "../x"), ("record_hosts", " "), ("layout", "tall"), ("keep_headers", "a:b")],
)
def test_a_wrong_value_ends_mitmdump_with_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], option: str, value: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        in_mitmdump(tmp_path, {}, **{option: value})
    assert 2 == ended.value.code
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith("record: expected ")
    assert [] == list(tmp_path.iterdir())


def test_only_the_recorded_hosts_are_opened_unless_the_user_says_otherwise(tmp_path: Path) -> None:
    opened = in_mitmdump(tmp_path, {}, record_hosts="openrouter.ai, *.example.com:8443")
    assert ["^\\[?openrouter\\.ai\\.?\\]?:[0-9]+$", "^\\[?[^:]+\\.example\\.com\\.?\\]?:8443$"] == list(
        opened.allow_hosts
    )
    assert "lazy" == opened.connection_strategy
    assert [] == list(in_mitmdump(tmp_path, {"ignore_hosts": ["a"]}).allow_hosts)
    assert ["b"] == list(in_mitmdump(tmp_path, {"allow_hosts": ["b"]}).allow_hosts)


def test_a_failed_session_ends_mitmdump_with_status_1(tmp_path: Path) -> None:
    async def inside() -> None:
        addon = RecordAddon()
        with context(Proxyserver(), addon) as mitmproxy:
            mitmproxy.configure(addon, cassette_dir=str(tmp_path), session="chat")
            addon.fail(StoreError("the disk is full"))
            await addon.done()

    with pytest.raises(SystemExit) as ended:
        asyncio.run(inside())
    assert 1 == ended.value.code


@pytest.mark.parametrize(
    ("owner", "name"), [(Recording, "stop"), (LiveSessions, "_drain"), (logging.Logger, "removeHandler")]
)
def test_whatever_fails_while_it_stops_ends_mitmdump_with_status_1(tmp_path: Path, owner: type, name: str) -> None:
    async def inside() -> None:
        addon = RecordAddon()
        with context(Proxyserver(), addon) as mitmproxy, pytest.MonkeyPatch.context() as patch:
            mitmproxy.configure(addon, cassette_dir=str(tmp_path), session="chat")
            patch.setattr(owner, name, full)
            await addon.done()

    with pytest.raises(SystemExit) as ended:
        asyncio.run(inside())
    assert 1 == ended.value.code
