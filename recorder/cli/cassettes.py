"""The sessions that have been recorded: `list`."""

from __future__ import annotations

import json
import stat
import time
from pathlib import Path
from typing import Any

import click

from recorder import session, wording
from recorder import settings as setting
from recorder.cassette import survey
from recorder.cli.options import option
from recorder.cli.sessions import table
from recorder.errors import CassetteError, RecorderError


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
    running = {Path(entry.cassette).resolve() for entry in session.running(session.state_folder())}
    found = [_look_at(cassette_dir, name, running) for name in session.names_in(cassette_dir)]
    if as_json:
        click.echo(json.dumps(found, indent=2))
    elif not found:
        click.echo(f"no cassettes in {cassette_dir}")
    else:
        rows = [
            (
                wording.printable(entry["session"]),
                "-" if entry["interactions"] is None else str(entry["interactions"]),
                "-" if entry["bytes"] is None else wording.size(entry["bytes"]),
                "-" if entry["modified"] is None else _local(entry["modified"]),
                wording.printable(entry["state"]),
            )
            for entry in found
        ]
        click.echo(table(("SESSION", "INTERACTIONS", "SIZE", "LAST RECORDED", "STATE"), rows))


def _look_at(folder: Path, name: str, running: set[Path]) -> dict[str, Any]:
    """One cassette. `bytes`, `modified` (seconds since the epoch), `interactions`: None where they are not known."""
    path = folder / f"{name}{session.SUFFIX}"
    found: dict[str, Any] = {"session": name, "interactions": None, "bytes": None, "modified": None}
    try:
        status = path.stat()
        found |= {"bytes": status.st_size, "modified": status.st_mtime}
        if stat.S_ISREG(status.st_mode):
            surveyed = survey(path.read_bytes(), str(path))
            found["interactions"] = surveyed.count
            state = "torn" if surveyed.torn else "whole" if surveyed.count else "empty"
        else:  # a pipe would be waited for
            state = "unreadable: not a file"
    except CassetteError as error:
        state = f"damaged: {error}"
    except OSError as error:
        state = f"unreadable: {error.strerror}"
    if path.resolve() in running:
        state = "running"
    return {**found, "state": state, "path": str(path)}


def _local(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(seconds))
