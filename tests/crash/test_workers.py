"""Several workers promise what one process does: the same tests of what is hard for them, over more than one."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import ssl
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from recorder import cassette
from tests.crash.kills import Killing, children
from tests.crash.load import (
    KEY,
    MODEL,
    Noted,
    ask_all,
    load,
    missing_or_different,
    number_of,
    read_on,
    session_of,
    stream_request,
)
from tests.crash.nursery import ForkingLauncher
from tests.crash.two import second_recorder
from tests.e2e.processes import RecorderProcess, is_alive, wait_for

TWO = ("--workers", "2")
SESSIONS = 50
NO_MORE: Mapping[str, str] = {}


def ask(recorder: RecorderProcess, name: str, number: int, way: int = 0, headers: Mapping[str, str] = NO_MORE) -> int:
    """One request on a connection of its own, so that two in a row go to two workers."""
    named = name.replace("/", "%2F")
    body = {"model": MODEL, "stream": True, "messages": [{"role": "user", "content": f"{name} {number}"}]}
    sent = {"Authorization": f"Bearer {KEY}", "X-Sim": "chunks=5", **headers}
    if way % 2:
        trust = ssl.create_default_context(cafile=recorder.bundle.parent / "mitmproxy-ca-cert.pem")
        made = httpx.Client(proxy=f"http://{named}@127.0.0.1:{recorder.port}", verify=trust, timeout=60)
        origin = "https://openrouter.ai"
    else:
        made = httpx.Client(trust_env=False, timeout=60)
        origin = f"http://127.0.0.1:{recorder.base_url_port}/~{named}"
    with made:
        return made.post(f"{origin}/api/v1/chat/completions?id={number}", json=body, headers=sent).status_code


@contextmanager
def streams(recorder: RecorderProcess, count: int, sim: str) -> Iterator[list[socket.socket]]:
    """So many streams under way, in turn at each worker."""
    opened = []
    try:
        for _ in range(count):
            opened.append(socket.create_connection(("127.0.0.1", recorder.base_url_port), timeout=30))
            opened[-1].sendall(stream_request(recorder, sim))
            assert b" 200 " in opened[-1].recv(65536)
        yield opened
    finally:
        for each in opened:
            each.close()


def ends_well(stream: socket.socket) -> bool:
    """Whether the last chunk comes."""
    read = b""
    while piece := stream.recv(65536):
        read = read[-16:] + piece
        if read.endswith(b"\r\n0\r\n\r\n"):
            return True
    return False


def ids(path: Path) -> list[int]:
    return [int(found) for found in re.findall(rb"(?m)^ *- id: (\d+)$", path.read_bytes())]


def asked(path: Path) -> list[str]:
    return [json.loads(each.request.body)["messages"][0]["content"] for each in load(path)]


def test_200_at_once_in_50_sessions_are_where_they_belong(fork_recorder: ForkingLauncher) -> None:
    recorder = fork_recorder(*TWO, session=None)
    names = [f"Test{number}/weather" for number in range(SESSIONS)]

    def four(number: int) -> list[int]:
        with ThreadPoolExecutor(4) as threads:
            return list(threads.map(lambda turn: ask(recorder, names[number], turn, number), range(4)))

    with ThreadPoolExecutor(SESSIONS) as threads:
        assert [[200] * 4] * SESSIONS == list(threads.map(four, range(SESSIONS)))
    assert 0 == recorder.stop()
    for name in names:
        path = recorder.cassette / f"{name}.yaml"
        assert [f"{name} {turn}" for turn in range(4)] == sorted(asked(path))
        assert [0, 1, 2, 3] == ids(path)
    assert "" == recorder.stderr


def test_connections_go_to_each_worker_in_turn(fork_recorder: ForkingLauncher) -> None:
    recorder = fork_recorder(*TWO)
    first, second = children(recorder.pid)
    with streams(recorder, 6, "chunks=200, pace-ms=20"):
        assert 3 == connections(first) == connections(second)
    recorder.kill()


def connections(pid: int) -> int:
    """How many of a worker's connections are to clients: half of its TCP sockets, one of each stream is upstream."""
    links = (str(each.readlink()) for each in Path(f"/proc/{pid}/fd").iterdir())
    mine = {link[8:-1] for link in links if link.startswith("socket:[")}
    lines = Path("/proc/net/tcp").read_text().splitlines()[1:]
    return sum(line.split()[9] in mine for line in lines) // 2


