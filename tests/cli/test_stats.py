"""`stats`: sessions in numbers, for people and for programs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from recorder.cassette import GO_VCR, Cassette, dumps
from tests.cli.conftest import Call
from tests.llm.conversation.making import interaction

USAGE = {
    "prompt_tokens": 1000,
    "completion_tokens": 20,
    "cost": 0.25,
    "completion_tokens_details": {"reasoning_tokens": 7},
}


@pytest.fixture
def folder(place: Path) -> Path:
    """`a`: two answers of one model; `b`: an answer of another that tells nothing, and a refusal."""
    asked = {"messages": [], "model": "x"}
    told = interaction("/chat/completions", asked, {"model": "m/one", "provider": "P", "usage": USAGE})
    untold = interaction("/chat/completions", asked, {"model": "m/two\x1b"})
    refused = interaction("/chat/completions", asked, {"error": {"message": "no"}}, code=429)
    folder = place / "cassettes"
    folder.mkdir()
    for name, interactions in {"a": (told, told), "b": (untold, refused, refused)}.items():
        (folder / f"{name}.yaml").write_bytes(dumps(Cassette(interactions=interactions, layout=GO_VCR)))
    return folder


def rows(call: Call, *arguments: str) -> dict[str, list[str]]:
    outcome = call("stats", *arguments)
    assert (0, "") == (outcome.status, outcome.stderr)
    split = [[cell.strip() for cell in line.split("  ") if cell.strip()] for line in outcome.stdout.splitlines()]
    return {cells[0]: cells[1:] for cells in split}


@pytest.mark.usefixtures("folder")
def test_each_session_is_a_row_and_so_are_all(call: Call) -> None:
    unknown = "unknown"
    assert {
        "SESSION": [
            *("REQUESTS", "ERRORS", "RETRIES", "PROMPT", "COMPLETION", "REASONING", "CACHED", "COST"),
            *("FIRST BYTE p50, p95", "FIRST TOKEN p50, p95", "TOKENS/S p50, p95"),
        ],
        "a": ["2", "0", "0", "2,000", "40", "14", unknown, "$0.5", "1 ms, 1 ms", unknown, unknown],
        "b": ["3", "2", "1", *[unknown] * 5, "1 ms, 1 ms", unknown, unknown],
        "all": ["5", "2", "1", "2,000+", "40+", "14+", unknown, "$0.5+", "1 ms, 1 ms", unknown, unknown],
    } == rows(call)


@pytest.mark.usefixtures("folder")
def test_a_row_can_be_a_model_a_provider_or_both(call: Call) -> None:
    assert ["MODEL", "m/one", "m/two\\x1b", "x", "all"] == list(rows(call, "--by", "model"))
    assert ["PROVIDER", "P", "api.example.com", "all"] == list(rows(call, "--by", "provider"))
    both = call("stats", "--by", "provider", "--by", "model", "--json")
    assert [("P", "m/one"), ("api.example.com", "m/two\x1b"), ("api.example.com", "x")] == [
        (row["provider"], row["model"]) for row in json.loads(both.stdout)
    ]


def test_sessions_and_files_can_be_named(call: Call, folder: Path) -> None:
    assert ["SESSION", "a"] == list(rows(call, "a"))
    assert ["SESSION", str(folder / "b.yaml"), "a", "all"] == list(rows(call, str(folder / "b.yaml"), "a"))


@pytest.mark.usefixtures("folder")
def test_json_has_null_for_what_is_unknown(call: Call) -> None:
    (row,) = json.loads(call("stats", "b", "--json").stdout)
    assert {"session": "b", "requests": 3, "errors": 2, "retries": 1} == {key: row[key] for key in list(row)[:4]}
    assert {"total": None, "untold": 1} == row["prompt_tokens"] == row["cost"]
    assert {"median": 1_000_000, "p95": 1_000_000, "known": 1} == row["first_byte"]
    assert {"median": None, "p95": None, "known": 0} == row["first_token"]


def test_a_damaged_cassette_counts_as_far_as_it_is_whole(call: Call, folder: Path) -> None:
    (folder / "a.yaml").write_bytes((folder / "a.yaml").read_bytes()[:-20])
    (folder / "c.yaml").mkdir()
    outcome = call("stats")
    assert 1 == outcome.status
    assert outcome.stdout.splitlines()[1].startswith("a        1 ")
    assert outcome.stderr.startswith("recorder: cassettes/a.yaml:")
    assert 1 == len(outcome.stderr.splitlines())


def test_without_interactions_it_says_so(call: Call, place: Path) -> None:
    (place / "cassettes").mkdir()
    assert (0, "no interactions\n") == (call("stats").status, call("stats").stdout)
    assert [] == json.loads(call("stats", "--json").stdout)


@pytest.mark.parametrize(
    ("status", "arguments"), [(1, []), (1, ["nobody"]), (2, ["--by", "colour"]), (2, ["--cassette-dir", "file"])]
)
def test_a_wrong_call_is_one_line(call: Call, place: Path, status: int, arguments: list[str]) -> None:
    (place / "file").touch()
    outcome = call("stats", *arguments)
    assert (status, "") == (outcome.status, outcome.stdout)
    assert 1 == len(outcome.stderr.splitlines())
