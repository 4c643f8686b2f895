"""Go programs of the tests, built from their pinned modules."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from tests.conftest import missing

GO = Path(__file__).parent / "go"
# go-vcr's version → how a program is built with it. The others of the wild spell as one of these two.
GO_VCR = {"4.0.7": [], "4.0.6": ["-modfile=previous.mod", "-tags=previous"]}


def build(source: Path, program: Path, flags: list[str], *, test: str = "") -> Path:
    """The program at `program`, or that of the package `test`'s tests.

    Without Go, or without the modules and a way to them, the test that asks is skipped.
    """
    if not shutil.which("go"):
        missing("go (https://go.dev/dl, to hold our cassettes against go-vcr's own)")
    command = ["go", *(("test", "-c") if test else ("build",)), *flags, "-o", str(program), test or "."]
    built = subprocess.run(command, cwd=source, capture_output=True, text=True, check=False)
    assert "\n# recorder/" not in f"\n{built.stderr}", built.stderr  # it does not compile
    if built.returncode:
        missing(f"a module of {source.name} (go build: {built.stderr.strip().splitlines()[-1]})")
    return program
