"""Two workers against one process: what a second core gives, with the load generator and the upstream on the machine.

Real processes on loopback, TLS on both sides, as in `bench_proxy.py`, in turns. On two cores the two workers share
them with the process that writes, with the clients and with the upstream: what is seen there is the least that they
give. CPU is that of all the recorder's processes together; the writer's is what no number of workers makes less.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from bench_doors import Bench, Door, bench
from bench_row import Row

ONE, TWO = "recorder", "recorder --workers 2"
CONNECTIONS = 16
FLOODS = 4  # streams at once, as fast as they come
PACED = 64  # streams at once, with 5 ms between two chunks


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """How much is measured; `chunks` of each stream at full speed, `paced` of each of the others."""

    rounds: int
    exchanges: int
    chunks: int
    paced: int
    handshakes: int


FULL = Scale(rounds=5, exchanges=1_600, chunks=10_000, paced=200, handshakes=60)
QUICK = Scale(rounds=1, exchanges=160, chunks=1_000, paced=50, handshakes=10)


@dataclass(slots=True)
class Figures:
    """Of each round: how many a second, and CPU of one in seconds, of all processes and of the one that writes."""

    speed: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    writer: list[float] = field(default_factory=list)


def rows() -> Iterator[Row]:
    return _rows(FULL)


def quick_rows() -> Iterator[Row]:
    return _rows(QUICK)


def _rows(scale: Scale) -> Iterator[Row]:
    with tempfile.TemporaryDirectory(prefix="bench-") as folder, bench(Path(folder)) as place, ExitStack() as stack:
        doors = [stack.enter_context(place.running(name)) for name in (ONE, TWO)]
        exchanges = {"do": "exchanges", "target": "/small", "count": scale.exchanges}
        flood = {"do": "stream", "target": f"/stream/{scale.chunks}/330/0"}
        paced = {"do": "stream", "target": f"/stream/{scale.paced}/330/5000"}
        for what, connections, order in (
            ("small exchanges", CONNECTIONS, exchanges),
            (f"chunks of {FLOODS} streams at full speed", FLOODS, flood),
            (f"chunks of {PACED} paced streams", PACED, paced),
            ("new TLS connections, one by one", 0, {"do": "connect", "count": scale.handshakes}),
        ):
            found = {door.name: Figures() for door in doors}
            for number in range(scale.rounds):
                print(f"  … {what}, round {number + 1} of {scale.rounds}", file=sys.stderr, flush=True)
                for door in doors if number % 2 else doors[::-1]:
                    _measure(place, door, connections, order, found[door.name])
            yield from _compared(what, found[ONE], found[TWO])


def _compared(what: str, one: Figures, two: Figures) -> Iterator[Row]:
    yield Row(
        what=f"{what} a second",
        ours=f"{median(two.speed):.0f} /s",
        theirs=f"one process {median(one.speed):.0f} /s, {os.cpu_count()} cores",
        times=median(after / before for after, before in zip(two.speed, one.speed, strict=True)),
    )
    yield Row(
        what="  CPU of one; of that the writer's",
        ours=f"{median(two.cpu) * 1e6:.0f} µs; {median(two.writer) * 1e6:.0f}",
        theirs=f"one process {median(one.cpu) * 1e6:.0f} µs",
        times=median(before / after for after, before in zip(two.cpu, one.cpu, strict=True)),
    )


def _measure(place: Bench, door: Door, connections: int, order: dict[str, str | int], figures: Figures) -> None:
    told = dict(order)
    do = str(told.pop("do"))
    if connections:
        place.load("open", door=door.through("proxy"), connections=connections)
    else:
        told["door"] = door.through("proxy")  # type: ignore[assignment] # a line of JSON, which takes anything
    used, writer = door.cpu_of_all, door.cpu
    answer = place.load(do, **told)
    used, writer = door.cpu_of_all - used, door.cpu - writer
    if connections:
        place.load("close")
    figures.speed.append(answer["count"] / answer["seconds"])
    figures.cpu.append(used / answer["count"])
    figures.writer.append(writer / answer["count"])
