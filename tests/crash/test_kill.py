"""kill -9 of a process that records: what it had acknowledged is there, whole, and the next one just goes on."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from recorder import cassette
from recorder.errors import LockedError
from recorder.storage.store import Store

NOW = 1_700_000_000_000_000_000
ROOT = Path(__file__).parents[2]
ROUNDS = 25

# Appends without end, from a number on; says each number when `append` has returned. Requests begin in the opposite
# order of their ends, so that sealing every now and then has work to do.
PROGRAM = """
import os, sys
from pathlib import Path
from recorder.model import Interaction, Request, Response
from recorder.scrub import Scrubber
from recorder.storage.store import Store

path, number = Path(sys.argv[1]), int(sys.argv[2])
sizes = [int(size) for size in sys.argv[3].split(",") if size]
scrubber = Scrubber(salt=bytes(16))
store = Store.open(path, now=1_700_000_000_000_000_000)
os.write(1, b"open\\n")
while sizes:
    group = []
    for _ in range(1 + number % 3):
        body = b"<%d>" % number * sizes[number % len(sizes)]
        response = Response(status="200 OK", code=200, duration=1, body=body)
        interaction = Interaction(request=Request(method="POST", url=f"http://x/{number}"), response=response)
        group.append((store.render(scrubber.scrub(interaction)), -number))
        number += 1
    store.append_many(group)
    os.write(1, b"".join(b"%d\\n" % -began for _, began in group))
    if number % 7 == 0:
        store.seal()
sys.stdin.read()
"""


@contextmanager
def recording(path: Path, first: int, sizes: list[int]) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", PROGRAM, str(path), str(first), ",".join(map(str, sizes))]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        try:
            assert process.stdout
            assert process.stdout.readline() == "open\n"
            yield process
        finally:
            process.kill()


def test_nothing_acknowledged_is_lost_and_nothing_is_half_there(tmp_path: Path) -> None:
    dice = random.Random(4)
    first = 0
    acknowledged: set[int] = set()
    path = tmp_path / "chat.yaml"
    for round_ in range(ROUNDS):
        if round_ % 5 == 0:
            path = tmp_path / str(round_) / "chat.yaml"
            acknowledged.clear()
        sizes = dice.choices([0, 1, 1000, 50_000, 300_000], weights=[2, 5, 10, 5, 1], k=10)
        with recording(path, first, sizes) as process:
            assert process.stdout
            for _ in range(dice.randrange(12)):
                acknowledged.add(int(process.stdout.readline()))
            time.sleep(dice.random() / 50)
            process.send_signal(signal.SIGKILL)
            process.wait()
            acknowledged |= {int(line) for line in process.stdout.read().splitlines(keepends=True) if line[-1] == "\n"}
        with Store.open(path, now=NOW) as store:
            assert all(repair.size for repair in store.repaired)
        found = bodies(path)
        assert set(found) >= acknowledged, f"round {round_}: lost {acknowledged - set(found)}"
        assert len(found) <= len(acknowledged) + 3 * (round_ % 5 + 1)  # of each kill, the group that was under way
        for number, body in found.items():
            assert body == b"<%d>" % number * body.count(b"<")
        first = max(found, default=first) + 1


def bodies(path: Path) -> dict[int, bytes]:
    if not path.exists():
        return {}
    read = cassette.loads(path.read_bytes(), str(path))
    found = {int(each.request.url.rsplit("/", 1)[1]): each.response.body for each in read.interactions}
    assert len(found) == len(read.interactions)
    return found


def test_a_second_recorder_is_refused_at_once_and_let_in_after_a_kill(tmp_path: Path) -> None:
    path = tmp_path / "chat.yaml"
    with recording(path, 0, []) as process:
        for _ in range(10):
            began = time.monotonic()
            with pytest.raises(LockedError, match=f"is being recorded by pid {process.pid} since 2023-11-14T22:13:20Z"):
                Store.open(path, now=NOW)
            assert time.monotonic() - began < 1
        process.send_signal(signal.SIGKILL)
        process.wait()
        with Store.open(path, now=NOW):
            assert f"pid {os.getpid()} " in path.with_name("chat.yaml.lock").read_text()
    assert list(tmp_path.iterdir()) == []


def test_a_child_of_the_recorder_does_not_inherit_the_lock(tmp_path: Path) -> None:
    """`recorder run -- command`: the command may outlive a recorder that was killed."""
    path = tmp_path / "chat.yaml"
    store = Store.open(path, now=NOW)
    command = [sys.executable, "-c", "print(flush=True); input()"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, close_fds=False) as child:
        assert child.stdout
        assert child.stdout.readline() == b"\n"  # it runs: what exec closes is closed
        assert store._lock
        os.close(store._lock._fd)  # what the kernel does to a process that dies
        Store.open(path, now=NOW).close()
        child.kill()
