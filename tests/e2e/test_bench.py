"""`scripts/bench` runs, and nothing in it is off by a factor. The full run is for a quiet machine."""

from __future__ import annotations

import json
import subprocess
import sys

from tests.e2e.processes import ROOT


def test_a_quick_run_shows_every_row_and_misses_no_goal_by_a_factor() -> None:
    command = [sys.executable, str(ROOT / "scripts" / "bench_table.py"), "--quick", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert 0 == done.returncode, done.stderr + done.stdout
    shown = " ".join(row["what"] for row in rows)
    for what in (
        "time to first byte", "chunk latency", "streamed chunks", "CPU a chunk", "small exchanges", "CPU an exchange",
        "TLS connections", "memory", "start until", "save an interaction", "recorder --help", "recorder list",
    ):  # fmt: skip
        assert what in shown
    assert all({"ours", "theirs", "times", "goal", "others", "missed"} <= row.keys() for row in rows)
