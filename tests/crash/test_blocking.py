"""Nothing blocks the event loop for long: a paced stream keeps its pace while large bodies are recorded beside it."""

from __future__ import annotations

import asyncio
import json
import shutil
import statistics
import time
from asyncio.subprocess import DEVNULL
from itertools import count

import pytest

from tests.conftest import missing
from tests.crash.load import KEY, MODEL, stream_request
from tests.crash.nursery import ForkingLauncher
from tests.e2e.processes import RecorderProcess

PACE = 20  # milliseconds
CHUNKS = 150
PACED = f"chunks={CHUNKS}, pace-ms={PACE}, comments=0"
LARGE = 8 * 2**20
CHAT = {"model": MODEL, "messages": [{"role": "user", "content": "Hi"}]}


@pytest.mark.parametrize(
    ("path", "body", "sim"),
    [
        ("/sim/bytes", None, f"body-bytes={LARGE}"),
        ("/sim/bytes", None, f"body-bytes={LARGE}, encoding=gzip"),
        ("/api/v1/chat/completions", CHAT, f"body-bytes={LARGE}"),
    ],
    ids=["text", "gzip", "JSON"],
)
def test_a_paced_stream_is_not_late_while_large_bodies_are_recorded(
    fork_recorder: ForkingLauncher, path: str, body: object, sim: str
) -> None:
    """Bodies of 8 MB, one after the other, beside a stream with an event every 20 ms.

    An event is as late as it arrives after it left the upstream. Recorded on the event loop, a body would hold up every
    event for most of the time that it takes in all; a busy machine makes both longer, so it is their ratio that tells.
    """
    if not shutil.which("curl"):
        missing("curl (a client in a process of its own)")
    recorder = fork_recorder()
    command = ["curl", "--silent", "--fail", "--compressed", "--header", f"X-Sim: {sim}"]
    command += ["--header", f"Authorization: Bearer {KEY}", "--header", "Content-Type: application/json"]
    command += ["--data", json.dumps(body)] if body else []
    command += [f"http://127.0.0.1:{recorder.base_url_port}{path}"]
    arrived, recorded = asyncio.run(_beside(recorder, command))
    assert 0 == recorder.stop()
    assert fork_recorder.upstream
    *_, stream = (each for each in fork_recorder.upstream.log().requests if ("x-sim", PACED) in each.headers)
    late = sorted((there - left) / 1e6 for there, (left, _) in zip(arrived, stream.left, strict=True))
    assert recorded >= 2
    a_body = (arrived[-1] - arrived[0]) / 1e6 / recorded
    assert statistics.median(late) < a_body / 20
    assert statistics.quantiles(late, n=10)[-1] < a_body / 4


async def _beside(recorder: RecorderProcess, command: list[str]) -> tuple[list[int], int]:
    """When each event of a paced stream arrived, in nanoseconds; and how often the command ran beside it."""
    reader, writer = await asyncio.open_connection("127.0.0.1", recorder.base_url_port)
    arrived: list[int] = []
    over = asyncio.Event()

    async def paced() -> None:
        writer.write(stream_request(recorder, PACED))
        await reader.readuntil(b"\r\n\r\n")
        seen = b""
        while b"[DONE]" not in seen:
            seen = await reader.read(65536)
            arrived.extend([time.monotonic_ns()] * seen.count(b"\n\n"))
        over.set()

    async def large() -> int:
        for number in count():
            if over.is_set():
                return number
            process = await asyncio.create_subprocess_exec(*command, stdout=DEVNULL)
            assert 0 == await process.wait()
        raise AssertionError

    _, recorded = await asyncio.gather(paced(), large())
    writer.close()
    return arrived, recorded
