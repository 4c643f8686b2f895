"""Go programs of the tests, built from their pinned modules."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from tests.conftest import missing

GO = Path(__file__).parent / "go"
# go-vcr's version → how a program is built with it. The others of the wild spell as one of these two.
GO_VCR = {"4.0.7": [], "4.0.6": ["-modfile=previous.mod", "-tags=previous"]}


def build(source: Path, program: Path, flags: list[str]) -> Path:
    """The program at `program`. Without Go, or without the modules and a way to them, the test is skipped."""
    if not shutil.which("go"):
        missing("go (https://go.dev/dl, to hold our cassettes against go-vcr's own)")
    built = subprocess.run(
        ["go", "build", *flags, "-o", program, "."], cwd=source, capture_output=True, text=True, check=False
    )
    if built.returncode:
        missing(f"a module of {source.name} (go build: {built.stderr.strip().splitlines()[-1]})")
    return program
