"""The proxy against what a user would run instead: nothing in between, bare mitmdump, `mitmdump -w`, vcrpy.

Real processes on loopback, TLS on both sides, HTTP/1.1, through the proxy port. Every door is measured in each round,
one after the other; a row shows the medians of all rounds, and the median of the rounds' ratios. "Bare mitmdump" is
`mitmdump --set stream_large_bodies=1`, without which a stream reaches nobody before its end; "mitmdump -s" is the same
proxy with `addons/record.py`. CPU is that of the proxy's process.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from bench_doors import HERE, Bench, Door, bench, memory
from bench_growth import make, save_times
from bench_row import Row

OURS, BARE, ADDON = "recorder", "mitmdump", "mitmdump -s"
NAMES = (OURS, BARE, "mitmdump -w", ADDON)
PAUSE = 5_000  # microseconds between two chunks of a stream that is no flood
STREAMS = 8  # of those at once: 1,600 chunks a second
COMMANDS = ("--help", "list", "status", "env")
# Why a goal that is missed is missed, as the profiles have it.
SYNC = "each exchange waits for a sync of its own, and mitmdump writes nothing"
SCRUBBING = "0.2 ms of each exchange are scrubbing and rendering; a busy machine decides the rest"
A_CHUNK = "some 5 µs a chunk are scrubbing, 3 watching for the terminal frame, 2 new pages for the copy"
IN_MITMDUMP = "recording comes on top of mitmdump's own addons, log and output"
IMPORTS = "most of it is importing; see python -X importtime"
ANSWER = 0.150  # seconds in which a command has to answer
Figures = dict[str, list[float]]
"""One figure of each door, by its name, in the order of the rounds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """How much is measured. `exchanges` for each of `connections`; `paced` chunks a stream; `few`, `many` exchanges
    between which memory may not grow; `bulk` chunks of 16 KB; `grown`: interactions of the cassette that is large."""

    rounds: int
    chunks: int
    exchanges: int
    connections: tuple[int, ...]
    handshakes: int
    paced: int
    few: int
    many: int
    bulk: int
    grown: int


FULL = Scale(
    rounds=5, chunks=20_000, exchanges=500, connections=(1, 16, 64), handshakes=40, paced=200,
    few=500, many=5_000, bulk=3_200, grown=10_000,
)  # fmt: skip
QUICK = Scale(
    rounds=1, chunks=2_000, exchanges=128, connections=(1, 16), handshakes=10, paced=50,
    few=100, many=300, bulk=200, grown=300,
)  # fmt: skip


def rows() -> Iterator[Row]:
    return _rows(FULL)


def quick_rows() -> Iterator[Row]:
    return _rows(QUICK)


def _rows(scale: Scale) -> Iterator[Row]:
    with tempfile.TemporaryDirectory(prefix="bench-") as folder, bench(Path(folder)) as place:
        vcrpy = _vcrpy(place, scale)
        with ExitStack() as stack:
            doors = [place.direct, *(stack.enter_context(place.running(name)) for name in NAMES)]
            yield from _streams(place, doors, scale, vcrpy)
            yield from _exchanges(place, doors, scale, vcrpy)
            yield from _handshakes(place, doors, scale)
            yield from _memory(place, doors, scale)
            yield from _commands(place, scale)
        yield from _start(place, scale)
        yield from _saving(place, scale, vcrpy)


def _say(text: str) -> None:
    print(f"  … {text}", file=sys.stderr, flush=True)


def _rounds(scale: Scale, doors: Sequence[Door], what: str) -> Iterator[Door]:
    """Every door in every round, in turns; the order changes from round to round."""
    for number in range(scale.rounds):
        _say(f"{what}, round {number + 1} of {scale.rounds}")
        turn = number % len(doors)
        yield from (*doors[turn:], *doors[:turn])


# What is measured


def _by_door(doors: Sequence[Door]) -> dict[str, list[float]]:
    """Room for each door's figures."""
    return {door.name: [] for door in doors}