def test_a_secret_that_one_worker_saw_is_scrubbed_from_what_another_passes(fork_recorder: ForkingLauncher) -> None:
    recorder = fork_recorder(*TWO)
    secret = "a key of no known shape 8t3Kq"
    for number in range(2):
        assert 200 == ask(
            recorder, "session", number, headers={"Cookie": f"login={secret}"} if number == 0 else NO_MORE
        )
    for number in (3, 4):
        body = {"model": MODEL, "messages": [{"role": "user", "content": f"it is {secret}!"}]}
        url = f"http://127.0.0.1:{recorder.base_url_port}/api/v1/chat/completions?id={number}"
        headers = {"Authorization": f"Bearer {KEY}"}
        assert 200 == httpx.post(url, json=body, headers=headers, trust_env=False).status_code
    assert 0 == recorder.stop()
    assert secret not in recorder.cassette.read_text()
    assert 2 == sum("REDACTED" in text for text in asked(recorder.cassette))


def test_ids_follow_the_order_in_which_the_requests_began_at_whatever_worker(fork_recorder: ForkingLauncher) -> None:
    recorder = fork_recorder(*TWO)
    opened = [socket.create_connection(("127.0.0.1", recorder.base_url_port), timeout=30) for _ in range(6)]
    for number, each in enumerate(opened):
        request = stream_request(recorder, f"chunks=3, delay-ms={2500 - 400 * number}")
        each.sendall(request.replace(b"completions HTTP", b"completions?id=%d HTTP" % number))
        time.sleep(0.2)
    assert [True] * 6 == [ends_well(each) for each in opened]
    for each in opened:
        each.close()
    assert 0 == recorder.stop()
    assert list(range(6)) == [number_of(each) for each in load(recorder.cassette)]
    assert list(range(6)) == ids(recorder.cassette)


# Failing


@pytest.mark.parametrize("kill_worker", [False, True], ids=["recorder", "worker"])
def test_after_kill_9_nothing_that_a_client_saw_the_end_of_is_missing(
    fork_recorder: ForkingLauncher, *, kill_worker: bool
) -> None:
    killing = Killing(fork_recorder, seed=7, workers=2, kill_worker=kill_worker)
    for _ in range(6):
        killing.round()
    killing.finish()
    assert [] == killing.wrong
    assert killing.seen > 6


def test_workers_end_with_the_recorder_and_reset_their_clients(fork_recorder: ForkingLauncher) -> None:
    recorder = fork_recorder(*TWO)
    workers = children(recorder.pid)
    with streams(recorder, 4, "chunks=1000, pace-ms=20") as opened:
        recorder.kill()
        for each in opened:
            with pytest.raises(ConnectionResetError):
                read_on(each)
    wait_for("the workers to end", lambda: not any(map(is_running, workers)))
    assert "" == recorder.stderr


def is_running(pid: int) -> bool:
    """Not one that has ended and waits to be waited for by whoever has taken it over."""
    return is_alive(pid) and "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()


def test_a_worker_that_dies_stops_the_recorder_in_order(fork_recorder: ForkingLauncher) -> None:
    recorder = fork_recorder(*TWO, "--grace", "20")
    noted = Noted()
    ask_all(recorder, session_of(6), noted, at_once=3)
    first, second = children(recorder.pid)
    with streams(recorder, 2, "chunks=60, pace-ms=20") as opened:
        os.kill(first, signal.SIGKILL)
        # One is cut off by the kernel, the other worker's comes to its end.
        assert [False, True] == sorted(ends_well(each) for each in opened)
        assert 1 == recorder.wait()
    assert not is_alive(second)
    assert [f"recorder: worker {first} died; the recorder stops"] == recorder.stderr.splitlines()
    assert 7 == len(load(recorder.cassette))
    assert [] == missing_or_different(noted.ends.values(), load(recorder.cassette))
    assert f"worker {first} died: what it had under way is lost" in recorder.stdout.splitlines()[-1]


