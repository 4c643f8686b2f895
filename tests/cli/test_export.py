"""`recorder export`: which sessions, where to, and what is refused."""

from __future__ import annotations

import json
import os
import pty
import stat
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from recorder.cassette import Cassette, dumps
from recorder.model import Fields, Interaction
from tests.cassette.strategies import plain_interaction
from tests.cli.conftest import Call
from tests.conftest import ROOT
from tests.formats.speaking import ASKED, CALL, chat, streamed
from tests.session.test_recording import KEY

FORMATS = ("har", "vcrpy", "jsonl", "openai-messages", "parquet")


def put(path: Path, *kept: Interaction) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(dumps(Cassette(interactions=kept)))
    return path


@pytest.fixture
def cassettes(place: Path) -> Path:
    """Two sessions: `weather`, a conversation, and `more/hi`."""
    said = [*ASKED, {"role": "assistant", "content": None, "tool_calls": [CALL]}]
    result = {"role": "tool", "tool_call_id": "c1", "content": "40 C"}
    put(place / "cassettes" / "weather.yaml", streamed(), chat("Warm.", asked=[*said, result]))
    put(place / "cassettes" / "more" / "hi.yaml", chat("Hi"))
    return place / "cassettes"


@pytest.mark.parametrize("form", [form for form in FORMATS if form != "parquet"])
def test_a_file_has_what_standard_output_has(cassettes: Path, call: Call, form: str) -> None:
    piped = call("export", "weather", "--to", form)
    filed = call("export", "weather", "--to", form, "-o", "out")
    assert piped == call("export", "weather", "--to", form, "-o", "-")
    assert (0, "", 0, "", "") == (piped.status, piped.stderr, filed.status, filed.stdout, filed.stderr)
    assert Path("out").read_text("utf-8") == piped.stdout
    assert piped.stdout.endswith("\n")
    assert [] == list(cassettes.parent.glob(".out*"))


@pytest.mark.usefixtures("cassettes")
def test_sessions_have_their_names_in_what_is_written(call: Call) -> None:
    for names in (["more/hi", "weather"], ["--all"], ["cassettes/more/hi.yaml", "cassettes/weather.yaml"]):
        told = call("export", *names, "--to", "jsonl").stdout.splitlines()
        assert ["more/hi", "weather", "weather"] == [json.loads(line)["session"] for line in told]
        pages = json.loads(call("export", *names, "--to", "har").stdout)["log"]["pages"]
        assert ["more/hi", "weather"] == [page["id"] for page in pages]
        assert 0 == call("export", *names, "--to", "parquet", "-o", "all.parquet").status
        rows = pq.read_table("all.parquet").to_pylist()
        assert [("more/hi", 0), ("weather", 0), ("weather", 1)] == [(row["session"], row["id"]) for row in rows]


@pytest.mark.usefixtures("cassettes")
def test_messages_are_one_line_a_conversation(call: Call) -> None:
    assert 1 == len(call("export", "weather", "--to", "openai-messages").stdout.splitlines())
    assert 2 == len(call("export", "weather", "--to", "openai-messages", "--every-turn").stdout.splitlines())


@pytest.mark.usefixtures("cassettes")
@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["weather"], "Missing option '--to'"),
        (["--to", "har"], "expected NAMEs, or --all"),
        (["weather", "--all", "--to", "har"], "expected NAMEs, or --all"),
        (["weather", "--to", "csv"], "'csv' is not one of 'har', 'vcrpy', 'jsonl', 'openai-messages', 'parquet'"),
        (["weather", "--to", "har", "--every-turn"], "expected --every-turn with --to openai-messages"),
        (["--all", "--to", "vcrpy"], "expected one session for vcrpy, whose cassettes have no names in them, found 2"),
        (["weather", "--to", "har", "-o", "cassettes/weather.yaml"], "expected another FILE than a cassette"),
    ],
)
def test_a_wrong_call_is_one_line(call: Call, arguments: list[str], expected: str) -> None:
    outcome = call("export", *arguments)
    assert (2, "") == (outcome.status, outcome.stdout)
    assert expected in outcome.stderr
    assert 1 == outcome.stderr.count("\n")