def _streams(place: Bench, doors: Sequence[Door], scale: Scale, vcrpy: Mapping[str, float]) -> Iterator[Row]:
    speed, cpu, first, late, late99, paced_cpu = (_by_door(doors) for _ in range(6))
    for door in _rounds(scale, doors, "streams"):
        with _connected(place, door, 1):
            before = door.cpu
            answer = place.load("stream", target=f"/stream/{scale.chunks}/330/0")
            speed[door.name].append(answer["count"] / answer["seconds"])
            cpu[door.name].append((door.cpu - before) / answer["count"] * 1e6)
        with _connected(place, door, STREAMS):
            before = door.cpu
            answer = place.load("stream", target=f"/stream/{scale.paced}/330/{PAUSE}")
            paced_cpu[door.name].append((door.cpu - before) / answer["count"] * 1e6)
            late[door.name].append(answer["late"])
            late99[door.name].append(answer["late99"])
        with _connected(place, door, 1):
            answers = [place.load("stream", target=f"/stream/2/330/{PAUSE}")["first"] for _ in range(20)]
            first[door.name].append(median(answers))
    yield _row("time to first byte added", "µs", _added(first))
    yield _row("chunk latency added, median", "µs", _added(late))
    yield _row("chunk latency added, 99 of 100", "µs", _added(late99))
    yield _row("streamed chunks a second", "/s", speed, more=True, goal=1, vcrpy=scale.chunks / vcrpy["stream"])
    yield _row("CPU a chunk, at full speed", "µs", cpu, goal=1, digits=1)
    yield _row("CPU a chunk, 8 paced streams", "µs", paced_cpu, goal=1, digits=1, why=A_CHUNK)
    yield _addon_row("/s", speed, more=True)


def _exchanges(place: Bench, doors: Sequence[Door], scale: Scale, vcrpy: Mapping[str, float]) -> Iterator[Row]:
    for connections in scale.connections:
        speed, cpu = (_by_door(doors) for _ in range(2))
        for door in _rounds(scale, doors, f"exchanges, {connections} connections"):
            with _connected(place, door, connections):
                before = door.cpu
                answer = place.load("exchanges", target="/small", count=scale.exchanges)
                speed[door.name].append(answer["count"] / answer["seconds"])
                cpu[door.name].append((door.cpu - before) / answer["count"] * 1e3)
        over = f"{connections} connection{'s' if connections > 1 else ''}"
        why = SYNC if connections == 1 else SCRUBBING
        alone = scale.exchanges / vcrpy["exchanges"] if connections == 1 else None
        yield _row(f"small exchanges a second, {over}", "/s", speed, more=True, goal=1, vcrpy=alone, why=why)
        yield _row(f"CPU an exchange, {over}", "ms", cpu, digits=2)
        yield _addon_row("/s", speed, more=True)


def _handshakes(place: Bench, doors: Sequence[Door], scale: Scale) -> Iterator[Row]:
    speed, cpu = (_by_door(doors) for _ in range(2))
    for door in _rounds(scale, doors, "new TLS connections"):
        before = door.cpu
        answer = place.load("connect", door=door.through("proxy"), count=scale.handshakes)
        speed[door.name].append(answer["count"] / answer["seconds"])
        cpu[door.name].append((door.cpu - before) / answer["count"] * 1e3)
    yield _row("new TLS connections a second", "/s", speed, more=True, digits=1)
    yield _row("CPU a new TLS connection", "ms", cpu, digits=1)


def _memory(place: Bench, doors: Sequence[Door], scale: Scale) -> Iterator[Row]:
    """Of proxies that have served for a while, as those of the other rows have. In megabytes."""
    grown: Figures = {}
    peaks: Figures = {}
    for door in doors:
        if door.pid is None or door.name == "mitmdump -w":
            continue
        _say(f"memory of {door.name}")
        with _connected(place, door, 16):
            place.load("exchanges", target="/small", count=scale.few)
            before = memory(door.pid)
            place.load("exchanges", target="/small", count=scale.many - scale.few)
            grown[door.name] = [memory(door.pid) - before]
        before = memory(door.pid, peak=True)
        with _connected(place, door, 1):
            place.load("stream", target=f"/stream/{scale.bulk}/16000/0")
        peaks[door.name] = [memory(door.pid, peak=True) - before]
    yield Row(
        what=f"memory, {scale.many:,} exchanges after {scale.few:,}",
        ours=f"{grown[OURS][0]:+.1f} MB",
        theirs=f"{BARE} {grown[BARE][0]:+.1f} MB, at most 10",
        times=10 / max(grown[OURS][0], 1.0),
        goal=1,
    )
    yield Row(
        what=f"memory, peak of a {scale.bulk * 16_000 / 1e6:.0f} MB stream",
        ours=f"{peaks[OURS][0]:+.0f} MB",
        theirs=f"{BARE} {peaks[BARE][0]:+.0f} MB",
    )


def _commands(place: Bench, scale: Scale) -> Iterator[Row]:
    """While a session runs, so that `status` and `env` have something to say."""
    make(place.folder / "listed")
    more = {"list": ["--cassette-dir", "listed"]}
    plain = [sys.executable, "-c", "pass"]
    times: Figures = {name: [] for name in ("python", *COMMANDS)}
    for number in range(2 * scale.rounds + 1):
        _say(f"commands, round {number} of {2 * scale.rounds}")
        for name in times:
            command = plain if name == "python" else [sys.executable, "-m", "recorder", name, *more.get(name, [])]
            began = time.perf_counter()
            subprocess.run(command, env=place.environment, cwd=place.folder, stdout=subprocess.DEVNULL, check=True)
            if number:  # the first round may have to compile
                times[name].append(time.perf_counter() - began)
    empty = median(times["python"])
    for name in COMMANDS:
        took = median(times[name])
        yield Row(
            what=f"recorder {name}",
            ours=f"{took * 1e3:.0f} ms",
            theirs=f"at most {ANSWER * 1e3:.0f} ms",
            times=ANSWER / took,
            goal=1,
            others={"python -c pass": empty / took},
            why=IMPORTS,
        )


