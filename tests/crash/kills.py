"""Rounds of kill -9 on one cassette: start, load of every kind, kill at a random moment, start again, compare."""

from __future__ import annotations

import asyncio
import os
import random
import signal
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count

from tests.crash.load import Ask, Noted, anything, clients, halves, keep_asking, load, missing_or_different
from tests.crash.nursery import ForkingLauncher
from tests.e2e.processes import RecorderProcess

_LONGEST = 1.5  # seconds of load in a round


@dataclass(slots=True)
class Killing:
    """`wrong`: all that should not be. `seen`: ends that clients saw. `kept`: interactions in the cassette."""

    launcher: ForkingLauncher
    seed: int
    wrong: list[str] = field(default_factory=list)
    seen: int = 0
    kept: int = 0
    rounds: int = 0
    repairs: int = 0
    noted: Noted = field(default_factory=Noted)
    asked: dict[int, Ask] = field(default_factory=dict)
    _numbers: count[int] = field(default_factory=count)

    def round(self) -> None:
        dice = random.Random(f"{self.seed} {self.rounds}")
        recorder = self._start()
        asyncio.run(self._load_and_kill(recorder, dice))
        self.rounds += 1

    def finish(self) -> None:
        """Start once more, and stop in order: that must change nothing but the order."""
        recorder = self._start()
        if (status := recorder.stop()) != 0:
            self.wrong.append(f"the last one ended with status {status}: {recorder.stderr}")
        self._compare(recorder)

    def _start(self) -> RecorderProcess:
        recorder = self.launcher("--grace", "0", session=f"kill-{self.seed}")
        self._compare(recorder)
        return recorder

    def _compare(self, recorder: RecorderProcess) -> None:
        interactions = load(recorder.cassette)
        where = f"seed {self.seed}, after round {self.rounds}: "
        found = missing_or_different(self.noted.ends.values(), interactions) + halves(interactions, self.asked)
        self.wrong += [where + each for each in found]
        self.seen, self.kept = len(self.noted.ends), len(interactions)
        self.repairs = len(list(recorder.cassette.parent.glob("*.torn")))

    async def _load_and_kill(self, recorder: RecorderProcess, dice: random.Random) -> None:
        killed = False

        def next_ask() -> Ask | None:
            if killed:
                return None
            ask = anything(dice, next(self._numbers))
            self.asked[ask.number] = ask
            return ask

        async def kill() -> None:
            """After a random number of ends: in the very step in which the last of them is seen, or a bit later."""
            nonlocal killed
            enough = len(self.noted.ends) + dice.choice([0, 1, 2, 5, 10, 25])
            with suppress(TimeoutError):
                await asyncio.wait_for(self.noted.wait_for(enough), _LONGEST)
            if dice.random() < 0.7:
                await asyncio.sleep(dice.uniform(0, 0.05))
            killed = True
            os.kill(recorder.pid, signal.SIGKILL)

        async with clients(recorder) as using:
            asking = keep_asking(using, next_ask, self.noted, at_once=dice.randint(1, 20))
            await asyncio.gather(asking, kill())
        status = recorder.wait()
        where = f"seed {self.seed}, round {self.rounds}: "
        if status != -signal.SIGKILL:
            self.wrong.append(f"{where}exit status {status}")
        self.wrong += [f"{where}answer {refused}" for refused in self.noted.refused]
