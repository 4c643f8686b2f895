"""What to set in a client's environment: `env`."""

from __future__ import annotations

from pathlib import Path

import click

from recorder.cli.running import the_one
from recorder.session import environment, registry
from recorder.session import settings as setting
from recorder.storage import session_paths


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
    return the_one(entries, name)
