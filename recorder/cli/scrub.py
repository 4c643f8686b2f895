"""Secrets out of cassettes that are there already: `scrub`."""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path

import click

from recorder import cassette, humanize
from recorder.cli import cassette_paths
from recorder.cli.options import config_file
from recorder.errors import RecorderError
from recorder.scrub import Rule, cassette_files
from recorder.storage import store


@click.command("scrub")
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True))
@click.option("--dry-run", is_flag=True, help="Only say what would be changed.")
def scrub_command(*, paths: tuple[Path, ...], dry_run: bool) -> int:
    """Take the secrets out of cassettes, in place; every other byte stays."""
    found = list(cassette_paths.cassettes(paths))
    rules = config_file().rules
    changed = 0
    damaged = False
    for path in found:
        try:
            changed += _scrub(path, rules, dry_run=dry_run)
        except RecorderError as error:
            damaged = True
            click.echo(f"recorder: {error}", err=True)
    click.echo(f"{humanize.count(len(found), 'cassette')}, {changed} {'to change' if dry_run else 'changed'}")
    return RecorderError.exit_code if damaged else 0


def _scrub(path: Path, rules: Iterable[Rule], *, dry_run: bool) -> bool:
    """Whether the file was, or would be, changed."""
    data = cassette_paths.read(path)
    scrubbed = cassette_files.scrubbed(data, cassette.loads(data, str(path)), cassette_paths.scrubber(rules))
    if scrubbed == data:
        return False
    if not dry_run:
        store.rewrite(path, expected=data, data=scrubbed, now=time.time_ns())
    click.echo(f"{path}: {'would be changed' if dry_run else 'changed'}")
    return True
