"""The tests' own recorders outlive nobody: a run that is killed leaves no process behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.processes import ROOT, is_alive, wait_for

# A run that has a recorder and waits for its end, which does not come.
PROGRAM = """
import sys
from pathlib import Path
from tests.crash.nursery import ForkingLauncher, Nursery

folder, certs = map(Path, sys.argv[1:])
nursery = Nursery()
recorder = ForkingLauncher(folder=folder, certs=certs, nursery=nursery)()
print(nursery.pid, recorder.pid, flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize("killed", ["run", "nursery"])
def test_a_run_or_a_nursery_that_is_killed_leaves_no_recorder_behind(tmp_path: Path, certs: Path, killed: str) -> None:
    command = [sys.executable, "-c", PROGRAM, str(tmp_path), str(certs)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout
        nursery, recorder = map(int, run.stdout.readline().split())
        os.kill({"run": run.pid, "nursery": nursery}[killed], signal.SIGKILL)
        wait_for("the end of the recorder", lambda: not is_alive(recorder))
        run.kill()
    wait_for("the end of the nursery", lambda: not is_alive(nursery))
