"""What `scripts/bench` runs: one row for each figure: what, ours, what it is held against, how many times better.

A group is a function in a module `bench_NAME.py` beside this file that yields rows. All that one row compares is
measured in the same run, in turns: the machine may have other work.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]  # the groups, and the project as it stands here

import bench_cassette  # noqa: E402 - found by the line above
import bench_proxy  # noqa: E402 - the same
import bench_replay  # noqa: E402 - the same
import bench_scrub  # noqa: E402 - the same
from bench_row import Row  # noqa: E402 - the same

GROUPS: dict[str, Callable[[], Iterator[Row]]] = {
    "cassette": bench_cassette.rows,
    "scrub": bench_scrub.rows,
    "proxy": bench_proxy.rows,
    "replay": bench_replay.rows,
}
QUICK: dict[str, Callable[[], Iterator[Row]]] = {
    "proxy": bench_proxy.quick_rows,
    "replay": bench_replay.quick_rows,
}
FACTOR = 10.0  # by which a short run on a busy machine may be off a goal; 704 ms for a command of 63 were seen


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="scripts/bench", description="What the recorder costs; 1 if a goal is missed."
    )
    parser.add_argument("groups", nargs="*", metavar="GROUP", help=f"of {', '.join(GROUPS)}; all, if none is named")
    parser.add_argument("--json", action="store_true", help="a line of JSON for each row")
    parser.add_argument("--quick", action="store_true", help=f"a short run: only that nothing is {FACTOR:g} times off")
    told = parser.parse_args()
    groups = QUICK if told.quick else GROUPS
    if unknown := [name for name in told.groups if name not in groups]:
        parser.error(f"no group {', '.join(unknown)}; there are: {', '.join(groups)}")
    missed = False
    for name in told.groups or groups:
        if not told.json:
            print(f"{name}")
        for row in groups[name]():
            print(json.dumps({"group": name, **row.as_json()}) if told.json else f"  {row}", flush=True)
            missed |= row.far_off(FACTOR) if told.quick else row.missed
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
