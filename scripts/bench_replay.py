"""Replaying against bare mitmdump that passes through from a local upstream: the same exchanges, in the same rounds.

The tape holds what was recorded from that upstream; a second one holds it behind thousands of others, to which the
matching must be blind. Matching alone is measured in this process.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

from bench_doors import Bench, Door, bench
from bench_row import Row

from recorder import cassette
from recorder.model import Interaction
from recorder.replay.tape import Reuse, Tape
from recorder.wire.exchange import WireRequest

BARE, SHORT, LONG = "mitmdump", "recorder replay short", "recorder replay long"
Figures = dict[str, list[float]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """`exchanges` for each of `connections`; `chunks` of a stream; `long`: interactions of the long tape; `plays` when
    matching alone is measured."""

    rounds: int
    exchanges: int
    connections: tuple[int, ...]
    chunks: int
    long: int
    plays: int


FULL = Scale(rounds=5, exchanges=500, connections=(1, 16), chunks=5_000, long=10_000, plays=2_000)
QUICK = Scale(rounds=1, exchanges=128, connections=(1,), chunks=500, long=1_000, plays=300)
FEW = 10  # interactions of the short tape when matching alone is measured


def rows() -> Iterator[Row]:
    return _rows(FULL)


def quick_rows() -> Iterator[Row]:
    return _rows(QUICK)


def _rows(scale: Scale) -> Iterator[Row]:
    with tempfile.TemporaryDirectory(prefix="bench-") as folder, bench(Path(folder)) as place:
        recorded = _record(place, scale)
        _write(place, "short", recorded)
        _write(place, "long", (*_others(recorded[0], scale.long), *recorded))
        with ExitStack() as stack:
            doors = [stack.enter_context(place.running(name)) for name in (BARE, SHORT, LONG)]
            for connections in scale.connections:
                yield from _exchanges(place, doors, scale, connections)
            yield _stream(place, doors, scale)
        yield _matching(recorded[0], scale)


def _say(text: str) -> None:
    print(f"  … {text}", file=sys.stderr, flush=True)


def _record(place: Bench, scale: Scale) -> tuple[Interaction, ...]:
    _say("the tape")
    with place.running("recorder") as door:
        place.load("open", door=door.through("proxy"), connections=1)
        place.load("stream", target=f"/stream/{scale.chunks}/330/0")
        place.load("close")
    (path,) = (place.folder / "cassettes").glob("bench-*.yaml")
    return cassette.loads(path.read_bytes(), str(path)).interactions


def _others(one: Interaction, count: int) -> tuple[Interaction, ...]:
    """As many more of its kind, each with a question of its own."""
    body = one.request.body
    return tuple(
        replace(one, request=replace(one.request, body=body.replace(b"Florence", b"place %d" % number)))
        for number in range(count)
    )


def _write(place: Bench, name: str, interactions: tuple[Interaction, ...]) -> None:
    path = place.folder / "cassettes" / f"{name}.yaml"
    path.write_bytes(cassette.dumps(cassette.Cassette(interactions=interactions)))


def _rounds(scale: Scale, doors: Sequence[Door], what: str) -> Iterator[Door]:
    for number in range(scale.rounds):
        _say(f"{what}, round {number + 1} of {scale.rounds}")
        turn = number % len(doors)
        yield from (*doors[turn:], *doors[:turn])


def _exchanges(place: Bench, doors: Sequence[Door], scale: Scale, connections: int) -> Iterator[Row]:
    speed: Figures = {door.name: [] for door in doors}
    cpu: Figures = {door.name: [] for door in doors}
    for door in _rounds(scale, doors, f"exchanges, {connections} connections"):
        place.load("open", door=door.through("proxy"), connections=connections)
        before = door.cpu
        answer = place.load("exchanges", target="/small", count=scale.exchanges)
        speed[door.name].append(answer["count"] / answer["seconds"])
        cpu[door.name].append((door.cpu - before) / answer["count"] * 1e3)
        place.load("close")
    over = f"{connections} connection{'s' if connections > 1 else ''}"
    yield _row(f"replayed exchanges a second, {over}", "/s", speed, SHORT, BARE, goal=1)
    yield _cpu_row(f"CPU a replayed exchange, {over}", cpu, SHORT, BARE)
    # In CPU, which other work on the machine changes less.
    yield _cpu_row(f"  the same behind {scale.long:,} others", cpu, LONG, SHORT, goal=0.9)


def _stream(place: Bench, doors: Sequence[Door], scale: Scale) -> Row:
    speed: Figures = {door.name: [] for door in doors}
    for door in _rounds(scale, doors, "streams"):
        place.load("open", door=door.through("proxy"), connections=1)
        answer = place.load("stream", target=f"/stream/{scale.chunks}/330/0")
        speed[door.name].append(answer["count"] / answer["seconds"])
        place.load("close")
    return _row("replayed events a second", "/s", speed, SHORT, BARE)


def _matching(one: Interaction, scale: Scale) -> Row:
    """Which interaction answers, alone: of many tapes the time for a request, in microseconds."""
    took: dict[int, list[float]] = {FEW: [], scale.long: []}
    tapes = {count: Tape(_others(one, count), session="", path=Path(), digest="-", reuse=Reuse.ALL) for count in took}
    for number in range(scale.rounds):
        _say(f"matching, round {number + 1} of {scale.rounds}")
        for count, tape in tapes.items():
            # Those that the short tape has too: what comes again is scrubbed faster than what is new.
            requests = [_wire(tape.interactions[at % FEW]) for at in range(scale.plays)]
            began = time.perf_counter()
            played = [tape.play(request) for request in requests]
            took[count].append((time.perf_counter() - began) / scale.plays * 1e6)
            assert all(played)
    ratios = [few / many for few, many in zip(*took.values(), strict=True)]
    return Row(
        what=f"match a request, of {scale.long:,} after {FEW}",
        ours=f"{median(took[scale.long]):.0f} µs",
        theirs=f"of {FEW}: {median(took[FEW]):.0f} µs",
        times=median(ratios),
        goal=0.9,
    )


def _wire(interaction: Interaction) -> WireRequest:
    request = interaction.request
    headers = ((b"content-type", b"application/json"), (b"authorization", b"Bearer none"))
    return WireRequest(
        method=request.method, url=request.url, http_version="HTTP/1.1", headers=headers, body=request.body
    )


def _cpu_row(what: str, figures: Figures, ours: str, theirs: str, goal: float | None = None) -> Row:
    ratios = [other / max(one, 1e-9) for one, other in zip(figures[ours], figures[theirs], strict=True)]
    return Row(
        what=what,
        ours=f"{median(figures[ours]):.2f} ms",
        theirs=f"{theirs} {median(figures[theirs]):.2f} ms",
        times=median(ratios),
        goal=goal,
    )


def _row(  # noqa: PLR0917 - a row's columns
    what: str, unit: str, figures: Figures, ours: str, theirs: str, goal: float | None = None
) -> Row:
    ratios = [one / other for one, other in zip(figures[ours], figures[theirs], strict=True)]
    return Row(
        what=what,
        ours=f"{median(figures[ours]):.0f} {unit}",
        theirs=f"{theirs} {median(figures[theirs]):.0f} {unit}",
        times=median(ratios),
        goal=goal,
    )
