"""`recorder import` as a command, for tests that need what it leaves."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.conftest import ROOT


def recorder_import(folder: Path, form: str, file: Path, *, host: str) -> Path:
    """The cassette that `file` was imported to, below `folder`."""
    command = [sys.executable, "-m", "recorder", "import", "--from", form, "--host", host, "--session", "imported"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RECORDER_")}
    ran = subprocess.run(
        [*command, file],
        cwd=folder,
        env={**environment, "PYTHONPATH": str(ROOT), "RECORDER_STATE_DIR": str(folder / "state")},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (0, "") == (ran.returncode, ran.stderr)
    return folder / "cassettes" / "imported.yaml"
