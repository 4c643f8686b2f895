"""The command line as a whole: help, and that everything wrong is one line and a status."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import click
import pytest

from recorder import __version__
from recorder.cli import recorder as group
from recorder.cli.summaries import SUMMARIES
from tests.cli.conftest import Call
from tests.conftest import ROOT

COMMANDS = [
    "start",
    "replay",
    "run",
    "stop",
    "status",
    "list",
    "env",
    "ca",
    "show",
    "stats",
    "report",
    "diff",
    "textconv",
    "refresh",
    "export",
    "import",
    "verify",
    "scrub",
    "addon",
    "demo",
]


def test_help_lists_every_command(call: Call) -> None:
    for flag in ("--help", "-h"):
        outcome = call(flag)
        assert (0, "") == (outcome.status, outcome.stderr)
        listed = [line.split()[0] for line in outcome.stdout.partition("Commands:\n")[2].splitlines()]
        assert COMMANDS == listed


@pytest.mark.parametrize("command", COMMANDS)
def test_the_summary_of_a_command_is_how_its_own_help_begins(command: str) -> None:
    found = group.get_command(click.Context(group), command)
    assert found is not None
    own = " ".join((found.help or "").split())
    assert own.startswith(SUMMARIES[command].rstrip("."))


def test_help_loads_no_command() -> None:
    program = """