def test_a_session_that_lost_its_only_worker_is_put_in_order_all_the_same(fork_recorder: ForkingLauncher) -> None:
    recorder = fork_recorder(*TWO, session=None)
    url = f"http://127.0.0.1:{recorder.base_url_port}/~chat/sim/bytes"
    with httpx.Client(trust_env=False, timeout=30) as one:  # one connection: one worker
        assert [200] * 3 == [one.get(f"{url}?id={number}").status_code for number in range(3)]
        for pid in children(recorder.pid):
            os.kill(pid, signal.SIGKILL)
        assert 1 == recorder.wait()
    assert [0, 1, 2] == [number_of(each) for each in load(recorder.cassette / "chat.yaml")]
    assert "chat.yaml: 3 interactions" in recorder.stdout


def test_a_disk_that_is_full_fails_the_session_at_every_worker(fork_recorder: ForkingLauncher) -> None:
    fault = {"kind": "call", "name": "write", "nth": 1, "error": "ENOSPC", "fired": str(fork_recorder.folder / "fired")}
    fork_recorder.faults = [fault]
    recorder = fork_recorder(*TWO)
    with streams(recorder, 2, "chunks=1000, pace-ms=20") as opened:
        with pytest.raises((httpx.TransportError, ssl.SSLError)):
            ask(recorder, "session", 1)
        for each in opened:
            with pytest.raises(ConnectionResetError):
                read_on(each)
    assert [502] * 4 == [ask(recorder, "session", number, number // 2) for number in range(4)]
    assert [200] * 2 == [ask(recorder, "other", number) for number in range(2)]
    assert 1 == recorder.stop()
    (said,) = recorder.stderr.splitlines()
    assert said.startswith("recorder: session session failed: ")
    assert "the disk is full" in said
    assert not recorder.cassette.exists()
    assert 2 == len(load(recorder.cassette.with_name("other.yaml")))


def test_a_session_that_cannot_start_is_refused_by_every_worker_and_told_of_once(
    fork_recorder: ForkingLauncher,
) -> None:
    fork_recorder.cassettes.mkdir()
    (fork_recorder.cassettes / "damaged.yaml").write_text("no cassette\n")
    recorder = fork_recorder(*TWO, session=None)
    assert [502] * 4 == [ask(recorder, "damaged", number) for number in range(4)]
    (fork_recorder.cassettes / "damaged.yaml").unlink()
    control = f"http://127.0.0.1:{recorder.base_url_port}/~damaged"
    assert [502] * 2 == [httpx.get(control).status_code for _ in range(2)]  # until it is ended
    assert 502 == httpx.delete(control).status_code
    assert [404] * 2 == [httpx.get(control).status_code for _ in range(2)]
    assert [200] * 2 == [ask(recorder, "damaged", number) for number in range(2)]
    assert 1 == recorder.stop()
    assert 1 == recorder.stderr.count("session damaged failed")
    assert 2 == len(load(fork_recorder.cassettes / "damaged.yaml"))


# Ending


def test_a_session_is_started_asked_and_stopped_at_any_worker(fork_recorder: ForkingLauncher) -> None:
    recorder = fork_recorder(*TWO, session=None)
    control = f"http://127.0.0.1:{recorder.base_url_port}/~chat"
    for offset in range(6):  # at another worker each time: an odd number of connections
        assert 404 == httpx.get(control).status_code
        assert 0 == httpx.put(control).json()["interactions"]
        assert [200] * 3 == [ask(recorder, "chat", 3 * offset + number) for number in range(3)]
        assert 3 == httpx.get(control).json()["interactions"] == httpx.put(control).json()["interactions"]
        assert 3 == httpx.delete(control).json()["interactions"]
        assert 404 == httpx.get(control).status_code
        assert 3 * (offset + 1) == len(load(recorder.cassette / "chat.yaml"))
        if offset % 2:
            assert 404 == httpx.delete(control).status_code
    assert 0 == recorder.stop()
    assert "" == recorder.stderr


def test_ending_a_session_waits_for_its_streams_at_the_other_worker(fork_recorder: ForkingLauncher) -> None:
    recorder = fork_recorder(*TWO, "--grace", "20")
    control = f"http://127.0.0.1:{recorder.base_url_port}/~session"
    with streams(recorder, 3, "chunks=40, pace-ms=20") as opened:
        assert 3 == httpx.delete(control, timeout=30).json()["interactions"]
        assert [True] * 3 == [ends_well(each) for each in opened]
    assert 3 == len(load(recorder.cassette))
    assert [200] * 2 == [ask(recorder, "session", number) for number in range(2)]  # it may go on
    assert 0 == recorder.stop()
    assert 5 == len(load(recorder.cassette))


def test_the_grace_is_over_for_all_at_once(fork_recorder: ForkingLauncher) -> None:
    recorder = fork_recorder(*TWO, "--grace", "0.5")
    with streams(recorder, 4, "chunks=1000, pace-ms=20") as opened:
        began = time.monotonic()
        assert 0 == recorder.stop()
        assert 0.5 <= time.monotonic() - began < 4
        for each in opened:
            with pytest.raises(ConnectionResetError):
                read_on(each)
    assert 4 == len(load(recorder.incomplete))
    assert "4 incomplete" in recorder.stdout.splitlines()[-1]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
def test_a_second_signal_ends_the_wait_of_all_workers(fork_recorder: ForkingLauncher, number: signal.Signals) -> None:
    recorder = fork_recorder(*TWO, "--grace", "60")
    with streams(recorder, 2, "chunks=2000, pace-ms=20"):
        for pid in (recorder.pid, *children(recorder.pid)):  # as a terminal does, and systemd
            os.kill(pid, number)
        time.sleep(0.3)
        assert recorder.process.poll() is None
        assert 0 == recorder.stop(number)
    assert 2 == len(load(recorder.incomplete))


def test_a_second_recorder_is_refused_at_once_and_let_in_after_a_kill(fork_recorder: ForkingLauncher) -> None:
    for _ in range(2):
        first = fork_recorder(*TWO)
        assert 200 == ask(first, "session", 0)
        _, said = second_recorder(fork_recorder)
        assert said.startswith(f"recorder: {first.cassette}: is being recorded by pid {first.pid} since ")
        first.kill()
    assert 0 == fork_recorder(*TWO).stop()
    assert 2 == len(cassette.loads(first.cassette.read_bytes(), str(first.cassette)).interactions)


def test_a_port_that_is_taken_is_said_in_one_line(fork_recorder: ForkingLauncher) -> None:
    first = fork_recorder(*TWO)
    options = [*fork_recorder.options, "--port", str(first.port)]
    ended = fork_recorder.command("start", "--session", "second", *TWO, *options)
    assert 1 == ended.returncode
    assert f"recorder: expected port {first.port} to be free, found it taken" in ended.stderr
    assert 1 == len(ended.stderr.splitlines())


def test_a_failure_while_the_cassette_is_put_in_order_is_told_by_whoever_asked(fork_recorder: ForkingLauncher) -> None:
    fired = str(fork_recorder.folder / "fired")
    # The first replace makes the cassette, the second would put it in order.
    fork_recorder.faults = [{"kind": "call", "name": "replace", "nth": 2, "error": "EIO", "fired": fired}]
    recorder = fork_recorder(*TWO)
    with ThreadPoolExecutor(2) as threads:
        slow = threads.submit(lambda: ask(recorder, "session", 0, headers={"X-Sim": "delay-ms=1500"}))
        time.sleep(0.5)
        assert 200 == ask(recorder, "session", 1)
        assert 200 == slow.result()
    ended = httpx.delete(f"http://127.0.0.1:{recorder.base_url_port}/~session", timeout=30)
    assert 502 == ended.status_code
    assert "cannot put it in order" in ended.json()["error"]["message"]
    assert 1 == recorder.stop()
    assert 1 == recorder.stderr.count("session session failed")
    assert {0, 1} == {number_of(each) for each in load(recorder.cassette)}
