"""A running session, stopped in order: `stop`."""

from __future__ import annotations

from pathlib import Path

import click

from recorder.cli.running import the_one
from recorder.errors import RecorderError
from recorder.session import registry
from recorder.storage import session_paths

_STOP_MARGIN = 10.0  # seconds beyond the grace period, for writing and closing


@click.command("stop")
@click.argument("name", required=False)
@click.option("--all", "every", is_flag=True, help="Stop every running session.")
def stop_command(*, name: str | None, every: bool) -> int:
    """Stop a running session in order, and wait until it has."""
    if every and name is not None:
        raise click.UsageError("expected the name of a session or --all, found both")
    folder = session_paths.state_folder()
    entries = registry.running(folder)
    chosen = entries if every else [the_one(entries, name)]
    amiss = [fault for entry in chosen if (fault := _stop(entry, folder))]
    if amiss:
        raise RecorderError("; ".join(amiss))
    return 0


def _stop(entry: registry.Running, folder: Path) -> str:
    """Stop one session and tell of it; what went wrong, "" if nothing did."""
    ended = registry.stop(entry, folder, timeout=entry.grace + _STOP_MARGIN)
    if ended is None:
        return f"expected {entry.title} (pid {entry.pid}) to stop, found it still running"
    if ended.status is None:
        return f"expected {entry.title} (pid {entry.pid}) to stop in order, found that it had been killed"
    if ended.status:
        return f"{entry.title} failed: {ended.said}" + (f"; see {entry.log}" if entry.log else "")
    click.echo(f"stopped {entry.title}: {ended.said}")
    return ""
