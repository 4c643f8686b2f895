"""`list`: every cassette of a folder, whatever state it is in."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from recorder.cassette import GO_VCR, Cassette, dumps
from recorder.model import Interaction, Request, Response
from recorder.session import Ended, Registration, Running
from tests.cli.conftest import Call


def cassette(count: int) -> bytes:
    interaction = Interaction(
        request=Request(method="GET", url="https://openrouter.ai/api/v1/models"),
        response=Response(status="200 OK", code=200, duration=1, body=b"{}"),
    )
    return dumps(Cassette(interactions=(interaction,) * count, layout=GO_VCR))


@pytest.fixture
def folder(place: Path) -> Path:
    """Cassettes in every state, and what is none."""
    folder = place / "cassettes"
    (folder / "TestAgent").mkdir(parents=True)
    (folder / "whole.yaml").write_bytes(cassette(2))
    (folder / "TestAgent" / "one.yaml").write_bytes(cassette(1))
    (folder / "none.yaml").write_bytes(cassette(0))
    (folder / "torn.yaml").write_bytes(cassette(2)[:-20])
    (folder / "damaged.yaml").write_bytes(cassette(1).replace(b"code: 200", b"code: [200"))
    (folder / "empty.yaml").touch()
    (folder / "dangling.yaml").symlink_to(folder / "nowhere")
    os.mkfifo(folder / "pipe.yaml")
    (folder / os.fsdecode(b"caf\xe9.yaml")).write_bytes(cassette(1))
    (folder / "line\nend\x1b[2J.yaml").write_bytes(cassette(1))
    (folder / "whole.incomplete.yaml").write_bytes(cassette(1))
    (folder / "notes.txt").touch()
    return folder


def listed(call: Call, *arguments: str) -> dict[str, dict[str, Any]]:
    outcome = call("list", "--json", *arguments)
    assert (0, "") == (outcome.status, outcome.stderr)
    return {entry["session"]: entry for entry in json.loads(outcome.stdout)}


def test_each_cassette_is_told_with_its_state(call: Call, folder: Path) -> None:
    entries = listed(call)
    states = {name: (entry["interactions"], entry["state"].split(":")[0]) for name, entry in entries.items()}
    assert {
        "TestAgent/one": (1, "whole"),
        "caf\udce9": (1, "whole"),
        "damaged": (None, "damaged"),
        "dangling": (None, "unreadable"),
        "empty": (0, "empty"),
        "line\nend\x1b[2J": (1, "whole"),
        "none": (0, "empty"),
        "pipe": (None, "unreadable"),
        "torn": (1, "torn"),
        "whole": (2, "whole"),
    } == states
    assert sorted(entries) == list(entries)
    assert str(Path("cassettes/damaged.yaml")) in entries["damaged"]["state"]
    whole = folder / "whole.yaml"
    assert (whole.stat().st_size, whole.stat().st_mtime) == (entries["whole"]["bytes"], entries["whole"]["modified"])
    assert "cassettes/whole.yaml" == entries["whole"]["path"]


def test_a_cassette_that_is_being_written_is_running(call: Call, folder: Path) -> None:
    running = Running(
        session="torn",
        cassette=str(folder / "torn.yaml"),
        pid=os.getpid(),
        started=1.0,
        port=1,
        base_url_port=2,
        host="openrouter.ai",
        bundle="/b",
    )
    registration = Registration(running, folder.parents[1] / "state")
    (folder.parent / "link").symlink_to(folder)
    for where in ("cassettes", "link", str(folder)):
        entry = listed(call, "--cassette-dir", where)["torn"]
        assert (1, "running") == (entry["interactions"], entry["state"])
    registration.close(Ended(status=0, said=""))


@pytest.mark.usefixtures("folder")
def test_the_table_has_a_line_for_each(call: Call) -> None:
    outcome = call("list")
    assert 0 == outcome.status
    head, *lines = outcome.stdout.splitlines()
    assert ["SESSION", "INTERACTIONS", "SIZE", "LAST", "RECORDED", "STATE"] == head.split()
    assert 10 == len(lines)
    cells = {line.split()[0]: line.split()[1:] for line in lines}
    assert ["2", "875", "B"] == cells["whole"][:3]
    assert {"caf\\udce9", "line\\nend\\x1b[2J"} < set(cells)
    assert ["-", "-", "-", "unreadable:", "No", "such", "file", "or", "directory"] == cells["dangling"]


def test_a_folder_without_cassettes_says_so(call: Call, place: Path) -> None:
    (place / "cassettes").mkdir()
    assert (0, "no cassettes in cassettes\n") == (call("list").status, call("list").stdout)
    assert {} == listed(call)


def test_the_folder_can_come_from_the_file(call: Call, place: Path) -> None:
    (place / "testdata").mkdir()
    (place / "testdata" / "x.yaml").write_bytes(cassette(3))
    (place / "recorder.toml").write_text('cassette-dir = "testdata"\n')
    assert 3 == listed(call)["x"]["interactions"]
