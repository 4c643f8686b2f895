"""No secret reaches the disk: real recorders, real requests, and then a search through all that they left behind.

`hiding/` has the generator (kinds, places, encodings), the upstream that answers with given bytes, and the search.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.e2e.cassettes import interactions
from tests.e2e.hiding import cases as generator
from tests.e2e.hiding.canned import Canned, serving
from tests.e2e.hiding.cases import REFUSED, Case, converse, files_below, replies
from tests.e2e.hiding.leaks import leaks
from tests.e2e.hiding.places import KEPT
from tests.e2e.processes import Launcher, RecorderProcess, launching


def recorded(launch: Launcher, canned: Canned, cases: list[Case]) -> tuple[list[str], list[RecorderProcess]]:
    """What went wrong on the wire, and the recorders, stopped: one, and one more for each session that failed."""
    options = ["--host", f"http://{generator.HOST}", "--connect-to", f"::127.0.0.1:{canned.port}"]
    options += [part for name in KEPT for part in ("--keep-header", name)]
    faults: list[str] = []
    recorders: list[RecorderProcess] = []
    left = cases
    while left:
        recorder = launch(*options, session=f"session-{len(recorders)}")
        recorders.append(recorder)
        for done, (case, fault) in enumerate(converse(recorder.base_url_port, left, canned), 1):
            if fault:
                faults.append(f"{case}: {fault}")
            if REFUSED in fault or done == len(left):
                left = left[done:]
                break
        recorder.stop()
    return faults, recorders