import sys
from recorder.cli import recorder
recorder.main(["--help"], standalone_mode=False)
print(*sys.modules, file=sys.stderr)
"""
    told = subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True, capture_output=True, text=True)
    loaded = {name for name in told.stderr.split() if name.startswith("recorder")}
    assert {"recorder", "recorder.cli", "recorder.cli.summaries", "recorder.errors"} == loaded


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_and_option_is_explained(call: Call, command: str) -> None:
    outcome = call(command, "--help")
    assert (0, "") == (outcome.status, outcome.stderr)
    assert outcome.stdout.startswith(f"Usage: recorder {command}")
    found = group.get_command(click.Context(group), command)
    assert found is not None
    shown = [option for option in found.params if isinstance(option, click.Option) and not option.hidden]
    assert [] == [option.name for option in shown if not option.help]


def test_no_command_is_a_wrong_call_and_shows_the_help(call: Call) -> None:
    outcome = call()
    assert (2, "") == (outcome.status, outcome.stdout)
    assert "Commands:" in outcome.stderr


def test_the_version_is_the_packages(call: Call) -> None:
    outcome = call("--version")
    assert (0, f"recorder {__version__}\n", "") == (outcome.status, outcome.stdout, outcome.stderr)


@pytest.mark.parametrize(
    ("status", "arguments"),
    [
        (2, ["nope"]),
        (2, ["--nope"]),
        (2, ["run", "true"]),
        (2, ["start", "-s", "x", "--nope"]),
        (2, ["start", "-s", "x", "extra"]),
        (2, ["start", "-s"]),
        (2, ["start", "-s", "x", "--port", "80000"]),
        (2, ["start", "-s", "x", "--port", "http"]),
        (2, ["start", "-s", "x", "--port", "8081"]),
        (2, ["start", "-s", "x", "--host", "a b/c"]),
        (2, ["start", "-s", "x", "--host", "*.example.com"]),
        (2, ["start", "-s", "x", "--layout", "pretty"]),
        (2, ["start", "-s", "x", "--keep-header", "X:"]),
        (2, ["start", "-s", "x", "--connect-to", "nowhere"]),
        (2, ["start", "-s", "x", "--upstream-ca", "missing.pem"]),
        (2, ["start", "-s", "x", "--grace", "-1"]),
        (2, ["start", "-s", "x", "--grace", "nan"]),
        (2, ["start", "-s", "x", "--cassette-dir", "file"]),
        (2, ["start", "-s", "x", "--certs", "file"]),
        (1, ["start", "-s", "x", "--cassette-dir", "file/below"]),
        (2, ["run", "-s", "x"]),
        (2, ["run", "-s", "x", "--"]),
        (2, ["run", "-s", "x", "--", "no-such-command-here"]),
        (2, ["run", "-s", "x", "--", "./file"]),
        (2, ["run", "-s", "x", "--", "."]),
        (2, ["run", "-s", "x", "--", ""]),
        (2, ["run", "-s", "x", "--nope", "true"]),
        (1, ["stop"]),
        (1, ["stop", "nobody"]),
        (2, ["stop", "a", "b"]),
        (2, ["stop", "a", "--all"]),
        (1, ["env"]),
        (1, ["env", "nobody"]),
        (2, ["env", "nobody", "--shell", "cmd"]),
        (2, ["status", "extra"]),
        (2, ["list", "--cassette-dir", "file"]),
        (1, ["list"]),
        (2, ["demo", "--live"]),
        (2, ["demo", "--cassette-dir", "file"]),
    ],
    ids=lambda value: ascii(" ".join(value)) if isinstance(value, list) else "",
)
def test_what_is_wrong_is_one_line_and_leaves_nothing_behind(
    call: Call, place: Path, status: int, arguments: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENROUTER_API_KEY", raising=False)
    (place / "file").touch()
    outcome = call(*arguments)
    assert (status, "") == (outcome.status, outcome.stdout)
    assert outcome.stderr.startswith("recorder: ")
    assert 1 == len(outcome.stderr.splitlines())
    assert [place / "file"] == list(place.iterdir())
    assert not (place.parent / "state").exists()


@pytest.mark.parametrize("command", ["start", "run"])
def test_a_bad_name_is_a_wrong_call_and_leaves_nothing_behind(call: Call, place: Path, command: str) -> None:
    names = [
        "",
        "..",
        "../x",
        "/etc/x",
        "a//b",
        "a/../../x",
        "nul",
        "x.yaml",
        "a\\b",
        "C:x",
        "e\u0301",
        "a\u202eb",
        "x" * 999,
    ]
    for name in names:
        outcome = call(command, f"--session={name}", *(["--", "true"] if command == "run" else []))
        assert (2, "") == (outcome.status, outcome.stdout)
        assert outcome.stderr.startswith("recorder: expected a session's name")
        assert 1 == len(outcome.stderr.splitlines())
    assert [] == list(place.iterdir())
    assert [place] == list(place.parent.iterdir())


def test_a_wrong_file_stops_a_command_in_one_line(call: Call, place: Path) -> None:
    (place / "recorder.toml").write_text("colour = 1\n")
    for arguments in (["start", "-s", "x"], ["list"]):
        outcome = call(*arguments)
        assert (2, "") == (outcome.status, outcome.stdout)
        assert outcome.stderr.startswith(f"recorder: {place / 'recorder.toml'}: expected one of the settings")
        assert 1 == len(outcome.stderr.splitlines())


def test_a_state_folder_that_is_a_file_is_no_running_session(call: Call, place: Path) -> None:
    (place.parent / "state").touch()
    assert (0, "no session is running\n") == (call("status").status, call("status").stdout)


def test_the_quick_commands_do_not_load_mitmproxy(place: Path) -> None:
    program = """
import sys
from recorder.cli import recorder
recorder.main(sys.argv[1:], standalone_mode=False)
assert "mitmproxy" not in sys.modules, "mitmproxy was loaded"
"""
    (place / "cassettes").mkdir()
    root = str(Path(__file__).parents[2])
    for arguments in (
        ["status"],
        ["list"],
        ["stats"],
        ["show", "--help"],
        ["diff", "--help"],
        ["start", "--help"],
        ["run", "--help"],
    ):
        command = [sys.executable, "-W", "error", "-c", program, *arguments]
        subprocess.run(command, cwd=place, env={"PYTHONPATH": root}, check=True, capture_output=True, timeout=60)
