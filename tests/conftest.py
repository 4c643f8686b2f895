"""What every test may use. Nothing here talks to anything but loopback."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def missing(what: str) -> None:
    """Skip the test because `what` is not on this machine; under CI that is a failure, never a skip."""
    if os.environ.get("CI"):
        pytest.fail(f"{what} is missing, and under CI nothing may be skipped")
    pytest.skip(f"{what} is missing")


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real cassettes and vectors beside the project's own checkout; a user's clone has none."""
    folder = ROOT.parent / "shared"
    if not folder.is_dir():
        missing("../shared (the project's own checkout has it beside it)")
    return folder
