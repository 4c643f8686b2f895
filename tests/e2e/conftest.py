"""What end-to-end tests share: the simulated OpenRouter, a CA that is made once, and recorders to start."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from recorder.upstream import Upstream, start
from tests.e2e.processes import Launcher, launching


@pytest.fixture(scope="session")
def upstream() -> Iterator[Upstream]:
    """The simulated OpenRouter, with TLS and HTTP/2, which may not leave a word on stderr."""
    running = start(seed="7")
    yield running
    assert "" == running.stop()


@pytest.fixture(scope="session")
def certs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for the CA: the first recorder makes it, which takes a third of a second, and the others use it."""
    return tmp_path_factory.mktemp("ca") / "certs"


@pytest.fixture
def start_recorder(tmp_path: Path, certs: Path, upstream: Upstream) -> Iterator[Launcher]:
    """start_recorder(*options, session=…): a running recorder in front of the simulated OpenRouter."""
    with launching(tmp_path, certs, upstream) as launcher:
        yield launcher


@pytest.fixture(scope="module")
def shared_recorder(tmp_path_factory: pytest.TempPathFactory, certs: Path, upstream: Upstream) -> Iterator[Launcher]:
    """The same for a whole module: for tests that leave a recorder as it was."""
    with launching(tmp_path_factory.mktemp("recorder"), certs, upstream) as launcher:
        yield launcher
