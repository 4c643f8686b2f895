"""`recorder demo`: the conversation that the project was started from, recorded through each door.

Nothing here that a user could not type: it runs `recorder run` twice, around the official `openai` client, against the
simulated OpenRouter, or with --live against the real one.
"""

from __future__ import annotations

import importlib.util
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import click

from recorder import simulator
from recorder.cassette import loads
from recorder.errors import RecorderError, UsageError
from recorder.model import Interaction
from recorder.session.settings_table import SETTINGS

_MODEL = "x-ai/grok-code-fast-1"
_NEEDED = ("openai", "hypercorn", "trustme")
_DOORS = {"demo/proxy": (), "demo/base-url": ("--base-url",)}
_TITLES = {"demo/proxy": "Through the proxy port (HTTPS_PROXY)", "demo/base-url": "Through the base-URL port"}
_SHOWN_LINES = 26


@click.command("demo")
@click.option("--live", is_flag=True, help="Against the real OpenRouter, with the key in OPENROUTER_API_KEY.")
@click.option("--model", default=_MODEL, show_default=True, help="Model to ask.")
@click.option(
    "--cassette-dir",
    type=click.Path(path_type=Path, file_okay=False),
    default=SETTINGS["cassette-dir"].default,
    show_default=True,
    help="Folder of the cassettes.",
)
def demo_command(*, live: bool, model: str, cassette_dir: Path) -> int:
    """Record a conversation with a tool through each door, and show the cassette."""
    for module in _NEEDED:
        if importlib.util.find_spec(module) is None:
            raise UsageError(
                f"expected the demo's packages, found no {module}: pip install 'openrouter-recorder[demo]'"
            )
    key = os.environ.get("OPENROUTER_API_KEY", "")
    if live:
        if not key:
            raise UsageError("expected a key in OPENROUTER_API_KEY for --live, found none")
        _record(cassette_dir, key, model, [])
    else:
        key = "sk-or-v1-" + "0123456789abcdef" * 4
        with simulator.start() as simulated:
            assert simulated.ca_file is not None
            there = ["--connect-to", f"openrouter.ai:443:{simulated.host}:{simulated.port}"]
            _record(cassette_dir, key, model, [*there, "--upstream-ca", str(simulated.ca_file)])
    return 0


def _record(folder: Path, key: str, model: str, where: list[str]) -> None:
    for session, options in _DOORS.items():
        path = folder / f"{session}.yaml"
        path.unlink(missing_ok=True)  # the demo shows one conversation, not all that it ever had
        command = ["recorder", "run", "--session", session, "--cassette-dir", str(folder), *where, *options, "--"]
        client = ["python", "-m", "recorder.cli.demo_client", "--model", model]
        click.secho(f"{_TITLES[session]}", bold=True)
        click.secho(f"$ {shlex.join([*command, *client])}", dim=True)
        status = subprocess.run(
            [sys.executable, "-m", *command, sys.executable, *client[1:]],
            env={**os.environ, "OPENROUTER_API_KEY": key},
            check=False,
        ).returncode
        if status:
            raise RecorderError(f"expected the conversation to be recorded, found exit status {status}")
        click.echo()
        _check(path, key)
    _show(folder / "demo/proxy.yaml")


def _check(path: Path, key: str) -> None:
    """The demo's own proof: what is on disk is the conversation, and not the key."""
    text = path.read_bytes()
    cassette = loads(text, str(path))
    if len(cassette.interactions) != len(("the question", "the tool's result")):
        raise RecorderError(f"expected two interactions in {path}, found {len(cassette.interactions)}")
    if key.encode() in text or b"Authorization" in text:
        raise RecorderError(f"expected no key in {path}, found it")


def _show(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    width = shutil.get_terminal_size((100, 24)).columns
    click.secho(f"{path}", bold=True)
    lines = text.splitlines()
    for line in lines[:_SHOWN_LINES]:
        click.echo(line if len(line) < width else line[: width - 2] + "…")
    click.secho(f"… {len(lines) - _SHOWN_LINES} more lines; the key is in none of them", dim=True)
    for number, interaction in enumerate(loads(text, str(path)).interactions):
        click.echo(f"  {number}  {_in_short(interaction)}")


def _in_short(interaction: Interaction) -> str:
    request, response = interaction.request, interaction.response
    return f"{request.method} {request.url}  {response.status}  {len(response.body):,} bytes of event stream"
