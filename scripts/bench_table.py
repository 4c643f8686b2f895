"""What `scripts/bench` runs: one row for each figure: what, ours, what it is held against, how many times better.

A group is a function in a module `bench_NAME.py` beside this file that yields rows. All that one row compares is
measured in the same run, in turns, and the best of each counts: the machine may have other work.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]  # the groups, and the project as it stands here

import bench_cassette  # noqa: E402 - found by the line above
import bench_scrub  # noqa: E402 - the same
from bench_row import Row  # noqa: E402

GROUPS: dict[str, Callable[[], Iterator[Row]]] = {"cassette": bench_cassette.rows, "scrub": bench_scrub.rows}


def main(names: list[str]) -> int:
    unknown = [name for name in names if name not in GROUPS]
    if unknown:
        print(f"no group {', '.join(unknown)}; there are: {', '.join(GROUPS)}", file=sys.stderr)
        return 2
    missed = False
    for name in names or GROUPS:
        print(f"{name}")
        for row in GROUPS[name]():
            print(f"  {row}", flush=True)
            missed |= row.missed
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
