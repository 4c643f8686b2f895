"""Two recorders on one cassette: the second is refused at once, and let in when the first is gone, however it went."""

from __future__ import annotations

import statistics

import httpx

from tests.crash.load import load
from tests.crash.nursery import ForkingLauncher
from tests.crash.two import command_line, second_recorder

ROUNDS = 30


def test_the_second_is_refused_at_once_and_let_in_after_a_kill(fork_recorder: ForkingLauncher) -> None:
    times, loads = [], []
    for number in range(ROUNDS):
        first = fork_recorder()
        assert 200 == httpx.get(f"{first.base_url}/models?id={number}", trust_env=False).status_code
        took, said = second_recorder(fork_recorder)
        assert said.startswith(f"recorder: {first.cassette}: is being recorded by pid {first.pid} since ")
        times.append(took)
        loads.append(command_line(fork_recorder))
        first.kill()
    # 0.46 s to 0.27: it waits a fifth of a second for a holder that is just dying.
    assert statistics.median(times) < 4 * statistics.median(loads)
    assert 0 == fork_recorder().stop()
    assert ROUNDS == len(load(first.cassette))
