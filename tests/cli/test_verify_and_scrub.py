"""`recorder verify` and `recorder scrub`, on files."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from recorder import cassette
from recorder.cli.scrub import scrub_command
from recorder.cli.verify import verify_command
from recorder.errors import UsageError
from recorder.model import Fields, Interaction, Request, Response

KEY = "sk-or-" + "v1-" + "0123456789abcdef" * 4


def recorded(text: str) -> bytes:
    """A cassette of one interaction whose answer says `text`."""
    response = Response(status="200 OK", code=200, duration=1, body=text.encode(), headers=Fields([("X-Kept", "yes")]))
    request = Request(method="POST", url="https://openrouter.ai/api/v1/chat/completions")
    return cassette.dumps(cassette.Cassette(interactions=(Interaction(request=request, response=response),)))


@pytest.fixture
def folder(place: Path) -> Path:
    (place / "below").mkdir()
    (place / "clean.yaml").write_bytes(recorded("hello"))
    (place / "below" / "leak.yaml").write_bytes(recorded(f"your key is {KEY}"))
    return place


def test_a_secret_is_found_named_and_not_shown(folder: Path) -> None:
    result = CliRunner().invoke(verify_command, [str(folder)], standalone_mode=False)
    assert result.return_value == 3
    assert "openrouter-key in interaction 0, response.body" in result.output
    assert "2 cassettes checked, 1 secret found" in result.output
    assert KEY not in result.output


def test_clean_cassettes_are_silent(folder: Path) -> None:
    result = CliRunner().invoke(verify_command, [str(folder / "clean.yaml")], standalone_mode=False)
    assert (result.return_value, result.output) == (0, "1 cassette checked, 0 secrets found\n")


def test_a_damaged_cassette_is_told_apart_from_a_secret(folder: Path) -> None:
    whole = (folder / "clean.yaml").read_bytes()
    (folder / "clean.yaml").write_bytes(whole[:-20])
    result = CliRunner().invoke(verify_command, [str(folder / "clean.yaml")], standalone_mode=False)
    assert result.return_value == 1
    assert "0 secrets found, 1 damaged" in result.output
    both = CliRunner().invoke(verify_command, [str(folder)], standalone_mode=False)
    assert both.return_value == 3


def test_the_formats_for_machines(folder: Path) -> None:
    as_json = CliRunner().invoke(verify_command, [str(folder), "--format", "json"], standalone_mode=False)
    problem = {
        "path": str(folder / "below/leak.yaml"),
        "damage": None,
        "findings": [{"rule": "openrouter-key", "where": "interaction 0, response.body, line 1"}],
    }
    assert json.loads(as_json.output) == {"checked": 2, "problems": [problem]}
    (folder / "a,b:c").mkdir()
    shutil.move(folder / "below/leak.yaml", folder / "a,b:c/leak.yaml")
    github = CliRunner().invoke(verify_command, ["a,b:c", "--format", "github"], standalone_mode=False)
    expected = "::error file=a%2Cb%3Ac/leak.yaml::openrouter-key in interaction 0, response.body, line 1"
    assert expected == github.output.splitlines()[0]


def test_a_folder_without_cassettes_is_a_wrong_call(folder: Path) -> None:
    (folder / "empty").mkdir()
    result = CliRunner().invoke(verify_command, ["empty"], standalone_mode=False)
    assert isinstance(result.exception, UsageError)


def _written(path: Path) -> tuple[int, int, int]:
    """Changes with each write, and not with a read."""
    status = path.stat()
    return status.st_ino, status.st_size, status.st_mtime_ns


def test_scrub_changes_what_it_must_and_nothing_else(folder: Path) -> None:
    clean = folder / "clean.yaml"
    leak = folder / "below" / "leak.yaml"
    leak.chmod(0o640)
    clean_before, leak_before = _written(clean), leak.read_bytes()
    rehearsed = CliRunner().invoke(scrub_command, [str(folder), "--dry-run"], standalone_mode=False)
    assert leak_before == leak.read_bytes()
    assert "2 cassettes, 1 to change" in rehearsed.output
    done = CliRunner().invoke(scrub_command, [str(folder)], standalone_mode=False)
    assert "2 cassettes, 1 changed" in done.output
    assert clean_before == _written(clean)
    assert leak.stat().st_mode & 0o777 == 0o640
    (interaction,) = cassette.loads(leak.read_bytes()).interactions
    assert interaction.response.body.startswith(b"your key is [REDACTED:openrouter-key:")
    assert dict(interaction.response.headers) == {"X-Kept": ("yes",)}
    assert CliRunner().invoke(verify_command, [str(folder)], standalone_mode=False).return_value == 0
    again = CliRunner().invoke(scrub_command, [str(folder)], standalone_mode=False)
    assert "2 cassettes, 0 changed" in again.output
    assert sorted(path.name for path in folder.rglob("*") if path.is_file()) == ["clean.yaml", "leak.yaml"]


def test_the_users_own_rules_are_asked_too(folder: Path) -> None:
    (folder / "recorder.toml").write_text('[[scrub]]\nname = "greeting"\nexpression = "hel+o"\n', encoding="utf-8")
    result = CliRunner().invoke(verify_command, ["clean.yaml"], standalone_mode=False)
    assert result.return_value == 3
    assert "greeting in interaction 0, response.body" in result.output


def test_real_cassettes_are_clean_and_stay_as_they_are(shared: Path, tmp_path: Path) -> None:
    copies = tmp_path / "copies"
    shutil.copytree(shared / "cassettes", copies)
    originals = {path: path.read_bytes() for path in copies.rglob("*.yaml")}
    assert len(originals) == 70
    assert CliRunner().invoke(verify_command, [str(copies)], standalone_mode=False).return_value == 0
    CliRunner().invoke(scrub_command, [str(copies)], standalone_mode=False)
    assert originals == {path: path.read_bytes() for path in copies.rglob("*.yaml")}