def test_a_cassette_is_never_overwritten(cassettes: Path, call: Call) -> None:
    before = (cassettes / "weather.yaml").read_bytes()
    assert 2 == call("export", "more/hi", "--to", "vcrpy", "-o", "cassettes/weather.yaml").status
    assert before == (cassettes / "weather.yaml").read_bytes()


@pytest.mark.usefixtures("cassettes")
def test_another_file_is_replaced_and_keeps_its_mode(call: Call) -> None:
    Path("out").write_text("before", encoding="utf-8")
    Path("out").chmod(0o600)
    assert 0 == call("export", "weather", "--to", "jsonl", "-o", "out").status
    assert 0o600 == stat.S_IMODE(Path("out").stat().st_mode)
    assert "before" not in Path("out").read_text("utf-8")


@pytest.mark.parametrize("form", FORMATS)
def test_a_secret_is_not_exported(place: Path, call: Call, form: str) -> None:
    one = plain_interaction()
    leaking = replace(one, request=replace(one.request, headers=Fields([("Authorization", f"Bearer {KEY}")])))
    put(place / "cassettes" / "leak.yaml", leaking)
    Path("out").write_text("before", encoding="utf-8")
    outcome = call("export", "leak", "--to", form, "-o", "out")
    assert (3, "") == (outcome.status, outcome.stdout)
    assert "expected no secret, found openrouter-key in interaction 0, request.headers.Authorization" in outcome.stderr
    assert "`recorder scrub cassettes/leak.yaml` takes it out" in outcome.stderr
    assert KEY not in outcome.stderr
    assert "before" == Path("out").read_text("utf-8")
    assert 0 == call("scrub", "cassettes/leak.yaml").status
    assert 0 == call("export", "leak", "--to", form, "-o", "out").status


def test_a_rule_of_the_user_s_holds_here_too(place: Path, call: Call) -> None:
    Path("recorder.toml").write_text('[[scrub]]\nname = "customer"\nexpression = "cust-[0-9]{8}"\n', encoding="utf-8")
    put(place / "cassettes" / "leak.yaml", plain_interaction(b'{"a":"cust-12345678"}'))
    assert 3 == call("export", "leak", "--to", "jsonl").status


def test_a_torn_cassette_is_exported_as_far_as_it_is_whole(cassettes: Path, call: Call) -> None:
    path = cassettes / "weather.yaml"
    path.write_bytes(path.read_bytes()[:-40])
    outcome = call("export", "--all", "--to", "jsonl")
    assert 1 == outcome.status
    assert ["more/hi", "weather"] == [json.loads(line)["session"] for line in outcome.stdout.splitlines()]
    assert "expected a whole interaction" in outcome.stderr


@pytest.mark.usefixtures("cassettes")
def test_without_pyarrow_it_says_what_to_install(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    outcome = call("export", "--all", "--to", "parquet", "-o", "out")
    assert 1 == outcome.status
    assert outcome.stderr.endswith("; pip install 'openrouter-recorder[parquet]'\n")
    assert not Path("out").exists()


def run(place: Path, *arguments: str, stdout: int) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "recorder", *arguments],
        cwd=place,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=subprocess.PIPE,
        timeout=30,
        check=False,
    )


def test_parquet_goes_into_a_pipe_but_not_to_a_terminal(cassettes: Path) -> None:
    place = cassettes.parent
    piped = run(place, "export", "--all", "--to", "parquet", stdout=subprocess.PIPE)
    assert (0, b"") == (piped.returncode, piped.stderr)
    assert (b"PAR1", b"PAR1") == (piped.stdout[:4], piped.stdout[-4:])
    leader, follower = pty.openpty()
    shown = run(place, "export", "--all", "--to", "parquet", stdout=follower)
    os.close(follower)
    os.close(leader)
    assert (2, b"recorder: expected a FILE for parquet (-o FILE), or a pipe, found a terminal\n") == (
        shown.returncode,
        shown.stderr,
    )


def test_a_terminal_obeys_nothing(place: Path) -> None:
    put(place / "cassettes" / "odd.yaml", chat("a\x9b31mb"))
    leader, follower = pty.openpty()
    shown = run(place, "export", "odd", "--to", "openai-messages", stdout=follower)
    os.close(follower)
    text = os.read(leader, 100_000)
    os.close(leader)
    assert 0 == shown.returncode
    assert b"a\\x9b31mb" in text