def _start(place: Bench, scale: Scale) -> Iterator[Row]:
    """From the start of the process until a first request through it has been answered."""
    times: Figures = {name: [] for name in (OURS, BARE, ADDON)}
    for number in range(scale.rounds):
        _say(f"start, round {number + 1} of {scale.rounds}")
        for name in times:
            began = time.perf_counter()
            with place.starting(name) as door:
                place.load("first", door=door.through("proxy"))
                times[name].append(time.perf_counter() - began)
    yield _row(
        "start until the first request is served",
        "ms",
        {k: [1e3 * each for each in v] for k, v in times.items()},
        goal=1,
        why="our own modules take longer to load than mitmdump's addons that are left out",
    )


def _saving(place: Bench, scale: Scale, vcrpy: Mapping[str, float]) -> Iterator[Row]:
    """Scrub, render, append and sync of one interaction, in this process."""
    _say(f"saving into a cassette of {scale.grown:,}")
    small, large = save_times(place.folder, grown=scale.grown, rounds=scale.rounds)
    ratios = [one / other for one, other in zip(small, large, strict=True)]
    yield Row(
        what=f"save an interaction, {scale.grown:,} after 10",
        ours=f"{median(large) * 1e3:.2f} ms",
        theirs=f"after 10: {median(small) * 1e3:.2f} ms",
        times=median(ratios),
        goal=0.9,
        others={f"vcrpy, {scale.exchanges} after 10": vcrpy["save 10"] / vcrpy["save many"]},
    )


def _vcrpy(place: Bench, scale: Scale) -> Mapping[str, float]:
    """Seconds, the medians of all rounds. In a process of its own, which is client and recorder at once."""
    rounds = []
    for number in range(scale.rounds):
        _say(f"vcrpy, round {number + 1} of {scale.rounds}")
        told = [str(place.upstream), str(place.ca), str(place.folder), str(scale.exchanges), str(scale.chunks)]
        done = subprocess.run(
            [sys.executable, str(HERE / "bench_vcrpy.py"), *told], check=True, stdout=subprocess.PIPE, text=True
        )
        rounds.append(json.loads(done.stdout))
    return {name: median(each[name] for each in rounds) for name in rounds[0]}


# Rows


@contextmanager
def _connected(place: Bench, door: Door, connections: int) -> Iterator[None]:
    place.load("open", door=door.through("proxy"), connections=connections)
    yield
    place.load("close")


def _added(times: Figures) -> Figures:
    """What each door adds to the direct connection, round by round."""
    direct = times["direct"]
    return {
        name: [max(one - base, 1e-9) for one, base in zip(each, direct, strict=True)]
        for name, each in times.items()
        if name != "direct"
    }


def _row(
    what: str,
    unit: str,
    figures: Figures,
    *,
    more: bool = False,
    goal: float | None = None,
    digits: int = 0,
    vcrpy: float | None = None,
    why: str = "",
) -> Row:
    """Ours against bare mitmdump. `more`: more is better. `vcrpy`: its figure, where there is one."""
    others = {name: _times(figures, OURS, name, more=more) for name in figures if name not in (OURS, BARE, ADDON)}
    if vcrpy:
        others["vcrpy"] = median(figures[OURS]) / vcrpy
    return Row(
        what=what,
        ours=f"{median(figures[OURS]):.{digits}f} {unit}",
        theirs=f"{BARE} {median(figures[BARE]):.{digits}f} {unit}",
        times=_times(figures, OURS, BARE, more=more),
        goal=goal,
        others={name: times for name, times in others.items() if times},
        why=why,
    )


def _addon_row(unit: str, figures: Figures, *, more: bool) -> Row:
    return Row(
        what=f"  the same, {ADDON}",
        ours=f"{median(figures[ADDON]):.0f} {unit}",
        theirs=f"{BARE} {median(figures[BARE]):.0f} {unit}",
        times=_times(figures, ADDON, BARE, more=more),
        goal=0.95,
        why=IN_MITMDUMP,
    )


def _times(figures: Figures, ours: str, theirs: str, *, more: bool) -> float:
    """How many times better: the median of the rounds' ratios; 0.0 where theirs is nothing, as direct CPU is."""
    pairs = list(zip(figures[ours], figures[theirs], strict=True))
    if not all(one and other for one, other in pairs):
        return 0.0
    return median(one / other if more else other / one for one, other in pairs)
