"""A recorder that cannot record says why, refuses what comes, cuts what is under way, and exits with status 1."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Sequence
from itertools import count
from pathlib import Path

import pytest

from tests.crash.lines import fail_at, lines_that_run
from tests.crash.load import (
    DOORS,
    Ask,
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
from tests.e2e.processes import RecorderProcess

SESSION = 60  # exchanges; four at once may share each sync, so these are 15 of them at least


def ask(recorder: RecorderProcess, asks: Sequence[Ask], *, at_once: int = 1) -> Noted:
    noted = Noted()
    ask_all(recorder, asks, noted, at_once=at_once)
    return noted


def reasons(noted: Noted) -> set[str]:
    """Of the refusals, all of which must look like OpenAI's errors."""
    found = set()
    for status, body in noted.refused:
        error = json.loads(body)["error"]
        assert 502 == status == error["code"]
        assert {"message", "type", "param", "code"} == error.keys()
        found.add(error["message"])
    return found


def assert_refuses(recorder: RecorderProcess, reason: str) -> None:
    """New requests, through each door, are told why nothing is recorded."""
    numbers = count(900)
    for door in DOORS:
        noted = ask(recorder, [Ask(number=next(numbers), door=door, kind="chat")])
        assert {} == noted.ends
        (said,) = reasons(noted)
        assert reason in said


def assert_whole(recorder: RecorderProcess, noted: Noted) -> list[int]:
    """Everything that a client saw the end of is there; the numbers of what is there."""
    interactions = load(recorder.cassette)
    assert [] == missing_or_different(noted.ends.values(), interactions)
    return [number_of(interaction) for interaction in interactions]


CALLS = [
    ("write", 1, "ENOSPC", "the disk is full"),
    ("write", 2, "ENOSPC", "the disk is full"),
    ("write", 9, "short", "bytes could be written"),
    ("write", 14, "EFBIG", "size limit"),
    ("write", 3, "EINTR", "interrupted"),
    ("fsync", 2, "EIO", "input/output error"),
    ("fsync", 7, "EIO", "input/output error"),
    ("fsync", 12, "ENOSPC", "the disk is full"),
    ("replace", 1, "EROFS", "read-only"),
]


@pytest.mark.parametrize(("name", "nth", "error", "reason"), CALLS)
def test_the_first_failed_disk_call_ends_the_session(
    fork_recorder: ForkingLauncher, *, name: str, nth: int, error: str, reason: str
) -> None:
    fired = fork_recorder.folder / "fired"
    fork_recorder.faults = [{"kind": "call", "name": name, "nth": nth, "error": error, "fired": str(fired)}]
    recorder = fork_recorder()
    # What ends together is written together: only one after the other there are so many calls for certain.
    noted = ask(recorder, session_of(SESSION), at_once=4 if nth <= SESSION // 4 else 1)
    assert f"{name} {error}\n" == fired.read_text()
    assert all(reason in said for said in reasons(noted))
    there = assert_whole(recorder, noted)
    assert_refuses(recorder, reason)
    size = recorder.cassette.stat().st_size if recorder.cassette.exists() else 0
    assert 1 == recorder.stop()
    assert there == [number_of(interaction) for interaction in load(recorder.cassette)]
    assert size == (recorder.cassette.stat().st_size if recorder.cassette.exists() else 0)
    assert len(there) < SESSION
    (said,) = [line for line in recorder.stderr.splitlines() if line.startswith("recorder:")]
    assert reason in said
    assert "Traceback" not in recorder.stderr


@pytest.mark.parametrize("door", DOORS)
def test_no_client_sees_the_end_of_a_response_that_the_disk_had_no_room_for(
    fork_recorder: ForkingLauncher, door: str
) -> None:
    fork_recorder.faults = [{"kind": "limit", "size": 1_000_000}]
    recorder = fork_recorder()
    kinds = ("bytes", "stream", "sdk")
    asks = [
        Ask(number=number, door=door, kind=kinds[number % 3], sim="body-bytes=40000, chunks=150", size=40_000)
        for number in range(100)
    ]
    noted = ask(recorder, asks, at_once=5)
    there = assert_whole(recorder, noted)
    assert 10 < len(there) < 100
    assert_refuses(recorder, "could be written, the disk is full or a limit is reached")
    assert 1 == recorder.stop()
    assert there == [number_of(interaction) for interaction in load(recorder.cassette)]


def test_a_failure_while_the_cassette_is_put_in_order_leaves_it_whole(
    fork_recorder: ForkingLauncher, tmp_path: Path
) -> None:
    fired = tmp_path / "fired"
    # The first replace makes the cassette, the second would put it in order.
    fork_recorder.faults = [{"kind": "call", "name": "replace", "nth": 2, "error": "EIO", "fired": str(fired)}]
    recorder = fork_recorder()
    noted = ask(recorder, session_of(SESSION), at_once=4)
    assert SESSION == len(noted.ends)
    assert 1 == recorder.stop()
    assert fired.exists()
    assert set(range(SESSION)) == set(assert_whole(recorder, noted))
    assert "cannot put it in order: the disk reports an input/output error" in recorder.stderr


def test_a_stream_under_way_is_cut_by_a_reset_when_another_exchange_fails(
    fork_recorder: ForkingLauncher, tmp_path: Path
) -> None:
    fault = {"kind": "call", "name": "write", "nth": 1, "error": "EIO", "fired": str(tmp_path / "fired")}
    fork_recorder.faults = [fault]
    recorder = fork_recorder()
    with socket.create_connection(("127.0.0.1", recorder.base_url_port), timeout=20) as stream:
        stream.sendall(stream_request(recorder, "chunks=1000, pace-ms=20"))
        assert b" 200 " in stream.recv(65536)
        assert [] == list(ask(recorder, [Ask(number=1, door="proxy", kind="chat")]).ends)
        began = time.monotonic()
        with pytest.raises(ConnectionResetError):
            read_on(stream)
        assert time.monotonic() - began < 2
    assert 1 == recorder.stop()
    assert not recorder.cassette.exists()
    assert not recorder.incomplete.exists()


SHARDS = 2
EVERY = 12  # of the lines that run, one in so many is made to fail here, and each of them in the soak


@pytest.mark.parametrize("shard", range(SHARDS))
def test_an_exception_at_a_line_of_a_hook_lets_nothing_pass_unrecorded(
    fork_recorder: ForkingLauncher, shard: int
) -> None:
    lines = lines_that_run(fork_recorder)
    assert len(lines) > 100
    assert [] == [wrong for line in lines[shard :: SHARDS * EVERY] if (wrong := fail_at(fork_recorder, line))]
