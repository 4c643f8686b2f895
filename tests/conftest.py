"""What every test may use. Nothing here talks to anything but loopback."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

import tests.proxy.quietly  # noqa: F401 - before any test loads mitmproxy
from recorder.simulator import Upstream, start
from tests.crash.nursery import Nursery
from tests.e2e.processes import Launcher, launching

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


@pytest.fixture(scope="session")
def nursery() -> Iterator[Nursery]:
    """Where recorders are forked, for tests that need many."""
    running = Nursery()
    yield running
    running.close()
