"""Cassettes that are there already: `verify` looks for secrets in them, `scrub` takes them out."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import click

from recorder import cassette, humanize
from recorder.cli.options import config_file
from recorder.errors import RecorderError, SecretError, UsageError
from recorder.scrub import Finding, Rule, Scrubber, cassette_files
from recorder.storage import store
from recorder.storage.session_paths import SUFFIX

_FORMATS = ("text", "json", "github")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Verdict:
    """What is wrong with one file: its findings, or why it could not be read."""

    path: Path
    findings: tuple[Finding, ...] = ()
    damage: str = ""


@click.command("verify")
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True))
@click.option(
    "--format",
    "form",
    type=click.Choice(_FORMATS),
    default="text",
    show_default=True,
    help="How to show what was found.",
)
def verify_command(*, paths: tuple[Path, ...], form: str) -> int:
    """Look for secrets in cassettes; exits with 3 if there are any, 1 if a file is damaged."""
    found = list(_cassettes(paths))
    rules = config_file().rules
    verdicts = [verdict for path in found for verdict in (_verify(path, rules),) if verdict.findings or verdict.damage]
    if form == "json":
        click.echo(
            json.dumps({"checked": len(found), "problems": [_as_json(verdict) for verdict in verdicts]}, indent=2)
        )
    else:
        for verdict in verdicts:
            for line in _github(verdict) if form == "github" else _text(verdict):
                click.echo(line)
        click.echo(f"{humanize.count(len(found), 'cassette')} checked, {_result(verdicts)}")
    if any(verdict.findings for verdict in verdicts):
        return SecretError.exit_code
    return RecorderError.exit_code if verdicts else 0


@click.command("scrub")
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True))
@click.option("--dry-run", is_flag=True, help="Only say what would be changed.")
def scrub_command(*, paths: tuple[Path, ...], dry_run: bool) -> int:
    """Take the secrets out of cassettes, in place; every other byte stays."""
    found = list(_cassettes(paths))
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


def _cassettes(paths: Iterable[Path]) -> Iterator[Path]:
    """The files that are named, and those below the folders that are."""
    for path in paths:
        if not path.is_dir():
            yield path
            continue
        below = sorted(path.rglob(f"*{SUFFIX}"))
        if not below:
            raise UsageError(f"expected cassettes (*{SUFFIX}) below {path}, found none")
        yield from below


def _scrubber(rules: Iterable[Rule]) -> Scrubber:
    # Each file its own salt, as each recording has: equal placeholders mean equal secrets within a cassette only. What
    # cannot be read is there already, and was allowed to whoever recorded it.
    return Scrubber(salt=secrets.token_bytes(16), rules=rules, allow_opaque=True)


def _verify(path: Path, rules: Iterable[Rule]) -> _Verdict:
    try:
        data = _read(path)
        return _Verdict(
            path=path, findings=tuple(cassette_files.find(data, cassette.loads(data, str(path)), _scrubber(rules)))
        )
    except RecorderError as error:
        return _Verdict(path=path, damage=str(error))


def _scrub(path: Path, rules: Iterable[Rule], *, dry_run: bool) -> bool:
    """Whether the file was, or would be, changed."""
    data = _read(path)
    scrubbed = cassette_files.scrubbed(data, cassette.loads(data, str(path)), _scrubber(rules))
    if scrubbed == data:
        return False
    if not dry_run:
        store.rewrite(path, expected=data, data=scrubbed, now=time.time_ns())
    click.echo(f"{path}: {'would be changed' if dry_run else 'changed'}")
    return True


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise RecorderError(f"{path}: expected a cassette, found {error.strerror or error}") from error


def _text(verdict: _Verdict) -> Iterator[str]:
    if verdict.damage:
        yield verdict.damage
    for finding in verdict.findings:
        yield f"{verdict.path}: {finding}"


def _github(verdict: _Verdict) -> Iterator[str]:
    """Workflow commands, which GitHub shows beside the file."""
    for message in (verdict.damage, *map(str, verdict.findings)):
        if message:
            yield f"::error file={_escaped(str(verdict.path), ':,')}::{_escaped(message)}"


def _escaped(text: str, more: str = "") -> str:
    for character in "%\r\n" + more:
        text = text.replace(character, f"%{ord(character):02X}")
    return text


def _as_json(verdict: _Verdict) -> dict[str, object]:
    findings = [{"rule": finding.rule, "where": finding.where} for finding in verdict.findings]
    return {"path": str(verdict.path), "damage": verdict.damage or None, "findings": findings}


def _result(verdicts: list[_Verdict]) -> str:
    secret = sum(len(verdict.findings) for verdict in verdicts)
    damaged = sum(bool(verdict.damage) for verdict in verdicts)
    parts = [humanize.count(secret, "secret") + " found"]
    if damaged:
        parts.append(f"{damaged} damaged")
    return ", ".join(parts)
