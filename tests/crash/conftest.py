"""Recorders that are killed, stopped and made to fail: forked, so that hundreds of them are cheap."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from recorder.simulator import Upstream
from tests.crash.nursery import ForkingLauncher, Nursery, forking


@pytest.fixture
def fork_recorder(tmp_path: Path, certs: Path, upstream: Upstream, nursery: Nursery) -> Iterator[ForkingLauncher]:
    """fork_recorder(*options, session=…): a running recorder in front of the simulated OpenRouter."""
    with forking(tmp_path, certs, upstream, nursery) as launcher:
        yield launcher
