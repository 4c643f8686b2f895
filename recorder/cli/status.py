"""The sessions that are being recorded now: `status`."""

from __future__ import annotations

import json
import time
from dataclasses import asdict

import click

from recorder import humanize
from recorder.cli.output import table
from recorder.session import environment, registry
from recorder.storage import session_paths


@click.command("status")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def status_command(*, as_json: bool) -> None:
    """Show the sessions that are being recorded now."""
    entries = registry.running(session_paths.state_folder())
    if as_json:
        click.echo(json.dumps([asdict(entry) for entry in entries], indent=2))
    elif not entries:
        click.echo("no session is running")
    else:
        rows = [
            (
                entry.session or "(by request)",
                str(entry.pid),
                humanize.duration(max(0, int((time.time() - entry.started) * 1e9))),
                f"http://127.0.0.1:{entry.port}",
                environment.base_url(port=entry.base_url_port, host=entry.host),
                entry.cassette,
            )
            for entry in entries
        ]
        click.echo(table(("SESSION", "PID", "UP", "PROXY", "BASE URL", "CASSETTE"), rows))
