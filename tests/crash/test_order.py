"""Many at once: as many interactions as there were exchanges, none mixed, in the order in which the requests began."""

from __future__ import annotations

import asyncio
import re

import pytest

from tests.crash.load import DOORS, Ask, Noted, ask_all, burst, clients, digest, load, missing_or_different, number_of
from tests.crash.nursery import ForkingLauncher
from tests.e2e.processes import RecorderProcess


def ids(recorder: RecorderProcess) -> list[int]:
    return [int(found) for found in re.findall(rb"(?m)^ *- id: (\d+)$", recorder.cassette.read_bytes())]


def test_200_at_once_are_200_interactions_and_none_is_mixed(fork_recorder: ForkingLauncher) -> None:
    recorder = fork_recorder()
    noted = Noted()
    ask_all(recorder, burst(200, 4), noted, at_once=200, connections=9)  # twice nine of HTTP/1.1, one of HTTP/2
    assert [] == noted.refused
    assert {} == noted.broken
    assert 200 == len(noted.ends)
    assert 0 == recorder.stop()
    interactions = load(recorder.cassette)
    assert [] == missing_or_different(noted.ends.values(), interactions)
    assert 200 == len({digest(each.response.body) for each in interactions})
    assert list(range(200)) == ids(recorder)
    assert f"{recorder.cassette.name}: 200 interactions" in recorder.stdout.splitlines()[-1]


@pytest.mark.parametrize("door", DOORS)
def test_ids_follow_the_order_in_which_the_requests_began(fork_recorder: ForkingLauncher, door: str) -> None:
    """The earlier a request, the later its answer ends: while recording they stand the other way round."""
    recorder = fork_recorder()
    noted = Noted()

    async def one_after_the_other() -> None:
        async with clients(recorder) as using:
            tasks = []
            for number in range(8):
                ask = Ask(number=number, door=door, kind="stream", sim=f"chunks=3, delay-ms={2600 - 325 * number}")
                tasks.append(asyncio.create_task(using.ask(ask, noted)))
                await asyncio.sleep(0.05)
            await asyncio.gather(*tasks)

    asyncio.run(one_after_the_other())
    assert list(range(7, -1, -1)) == [number_of(each) for each in load(recorder.cassette)]
    assert 0 == recorder.stop()
    assert list(range(8)) == [number_of(each) for each in load(recorder.cassette)]
    assert list(range(8)) == ids(recorder)
    assert [] == missing_or_different(noted.ends.values(), load(recorder.cassette))


def test_a_cassette_that_is_appended_to_keeps_its_earlier_interactions_in_front(fork_recorder: ForkingLauncher) -> None:
    for first in (0, 5):
        recorder = fork_recorder()
        asks = [
            Ask(number=number, door="proxy", kind="stream", sim=f"delay-ms={300 - 40 * (number - first)}")
            for number in range(first, first + 5)
        ]
        noted = Noted()
        ask_all(recorder, asks, noted, at_once=5)
        assert 5 == len(noted.ends)
        assert 0 == recorder.stop()
    found = [number_of(each) for each in load(recorder.cassette)]
    assert set(range(5)) == set(found[:5])
    assert set(range(5, 10)) == set(found[5:])
    assert list(range(10)) == ids(recorder)
