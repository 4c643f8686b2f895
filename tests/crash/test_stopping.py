"""Stopping by every way there is: streams under way may finish, what is finished is in the cassette, in order."""

from __future__ import annotations

import signal
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread

import pytest

from tests.crash.load import DOORS, Ask, Noted, ask_all, load, missing_or_different, number_of, read_on, stream_request
from tests.crash.nursery import ForkingLauncher
from tests.e2e.processes import RecorderProcess, wait_for

SIGNALS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]


@contextmanager
def asking(recorder: RecorderProcess, asks: list[Ask]) -> Iterator[Noted]:
    """Ask all of it at once in a thread, from when the first of it is answered to the end of it all."""
    noted = Noted()
    thread = Thread(target=ask_all, args=(recorder, asks, noted), kwargs={"at_once": len(asks)})
    thread.start()
    try:
        wait_for("the streams to be under way", lambda: noted.begun >= len(asks))
        yield noted
    finally:
        thread.join(30)
    assert not thread.is_alive()


def streams(count: int, sim: str) -> list[Ask]:
    return [Ask(number=number, door=DOORS[number % 3], kind="stream", sim=sim) for number in range(count)]


@pytest.mark.parametrize("number", SIGNALS, ids=lambda number: number.name)
def test_a_signal_lets_streams_under_way_finish(fork_recorder: ForkingLauncher, number: signal.Signals) -> None:
    recorder = fork_recorder("--grace", "20")
    with asking(recorder, streams(6, "chunks=30, pace-ms=20")) as noted:
        assert 0 == recorder.stop(number)
    assert 6 == len(noted.ends)
    assert [] == missing_or_different(noted.ends.values(), load(recorder.cassette))
    assert not recorder.incomplete.exists()
    assert recorder.stdout.splitlines()[-1].startswith("cassettes/session.yaml: 6 interactions")


def test_the_stop_command_lets_streams_under_way_finish(fork_recorder: ForkingLauncher) -> None:
    recorder = fork_recorder("--grace", "20", session="weather")
    with asking(recorder, streams(3, "chunks=30, pace-ms=60")) as noted:
        assert 0 == fork_recorder.command("stop", "weather").returncode
        assert 0 == recorder.wait()
    assert 3 == len(noted.ends)
    assert 3 == len(load(recorder.cassette))


def test_the_grace_is_over_after_its_time(fork_recorder: ForkingLauncher) -> None:
    recorder = fork_recorder("--grace", "0.5")
    ask_all(recorder, [Ask(number=9, door="proxy", kind="chat")], Noted())
    with asking(recorder, streams(3, "chunks=500, pace-ms=20")) as noted:
        began = time.monotonic()
        assert 0 == recorder.stop()
        assert 0.5 <= time.monotonic() - began < 3
    assert {} == noted.ends
    assert [0, 1, 2] == sorted(noted.broken)
    assert [9] == [number_of(each) for each in load(recorder.cassette)]
    assert 3 == len(load(recorder.incomplete))
    assert 3 == recorder.incomplete.read_text().count("# incomplete: the recorder was stopped, ")
    assert "1 interaction, 3 incomplete" in recorder.stdout.splitlines()[-1]


@pytest.mark.parametrize("number", SIGNALS, ids=lambda number: number.name)
def test_a_second_signal_ends_the_wait(fork_recorder: ForkingLauncher, number: signal.Signals) -> None:
    recorder = fork_recorder("--grace", "60")
    with asking(recorder, streams(2, "chunks=2000, pace-ms=20")):
        recorder.process.send_signal(number)
        time.sleep(0.3)
        assert recorder.process.poll() is None
        began = time.monotonic()
        assert 0 == recorder.stop(number)
        assert time.monotonic() - began < 3
    assert 2 == len(load(recorder.incomplete))
    assert not recorder.cassette.exists()


def test_a_client_is_cut_and_not_told_an_end_when_the_grace_is_over(fork_recorder: ForkingLauncher) -> None:
    recorder = fork_recorder("--grace", "0")
    with socket.create_connection(("127.0.0.1", recorder.base_url_port), timeout=20) as stream:
        stream.sendall(stream_request(recorder, "chunks=1000, pace-ms=20"))
        assert b" 200 " in stream.recv(65536)
        assert 0 == recorder.stop()
        with pytest.raises(ConnectionResetError):
            read_on(stream)


def test_requests_that_come_while_it_stops_are_refused(fork_recorder: ForkingLauncher) -> None:
    recorder = fork_recorder("--grace", "20")
    with asking(recorder, streams(1, "chunks=40, pace-ms=40")) as noted:
        recorder.process.send_signal(signal.SIGTERM)
        time.sleep(0.2)
        late = Noted()
        ask_all(recorder, [Ask(number=7, door=door, kind="chat") for door in DOORS], late)
        assert 0 == recorder.wait()
    assert {} == late.ends
    assert all(status == 502 and b"is stopping" in body for status, body in late.refused)
    assert [0] == list(noted.ends)
    assert [0] == [number_of(each) for each in load(recorder.cassette)]
