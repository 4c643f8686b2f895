"""Real cassettes recorded once more: their answers served, their requests made, through a real recorder of ours.

They were written by go-vcr inside Go programs. What our recorder makes of the same exchanges has to be the same file,
byte for byte, but for what was measured anew.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import trustme

from recorder.cassette import loads
from tests.conftest import ROOT
from tests.crash.nursery import Nursery, forking
from tests.e2e.processes import Launcher
from tests.e2e.reciting import ask, reciting

CASSETTES = ROOT.parent / "shared" / "cassettes"
NAMES = sorted(str(file.relative_to(CASSETTES)) for file in CASSETTES.rglob("*.yaml"))
# Where the key stands in each layout; the lines of a body are indented further.
DURATION = {name: re.compile(rb"(?m)^( {%d}duration: )\S+$" % column) for name, column in (("charm", 4), ("seed", 8))}


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def launcher(tmp_path: Path, certs: Path, nursery: Nursery) -> Iterator[Launcher]:
    with forking(tmp_path, certs, None, nursery) as made:
        yield made


@pytest.mark.parametrize("name", NAMES or ["none"])
def test_a_real_cassette_is_recorded_again_byte_for_byte(
    shared: Path, launcher: Launcher, authority: trustme.CA, name: str
) -> None:
    old = (shared / "cassettes" / name).read_bytes()
    cassette = loads(old)
    requests = [interaction.request for interaction in cassette.interactions]
    ca_file = launcher.folder / "ca.pem"
    authority.cert_pem.write_to_path(str(ca_file))
    options = ["--layout", cassette.layout.name, "--upstream-ca", str(ca_file)]
    for host in sorted({urlsplit(request.url).netloc for request in requests}):
        options += ["--host", host]
    with reciting(cassette.interactions, authority) as server:
        options += ["--connect-to", f"::127.0.0.1:{server.port}"]
        recorder = launcher(*options, session=name.removesuffix(".yaml"))
        ask(recorder.port, recorder.bundle, requests)
        assert 0 == recorder.stop(), recorder.output
    assert [(request.method, request.url, request.body) for request in requests] == server.heard
    new = recorder.cassette.read_bytes()
    duration = DURATION[cassette.layout.name]
    assert len(requests) == len(duration.findall(new)) == len(duration.findall(old))
    assert duration.sub(rb"\1", old) == duration.sub(rb"\1", new)


def test_there_are_seventy_of_them(shared: Path) -> None:
    assert 70 == len(NAMES) == len(list((shared / "cassettes").rglob("*.yaml")))
