"""`list`: every cassette of a folder, whatever state it is in."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from recorder.cassette import GO_VCR, Cassette, dumps
from recorder.model import Interaction, Request, Response
from recorder.session.registry import Ended, Registration, Running
from tests.cli.conftest import Call
from tests.llm.conversation.making import interaction


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
    assert ["SESSION", "INTERACTIONS", "MODELS", "TOKENS", "COST", "SIZE", "LAST", "RECORDED", "STATE"] == head.split()
    assert 10 == len(lines)
    cells = {line.split()[0]: line.split()[1:] for line in lines}
    assert ["2", "-", "-", "-", "875", "B"] == cells["whole"][:6]
    assert {"caf\\udce9", "line\\nend\\x1b[2J"} < set(cells)
    assert ["-", "-", "-", "-", "-", "-", "unreadable:", "No", "such", "file", "or", "directory"] == cells["dangling"]


def chat(model: str, told: dict[str, Any] | None, code: int = 200) -> Interaction:
    answer = {"model": model, "usage": told} if told else {"model": model}
    return interaction("/api/v1/chat/completions", {"model": model, "messages": []}, answer, code=code)


def test_models_tokens_and_cost_are_those_that_were_told(call: Call, place: Path) -> None:
    (place / "cassettes").mkdir()
    told = {"prompt_tokens": 1000, "completion_tokens": 34, "cost": 0.25}
    sessions = {
        "all": (chat("m/a", told), chat("m/b", told), chat("m/b", told)),
        "some": (chat("m/a", told), chat("m/a", None)),
        "none": (chat("m/a", None), chat("m/b", None), chat("m/c\x1b", None)),
        "refused": (chat("m/a", told), chat("m/a", None, 429)),
    }
    for name, interactions in sessions.items():
        data = dumps(Cassette(interactions=interactions, layout=GO_VCR))
        (place / "cassettes" / f"{name}.yaml").write_bytes(data)
    entries = listed(call)
    sums = {name: [entry[key] for key in ("prompt_tokens", "cost", "untold")] for name, entry in entries.items()}
    assert {
        "all": [3000, 0.75, 0],
        "some": [1000, 0.25, 1],
        "none": [None, None, 3],
        "refused": [1000, 0.25, 0],
    } == sums
    assert ["m/b", "m/a"] == entries["all"]["models"]
    rows = {line.split()[0]: line for line in call("list").stdout.splitlines()}
    assert "  m/b, m/a " in rows["all"]
    assert "  3,102  $0.75 " in " ".join(rows["all"].split(" ")).replace("   ", "  ")
    assert "  1,034+  $0.25 " in rows["some"]
    assert "m/a, m/b and 1 more  -" in rows["none"]


def test_a_folder_without_cassettes_says_so(call: Call, place: Path) -> None:
    (place / "cassettes").mkdir()
    assert (0, "no cassettes in cassettes\n") == (call("list").status, call("list").stdout)
    assert {} == listed(call)


def test_the_folder_can_come_from_the_file(call: Call, place: Path) -> None:
    (place / "testdata").mkdir()
    (place / "testdata" / "x.yaml").write_bytes(cassette(3))
    (place / "recorder.toml").write_text('cassette-dir = "testdata"\n')
    assert 3 == listed(call)["x"]["interactions"]
