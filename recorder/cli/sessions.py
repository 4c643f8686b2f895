"""The sessions: those running (`status`, `stop`, `env`) and those recorded (`list`)."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from recorder import environment, session, wording
from recorder import settings as setting
from recorder.cassette import survey
from recorder.cli.options import option
from recorder.errors import CassetteError, RecorderError

_STOP_MARGIN = 10.0  # seconds beyond the grace period, for writing and closing


@click.command("stop")
@click.argument("name", required=False)
@click.option("--all", "every", is_flag=True, help="Stop every running session.")
def stop_command(*, name: str | None, every: bool) -> int:
    """Stop a running session in order, and wait until it has."""
    folder = session.state_folder()
    entries = session.running(folder)
    if every:
        chosen = entries
    elif name is not None:
        chosen = [session.find(entries, name)]
    elif len(entries) == 1:
        chosen = entries
    else:
        names = ", ".join(entry.session for entry in entries) or "none is running"
        raise click.UsageError(f"expected the name of a session, or --all ({names})")
    late = [entry for entry in chosen if not session.stop(entry, folder, timeout=entry.grace + _STOP_MARGIN)]
    for entry in chosen:
        if entry not in late:
            click.echo(f"stopped {entry.session}: {entry.cassette}")
    if late:
        raise RecorderError(f"expected {late[0].session} (pid {late[0].pid}) to stop, found it still running")
    return 0


@click.command("status")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def status_command(*, as_json: bool) -> None:
    """Show the sessions that are being recorded now."""
    entries = session.running(session.state_folder())
    if as_json:
        click.echo(json.dumps([asdict(entry) for entry in entries], indent=2))
    elif not entries:
        click.echo("no session is running")
    else:
        rows = [
            (
                entry.session,
                str(entry.pid),
                wording.duration(int((time.time() - entry.started) * 1e9)),
                f"http://127.0.0.1:{entry.port}",
                environment.base_url(port=entry.base_url_port, host=entry.host),
                entry.cassette,
            )
            for entry in entries
        ]
        click.echo(table(("SESSION", "PID", "UP", "PROXY", "BASE URL", "CASSETTE"), rows))


@click.command("list")
@option(
    "--cassette-dir",
    type=click.Path(path_type=Path, file_okay=False),
    default=setting.DEFAULT_CASSETTE_DIR,
    help="Folder of the cassettes.",
)
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def list_command(*, cassette_dir: Path, as_json: bool) -> None:
    """List the sessions that have been recorded."""
    if not cassette_dir.is_dir():
        raise RecorderError(f"expected a folder of cassettes at {cassette_dir}, found none; see --cassette-dir")
    running = {entry.cassette for entry in session.running(session.state_folder())}
    found = [_look_at(cassette_dir, name, running) for name in session.names_in(cassette_dir)]
    if as_json:
        click.echo(json.dumps(found, indent=2))
    elif not found:
        click.echo(f"no cassettes in {cassette_dir}")
    else:
        rows = [
            (
                entry["session"],
                "-" if entry["interactions"] is None else str(entry["interactions"]),
                wording.size(entry["bytes"]),
                time.strftime("%Y-%m-%d %H:%M", time.localtime(entry["modified"])),
                entry["state"],
            )
            for entry in found
        ]
        click.echo(table(("SESSION", "INTERACTIONS", "SIZE", "LAST RECORDED", "STATE"), rows))


def _look_at(folder: Path, name: str, running: set[str]) -> dict[str, Any]:
    path = folder / f"{name}{session.SUFFIX}"
    status = path.stat()
    try:
        surveyed = survey(path.read_bytes(), str(path))
        count: int | None = surveyed.count
        state = "torn" if surveyed.torn else "whole"
    except CassetteError as error:
        count, state = None, f"damaged: {error}"
    if str(path.absolute()) in running:
        state = "running"
    return {
        "session": name,
        "interactions": count,
        "bytes": status.st_size,
        "modified": status.st_mtime,
        "state": state,
        "path": str(path),
    }


@click.command("env")
@click.argument("name", required=False)
@click.option("--shell", type=click.Choice(environment.SHELLS), default="sh", show_default=True)
@click.option("--base-url", is_flag=True, help="Also OPENROUTER_BASE_URL and OPENAI_BASE_URL.")
def env_command(*, name: str | None, shell: str, base_url: bool) -> None:
    """Print what to set in a client's environment: eval "$(recorder env NAME)"."""
    entries = session.running(session.state_folder())
    entry = entries[0] if name is None and len(entries) == 1 else session.find(entries, name or "")
    variables = environment.proxy_variables(port=entry.port, bundle=Path(entry.bundle))
    if base_url:
        variables |= environment.base_url_variables(port=entry.base_url_port, host=entry.host)
    click.echo("\n".join(environment.assignments(variables, shell)))


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns as wide as their widest cell; the last one is ragged."""
    widths = [max(len(row[column]) for row in (heads, *rows)) for column in range(len(heads))]
    return "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in (heads, *rows))
