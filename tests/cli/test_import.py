"""`recorder import`: into which session, of which hosts, and nothing where something is wrong."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from mitmproxy.io import FlowWriter

from recorder import cassette
from recorder.cassette import LAYOUTS
from recorder.errors import SecretError
from recorder.model import Interaction
from recorder.scrub import Scrubber
from recorder.session.recording import Recording
from recorder.session.settings import Settings
from tests.cli.conftest import Call
from tests.cli.test_export import put
from tests.formats.speaking import chat
from tests.formats.test_har import URL, entry
from tests.proxy.test_saved_flows import flow
from tests.session.test_recording import KEY


def har(place: Path, *entries: dict[str, Any], name: str = "browser.har") -> str:
    (place / name).write_text(json.dumps({"log": {"entries": entries}}), encoding="utf-8")
    return name


def held(path: str) -> tuple[Interaction, ...]:
    return cassette.loads(Path(path).read_bytes()).interactions


@pytest.mark.parametrize("form", ["har", "vcrpy"])
def test_what_was_exported_comes_back_to_the_byte(shared: Path, place: Path, call: Call, form: str) -> None:
    for number, path in enumerate(sorted((shared / "cassettes").rglob("*.yaml"))):
        file, back = str(place / "exported"), f"back{number}"
        layout = cassette.loads(path.read_bytes()).layout
        assert 0 == call("export", str(path), "--to", form, "-o", file).status
        options = ["--session", back, "--all-hosts", "--keep-header", "*", "--layout", layout.name]
        assert 0 == call("import", "--from", form, file, *options).status
        assert path.read_bytes() == (place / "cassettes" / f"{back}.yaml").read_bytes()


def test_a_browser_s_recording_is_scrubbed(place: Path, call: Call) -> None:
    file = har(place, entry(request__url=f"{URL}&key={KEY}"))
    assert KEY not in json.dumps(entry())
    outcome = call("import", "--from", "har", file)
    assert (0, "") == (outcome.status, outcome.stderr)
    assert f"{place}/cassettes/browser.yaml: 1 interaction\n" == outcome.stdout
    text = Path("cassettes/browser.yaml").read_text("utf-8")
    assert KEY not in text
    assert "sk-or-v1" not in text
    assert "[REDACTED:" in text or "%5BREDACTED:" in text
    assert "authorization" not in text.lower()


def test_headers_are_kept_by_name(place: Path, call: Call) -> None:
    file = har(place, entry())
    assert 0 == call("import", "--from", "har", file, "--keep-header", "authorization").status
    (found,) = held("cassettes/browser.yaml")
    assert ["Authorization", "Content-Type"] == list(found.request.headers)
    assert found.request.headers.first("Authorization").startswith("Bearer [REDACTED:openrouter-key:")


def test_it_appends_and_never_overwrites(place: Path, call: Call) -> None:
    put(place / "cassettes" / "team" / "hi.yaml", chat("Hi"))
    before = Path("cassettes/team/hi.yaml").read_bytes()
    file = har(place, entry())
    for count in (2, 3):
        assert 0 == call("import", "--from", "har", file, "--session", "team/hi").status
        assert count == len(held("cassettes/team/hi.yaml"))
    assert Path("cassettes/team/hi.yaml").read_bytes().startswith(before)


def test_only_the_hosts_that_are_asked_for_are_imported(place: Path, call: Call) -> None:
    others = [entry("https://x.test/a"), entry("https://x.test/b"), entry("https://y.test/")]
    file = har(place, entry(), *others)
    outcome = call("import", "--from", "har", file)
    assert "left out, of hosts that are not imported: x.test (2), y.test (1)" == outcome.stdout.splitlines()[1]
    assert 0 == call("import", "--from", "har", file, "--host", "*.test,z.test", "-s", "tests").status
    assert 3 == len(held("cassettes/tests.yaml"))
    assert 0 == call("import", "--from", "har", file, "--all-hosts", "-s", "all").status
    assert 4 == len(held("cassettes/all.yaml"))
    outcome = call("import", "--from", "har", har(place, *others, name="others.har"))
    assert 1 == outcome.status
    assert (
        "recorder: others.har: expected exchanges with the hosts that are imported, found only x.test (2), y.test (1); "
        "--host NAME imports another host's, --all-hosts all\n"
    ) == outcome.stderr


def test_mitmproxy_s_flows_are_imported(place: Path, call: Call) -> None:
    file = io.BytesIO()
    first, second = flow(), flow()
    second.request.headers["X-Api-Key"] = KEY
    first.request.text = f'{{"a":"{KEY}"}}'
    for each in (first, second):
        FlowWriter(file).add(each)
    (place / "flows.mitm").write_bytes(file.getvalue())
    outcome = call("import", "--from", "mitm", "flows.mitm", "--layout", "charm")
    assert (0, "") == (outcome.status, outcome.stderr)
    assert 2 == len(held("cassettes/flows.yaml"))
    assert LAYOUTS["charm"] == cassette.loads(Path("cassettes/flows.yaml").read_bytes()).layout
    assert KEY not in Path("cassettes/flows.yaml").read_text("utf-8")


def test_what_the_file_does_not_hold_goes_to_the_incomplete(place: Path, call: Call) -> None:
    file = har(place, entry(response__content={"size": 9, "mimeType": "text/event-stream"}))
    outcome = call("import", "--from", "har", file)
    assert f"{place}/cassettes/browser.yaml: 0 interactions, 1 incomplete\n" == outcome.stdout
    assert not Path("cassettes/browser.yaml").exists()
    assert b"does not hold the body" in Path("cassettes/browser.incomplete.yaml").read_bytes()


def test_an_opaque_body_is_only_imported_where_that_was_allowed(place: Path, call: Call) -> None:
    binary = {"body": {"string": None, "base64_string": "/w=="}, "status": {"code": 200, "message": "OK"}}
    response = {**binary, "headers": {"content-encoding": ["gzip"]}}
    request: dict[str, Any] = {"method": "GET", "uri": URL, "body": None, "headers": {}}
    (place / "tape.json").write_text(
        json.dumps({"version": 1, "interactions": [{"request": request, "response": response}]}), encoding="utf-8"
    )
    outcome = call("import", "--from", "vcrpy", "tape.json")
    assert 1 == outcome.status
    assert outcome.stderr.startswith("recorder: GET to openrouter.ai: ")
    assert not Path("cassettes/tape.yaml").exists()
    assert 0 == call("import", "--from", "vcrpy", "tape.json", "--allow-opaque").status
    assert [b"\xff"] == [each.response.body for each in held("cassettes/tape.yaml")]


def test_the_gate_stands_behind_the_scrubber(place: Path, call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Scrubber, "_plain", lambda _self, body: body)
    file = har(place, entry(response__content={"size": 9, "mimeType": "a/b", "text": f'{{"k":"{KEY}"}}'}))
    outcome = call("import", "--from", "har", file)
    assert SecretError.exit_code == outcome.status
    assert "expected no secret behind the scrubber" in outcome.stderr
    assert KEY not in outcome.stderr
    assert not Path("cassettes/browser.yaml").exists()


@pytest.mark.parametrize(
    ("arguments", "status", "expected"),
    [
        (["none.har", "--from", "har"], 2, "File 'none.har' does not exist"),
        (["empty", "--from", "csv"], 2, "'csv' is not one of 'har', 'vcrpy', 'mitm'"),
        (["empty", "--from", "har"], 1, "empty:1: expected JSON"),
        (["empty", "--from", "vcrpy"], 1, "empty: expected a cassette of vcrpy's"),
        (["empty", "--from", "mitm"], 1, "empty: expected HTTP exchanges, found none"),
        (["browser.har", "--from", "mitm"], 1, "expected flows of mitmproxy's, found JSON; try --from har"),
        (["browser.har", "--from", "har", "-s", "../x"], 2, "expected a session's name"),
        (["browser.har", "--from", "har", "--host", "a b?"], 2, "expected a host"),
        (["browser.har", "--from", "har", "--layout", "x"], 2, "expected a layout"),
    ],
)
def test_a_wrong_call_is_one_line(place: Path, call: Call, arguments: list[str], status: int, expected: str) -> None:
    har(place, entry())
    (place / "empty").touch()
    outcome = call("import", *arguments)
    assert (status, "") == (outcome.status, outcome.stdout)
    assert expected in outcome.stderr
    assert 1 == outcome.stderr.count("\n")
    assert not (place / "cassettes").exists()


def test_a_session_that_is_being_recorded_is_left_alone(place: Path, call: Call) -> None:
    settings = Settings(cassette_dir=place / "cassettes")
    recording = Recording.start(settings, "browser", now=0, salt=bytes(16), environ={})
    try:
        outcome = call("import", "--from", "har", har(place, entry()))
    finally:
        recording.close()
    assert 1 == outcome.status
    assert "browser.yaml: is being recorded by pid " in outcome.stderr
    assert not (place / "cassettes" / "browser.yaml").exists()
