"""What real clients recorded, they replay through each door: the network cut, no key, and the same result."""

from __future__ import annotations

import json
import re
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from recorder.simulator import start
from tests.clients.clients import BASE_URL, CLIENTS, DOORS, Client
from tests.clients.test_clients import Section, Way, bodies, run, written
from tests.e2e.processes import PATIENCE, launching

NO_KEY = "none"


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory, certs: Path) -> Iterator[Way]:
    """A recorder for the sessions that requests name, in front of a simulated OpenRouter."""
    with (
        start(seed="7") as upstream,
        launching(tmp_path_factory.mktemp("recording"), certs, upstream) as launcher,
    ):
        yield Way(http2=True, recorder=launcher(session=None), launcher=launcher, upstream=upstream)


@pytest.fixture(scope="module")
def replaying(tmp_path_factory: pytest.TempPathFactory, certs: Path, recording: Way) -> Iterator[Way]:
    """One that replays what the other has recorded, and has nothing behind it: port 1 is nobody's."""
    with launching(tmp_path_factory.mktemp("replaying"), certs) as launcher:
        told = [
            "--mode",
            "replay",
            "--cassette-dir",
            str(recording.launcher.cassettes),
            "--connect-to",
            "::127.0.0.1:1",
        ]
        recorder = launcher(*told, session=None)
        yield Way(http2=True, recorder=recorder, launcher=launcher, upstream=recording.upstream)


def texts(sections: list[Section]) -> list[bytes]:
    return [section.text for section in sections]


def ended(way: Way, session: str) -> dict[str, object]:
    """End a session by itself; what it came to."""
    request = urllib.request.Request(f"http://127.0.0.1:{way.recorder.base_url_port}/~{session}", method="DELETE")
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=PATIENCE) as answer:
        told: dict[str, object] = json.loads(answer.read())
    return told


@pytest.mark.parametrize("client", CLIENTS[::-1], ids=lambda client: client.name.replace("`", ""))
def test_it_replays_what_it_recorded(client: Client, recording: Way, replaying: Way, tmp_path: Path) -> None:
    files = written(list(bodies(client.name)), tmp_path)
    # Each door plays a tape of its own, so that none is left over for the other.
    for door in DOORS:
        session = re.sub(r"\W+", "-", f"{client.name}{door}")
        _, *recorded = run(client, BASE_URL, recording, session, files)
        told = ended(recording, session)
        assert len(files) == told["interactions"]
        _, *replayed = run(client, door, replaying, session, files, key=NO_KEY)
        assert texts(recorded) == texts(replayed)
        receipt = ended(replaying, session)["receipt"]
        assert isinstance(receipt, dict)
        assert (len(files), [], [], 0) == tuple(
            receipt[name] for name in ("served", "missed", "never_played", "upstream_connections")
        )
