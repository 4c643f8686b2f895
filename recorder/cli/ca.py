"""`recorder ca`: where our CA is, what it is known by, and how a system comes to trust it."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path

import click

from recorder.cli.options import certs_option, default_certs
from recorder.cli.trust_stores import Machine, Store, stores
from recorder.errors import RecorderError, UsageError


@click.command("ca")
@certs_option
@click.option("--bundle", "bundle_only", is_flag=True, help="Print the path of the bundle: all roots and the CA.")
@click.option("--install", is_flag=True, help="Add the CA to the system's trust store; shows the commands and asks.")
@click.option("--yes", "-y", is_flag=True, help="With --install: do not ask.")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def ca_command(*, certs: Path | None, bundle_only: bool, install: bool, yes: bool, as_json: bool) -> None:
    """Show the CA that the proxy ends TLS with, or install it; make it if there is none."""
    if sum((bundle_only, install, as_json)) > 1:
        raise UsageError("expected one of --bundle, --install and --json, found more")
    if yes and not install:
        raise UsageError("expected --yes with --install, found it alone")
    from recorder.proxy import certificates  # noqa: PLC0415 - loads mitmproxy's certificates

    made = certificates.prepare(certs or default_certs(), roots=certificates.roots(os.environ))
    identity = certificates.identify(made.ca)
    expires = time.strftime("%Y-%m-%d", time.gmtime(identity.expires))
    if bundle_only:
        click.echo(str(made.bundle))
    elif as_json:
        shown = {"ca": str(made.ca), "bundle": str(made.bundle), "sha256": identity.sha256, "expires": expires}
        click.echo(json.dumps(shown, indent=2))
    else:
        click.echo(f"CA:       {made.ca}\nSHA-256:  {identity.sha256}\nexpires:  {expires}\nbundle:   {made.bundle}")
    if install:
        _install(made.ca, asks=not yes)


def _install(ca: Path, *, asks: bool) -> None:
    found = stores(_machine(), ca)
    if not found:
        raise RecorderError(
            "expected a trust store that is known here (of Debian, Fedora, Arch, SUSE, macOS, NSS), found none; "
            "clients that `recorder env` sets up need none"
        )
    click.echo("\nTo be run, so that programs trust the CA without `recorder env`:")
    for store in found:
        click.echo("\n".join(f"  {shlex.join(command)}" for command in store.add))
    click.echo(f"Whoever can read {ca.parent} can then pretend to be any site to them.")
    if asks and not click.confirm("Run them?"):
        raise RecorderError("nothing was changed")
    for store in found:
        _run(store)


def _run(store: Store) -> None:
    for command in store.add:
        try:
            status = subprocess.run(command, check=False).returncode
        except OSError as error:
            raise RecorderError(f"expected to run {command[0]}, found {error.strerror}") from error
        if status:
            raise RecorderError(f"expected `{shlex.join(command)}` to succeed, found exit status {status}")
    click.echo(f"Added to {store.name}. To take it out again:")
    click.echo("\n".join(f"  {shlex.join(command)}" for command in store.remove))


def _machine() -> Machine:
    return Machine(
        platform=sys.platform,
        home=Path.home(),
        is_root=os.geteuid() == 0,
        has=shutil.which,
        is_folder=os.path.isdir,
    )
