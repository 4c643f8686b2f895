"""kill -9 of a whole recorder under load: what clients have seen the end of is there, and nothing is half there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.crash.kills import Killing
from tests.crash.load import load
from tests.crash.nursery import ForkingLauncher
from tests.interop.go.conftest import Oracle, build

ROUNDS = 10  # for each seed, on one cassette; the soak has more


@pytest.mark.parametrize("seed", range(10))
def test_no_interaction_whose_end_a_client_had_seen_is_missing_or_half_there(
    fork_recorder: ForkingLauncher, seed: int
) -> None:
    killing = Killing(fork_recorder, seed=seed)
    for _ in range(ROUNDS):
        killing.round()
    killing.finish()
    assert [] == killing.wrong
    assert killing.seen > ROUNDS  # else nothing has been tried


@pytest.fixture(scope="module")
def go_vcr(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Oracle]:
    candidate = 6  # the newest go-vcr's
    oracle = Oracle(build(candidate, tmp_path_factory.mktemp("oracle")), candidate)
    yield oracle
    oracle.close()


def test_after_kills_go_vcr_loads_what_we_load(fork_recorder: ForkingLauncher, go_vcr: Oracle) -> None:
    killing = Killing(fork_recorder, seed=100)
    for _ in range(3):
        killing.round()
        path: Path = fork_recorder.cassettes / "kill-100.yaml"
        fork_recorder(session="kill-100").stop()  # which repairs it
        assert [load(path)] == go_vcr.loads([path.read_bytes()])
    killing.finish()
    assert [] == killing.wrong
