"""The crash and load table: what the tests here try some of, tried often. `scripts/soak` runs it."""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypeVar

from recorder.simulator import Upstream, start
from tests.crash.kills import Killing
from tests.crash.lines import fail_at, lines_that_run
from tests.crash.load import DOORS, Ask, Noted, ask_all, burst, load, missing_or_different, session_of
from tests.crash.nursery import ForkingLauncher, Nursery, forking
from tests.crash.two import second_recorder
from tests.e2e.processes import RecorderProcess

Item = TypeVar("Item")
ROUNDS_ON_ONE = 20  # kills on one cassette: it is read whole after each
_SHOWN = 10  # of what is wrong in a row; with --json all of it is there
WORST_COST, WORST_GROWTH = 1.1, 20.0  # times the first thousand's; MB


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the table. `times`: how often it was tried; `wrong`: what was found that may not be."""

    name: str
    tried: str
    times: int
    came_to: str
    wrong: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a row is made: a folder, a CA, an upstream, and recorders to fork."""

    folder: Path
    upstream: Upstream
    nursery: Nursery
    quick: bool

    def count(self, number: int) -> int:
        """Of so many, a hundredth if it is to be quick, and at least two."""
        return max(2, number // 100) if self.quick else number

    @contextmanager
    def launcher(self) -> Iterator[ForkingLauncher]:
        with (
            tempfile.TemporaryDirectory(dir=self.folder) as folder,
            forking(Path(folder), self.folder / "certs", self.upstream, self.nursery) as launcher,
        ):
            yield launcher


def kills(place: Place) -> Row:
    rounds = place.count(1000)
    wrong: list[str] = []
    seen = kept = 0
    for seed in progress(range(-(-rounds // ROUNDS_ON_ONE)), "kill"):
        with place.launcher() as launcher:
            killing = Killing(launcher, seed=1000 + seed)
            for _ in range(min(ROUNDS_ON_ONE, rounds - seed * ROUNDS_ON_ONE)):
                killing.round()
            killing.finish()
        wrong += killing.wrong
        seen, kept = seen + killing.seen, kept + killing.kept
    came_to = f"{seen:,} ends seen by clients, {kept:,} interactions kept, {len(wrong)} missing or half there"
    return Row(name="kill", tried="kill -9 under load", times=rounds, came_to=came_to, wrong=tuple(wrong))


def disk(place: Place) -> Row:
    """Each disk call of a session of 20 fails in turn, in each way."""
    errors = {"write": ("ENOSPC", "EIO", "EFBIG", "EINTR", "short"), "fsync": ("EIO", "ENOSPC", "EINTR")}
    faults = [(name, nth, error) for name, ways in errors.items() for error in ways for nth in range(1, 26)]
    faults += [("replace", nth, error) for error in ("EIO", "ENOSPC") for nth in (1, 2)]
    faults = faults[:: len(faults) // place.count(len(faults))]
    wrong: list[str] = []
    seen = 0
    for name, nth, error in progress(faults, "disk"):
        with place.launcher() as launcher:
            fired = launcher.folder / "fired"
            launcher.faults = [{"kind": "call", "name": name, "nth": nth, "error": error, "fired": str(fired)}]
            try:
                recorder = launcher()
            except AssertionError as failed:
                wrong += [] if "(exit status 1)" in str(failed) else [f"{name} {nth} {error}: {failed}"]
                continue
            noted = Noted()
            ask_all(recorder, session_of(20), noted, at_once=4)
            status = recorder.stop()
            lost = missing_or_different(noted.ends.values(), load(recorder.cassette))
            seen += len(noted.ends)
            if lost or status != int(fired.exists()):
                wrong.append(f"{name} {nth} {error}: exit status {status}, {lost}")
    came_to = f"{seen:,} ends seen, {len(wrong)} sessions that lost one or said nothing"
    return Row(name="disk", tried="a disk call fails", times=len(faults), came_to=came_to, wrong=tuple(wrong))


def full(place: Place) -> Row:
    rounds = place.count(200)
    dice = random.Random(4)
    wrong: list[str] = []
    seen = refused = 0
    for _ in progress(range(rounds), "full"):
        with place.launcher() as launcher:
            size = dice.randrange(500_000, 1_500_000)
            launcher.faults = [{"kind": "limit", "size": size}]
            recorder = launcher()
            noted = Noted()
            asks = [
                Ask(number=number, door=DOORS[number % 3], kind="bytes", sim="body-bytes=40000", size=40_000)
                for number in range(60)
            ]
            ask_all(recorder, asks, noted, at_once=dice.randint(1, 10))
            status = recorder.stop()
            lost = missing_or_different(noted.ends.values(), load(recorder.cassette))
            seen, refused = seen + len(noted.ends), refused + len(noted.refused)
            if lost or status != 1:
                wrong.append(f"{size} bytes: exit status {status}, {lost}")
    came_to = f"{seen:,} ends seen, all of them on disk; {refused:,} requests refused with 502"
    return Row(name="full", tried="the disk is full", times=rounds, came_to=came_to, wrong=tuple(wrong))


def lines(place: Place) -> Row:
    with place.launcher() as launcher:
        every = lines_that_run(launcher)
        every = every[:: len(every) // place.count(len(every))]
        wrong = [found for line in progress(every, "lines") if (found := fail_at(launcher, line))]
    came_to = f"{len(wrong)} sessions that let something pass unrecorded, or unnoticed"
    return Row(name="lines", tried="an exception at a line", times=len(every), came_to=came_to, wrong=tuple(wrong))


def two(place: Place) -> Row:
    rounds = place.count(50)
    wrong: list[str] = []
    longest = 0.0
    with place.launcher() as launcher:
        for _ in progress(range(rounds), "two"):
            first = launcher()
            took, said = second_recorder(launcher)
            longest = max(longest, took)
            if f"pid {first.pid} " not in said or took > 1:
                wrong.append(f"{took:.2f} s: {said}")
            first.kill()
    came_to = f"refused after at most {longest:.2f} s, naming the first; after kill -9 the next one started"
    return Row(name="two", tried="two recorders", times=rounds, came_to=came_to, wrong=tuple(wrong))


def parallel(place: Place) -> Row:
    rounds = place.count(20)
    wrong: list[str] = []
    for seed in progress(range(rounds), "parallel"):
        with place.launcher() as launcher:
            recorder = launcher()
            noted = Noted()
            ask_all(recorder, burst(200, seed), noted, at_once=200, connections=9)
            recorder.stop()
            wrong += missing_or_different(noted.ends.values(), load(recorder.cassette))
            ids = [int(found) for found in re.findall(rb"(?m)^ *- id: (\d+)$", recorder.cassette.read_bytes())]
            wrong += [] if ids == list(range(200)) else [f"ids: {ids}"]
    came_to = f"{200 * rounds:,} interactions, {len(wrong)} mixed or missing"
    return Row(name="parallel", tried="200 requests at once", times=rounds, came_to=came_to, wrong=tuple(wrong))


def many(place: Place) -> Row:
    """What a thousand cost the recorder in time on the processor, the first and the last; and its memory."""
    thousands = place.count(10)
    wrong: list[str] = []
    with place.launcher() as launcher:
        recorder = launcher()
        _ask_thousand(recorder, -1)  # the first requests of a process pay for what they load
        costs: list[float] = []
        before = _memory(recorder.pid)
        for thousand in progress(range(thousands), "many"):
            began = _processor_time(recorder.pid)
            wrong += _ask_thousand(recorder, thousand)
            costs.append(_processor_time(recorder.pid) - began)
        grown = _memory(recorder.pid) - before
        recorder.stop()
        kept = len(load(recorder.cassette))
    if kept != 1000 * (thousands + 1):
        wrong.append(f"{kept} interactions")
    if costs[-1] > WORST_COST * costs[0]:
        wrong.append("the seconds of each thousand: " + ", ".join(f"{cost:.2f}" for cost in costs))
    if grown > WORST_GROWTH:
        wrong.append(f"the memory has grown by {grown:.1f} MB")
    came_to = f"first thousand {costs[0]:.2f} s, last {costs[-1]:.2f} s; memory +{grown:.1f} MB"
    return Row(
        name="many", tried="interactions in one session", times=1000 * thousands, came_to=came_to, wrong=tuple(wrong)
    )


def _ask_thousand(recorder: RecorderProcess, thousand: int) -> list[str]:
    first = 1000 * (thousand + 1)
    asks = [Ask(number=first + number, door="base URL", kind="chat") for number in range(1000)]
    noted = Noted()
    ask_all(recorder, asks, noted, at_once=4)
    return [] if len(noted.ends) == 1000 else [f"{1000 - len(noted.ends)} without an end: {noted.refused[:1]}"]


def _processor_time(pid: int) -> float:
    said = subprocess.run(["ps", "-o", "cputimes=", "-p", str(pid)], capture_output=True, text=True, check=True).stdout
    stat = Path(f"/proc/{pid}/stat")
    if not stat.exists():  # whole seconds will have to do
        return float(said)
    fields = stat.read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _memory(pid: int) -> float:
    """The resident set, in MB."""
    said = subprocess.run(["ps", "-o", "rss=", "-p", str(pid)], capture_output=True, text=True, check=True).stdout
    return int(said) / 1024


ROWS: tuple[Callable[[Place], Row], ...] = (kills, disk, full, lines, two, parallel, many)


def progress(items: Iterable[Item], name: str) -> Iterator[Item]:
    """The items, and on a terminal how far we are."""
    known = list(items)
    began = time.monotonic()
    for number, item in enumerate(known, 1):
        if sys.stderr.isatty():
            print(f"\r{name}: {number} of {len(known)}, {time.monotonic() - began:.0f} s ", end="", file=sys.stderr)
            sys.stderr.flush()
        yield item
    if sys.stderr.isatty():
        print("\r\033[K", end="", file=sys.stderr)


def main(arguments: Sequence[str] | None = None, rows: Sequence[Callable[[Place], Row]] = ROWS) -> int:
    parser = argparse.ArgumentParser(prog="scripts/soak", description=__doc__)
    names = [row.__name__ for row in rows]
    parser.add_argument("rows", nargs="*", choices=[[], *names], metavar="ROW", help=", ".join(names))
    parser.add_argument("--quick", action="store_true", help="a hundredth of it")
    parser.add_argument("--json", action="store_true", help="a line of JSON for each row")
    options = parser.parse_args(arguments)
    chosen = [make for make in rows if make.__name__ in (options.rows or names)]
    with (
        closing(Nursery()) as nursery,
        tempfile.TemporaryDirectory() as folder,
        start(seed="7") as upstream,
    ):
        place = Place(folder=Path(folder), upstream=upstream, nursery=nursery, quick=options.quick)
        if not options.json:
            print(_line("tried", "times", "", "seconds", "what it came to"), flush=True)
        return int(any([_fails(make, place, as_json=options.json) for make in chosen]))  # noqa: C419 - each of them is run


def _fails(make: Callable[[Place], Row], place: Place, *, as_json: bool) -> bool:
    """Make a row and print it; whether something is wrong."""
    began = time.monotonic()
    try:
        row = make(place)
    except Exception as error:  # noqa: BLE001 - the other rows are still to be made
        traceback.print_exception(error)
        row = Row(name=make.__name__, tried=make.__name__, times=0, came_to="broken off", wrong=(repr(error),))
    seconds = time.monotonic() - began
    found = "WRONG" if row.wrong else "ok"
    if as_json:
        print(json.dumps({**asdict(row), "seconds": round(seconds, 1)}), flush=True)
    else:
        print(_line(row.tried, f"{row.times:,}", found, f"{seconds:.0f}", row.came_to), flush=True)
    for wrong in row.wrong[:_SHOWN]:
        print(f"  {wrong}", file=sys.stderr)
    return bool(row.wrong)


def _line(tried: str, times: str, found: str, seconds: str, came_to: str) -> str:
    return f"{tried:<28} {times:>7}  {found:<5}  {seconds:>7}  {came_to}"


if __name__ == "__main__":
    sys.exit(main())
