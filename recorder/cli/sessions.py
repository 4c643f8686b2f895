"""The sessions that are being recorded now: `status`, `stop`, `env`."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import click

from recorder import humanize
from recorder.errors import RecorderError
from recorder.session import environment, registry
from recorder.session import settings as setting
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
    chosen = entries if every else [_the_one(entries, name)]
    amiss = [fault for entry in chosen if (fault := _stop(entry, folder))]
    if amiss:
        raise RecorderError("; ".join(amiss))
    return 0


def _the_one(entries: list[registry.Running], name: str | None) -> registry.Running:
    """The running session of that name; without a name, the only one."""
    if name is not None:
        return registry.find(entries, name)
    if len(entries) == 1:
        return entries[0]
    names = ", ".join(entry.title for entry in entries) or "none is running"
    raise RecorderError(f"expected the name of a session, found none ({names})")


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


@click.command("env")
@click.argument("name", required=False)
@click.option(
    "--shell", type=click.Choice(environment.SHELLS), default="sh", show_default=True, help="Shell to print for."
)
@click.option("--base-url", is_flag=True, help="Also the variables that SDKs take a base URL from.")
def env_command(*, name: str | None, shell: str, base_url: bool) -> None:
    """Print what to set in a client's environment: eval "$(recorder env NAME)"."""
    entries = registry.running(session_paths.state_folder())
    entry = _for_clients(entries, name)
    other = name if name != entry.session else None
    hosts = setting.parse_hosts(entry.hosts) if entry.hosts else ()
    variables = environment.proxy_variables(port=entry.port, bundle=Path(entry.bundle), hosts=hosts, session=other)
    if base_url:
        variables |= environment.base_url_variables(
            port=entry.base_url_port, host=entry.host, hosts=hosts, session=other
        )
    click.echo("\n".join(environment.assignments(variables, shell)))


def _for_clients(entries: list[registry.Running], name: str | None) -> registry.Running:
    """The recorder that a client of this session goes to: the session's own, else one for those that requests name."""
    if name is not None and all(entry.session != name for entry in entries):
        session_paths.check_name(name)
        by_request = [entry for entry in entries if not entry.session]
        if len(by_request) == 1:
            return by_request[0]
    return _the_one(entries, name)


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns as wide as their widest cell; the last one is ragged."""
    widths = [max(len(row[column]) for row in (heads, *rows)) for column in range(len(heads))]
    return "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in (heads, *rows))
