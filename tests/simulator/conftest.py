"""Asking the simulator without a socket, and the shapes of recorded traffic to hold it against."""

from __future__ import annotations

import json
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from recorder.simulator import Upstream, start
from recorder.simulator.api import Incoming, answer
from recorder.simulator.behaviour import loads
from recorder.simulator.script import Answer
from recorder.simulator.seeded import seeded

KEY = "sk-or-v1-0000000000000000000000000000000000000000000000000000000000000000"

Post = Callable[..., Answer]
Bodies = Callable[[str], list[str]]


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    """One for the module's tests, which may not leave a word on stderr."""
    running = start(seed="7")
    yield running
    assert "" == running.stop()


@pytest.fixture
def trust(upstream: Upstream) -> ssl.SSLContext:
    """One for each test: httpx writes the protocols of its client into the context that it is given."""
    return ssl.create_default_context(cafile=upstream.ca_file)


@pytest.fixture(scope="session")
def key() -> str:
    return KEY


@pytest.fixture
def post() -> Post:
    """post(path, body, sim, **headers): what would be answered."""

    def post(path: str, body: Any, sim: str = "", *, nth: int = 0, **headers: str) -> Answer:
        given = {"authorization": f"Bearer {KEY}", **{name.replace("_", "-"): value for name, value in headers.items()}}
        path, _, query = path.partition("?")
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        request = Incoming(method="POST", path=path, query=query, headers=given, body=data)
        return answer(request, loads(sim), seeded("7", data, nth=nth))

    return post


@pytest.fixture(scope="session")
def bodies(shared: Path) -> Bodies:
    """bodies(name): the response bodies of a real cassette, in order."""

    def read(name: str) -> list[str]:
        cassette = yaml.load((shared / "cassettes" / name).read_bytes(), yaml.CSafeLoader)
        return [interaction["response"]["body"] for interaction in cassette["interactions"]]

    return read
