"""Secrets in cassettes that are there already: `verify`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import click

from recorder import cassette, humanize
from recorder.cli import cassette_paths
from recorder.cli.options import config_file
from recorder.errors import RecorderError, SecretError
from recorder.scrub import Finding, Rule, cassette_files

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
    found = list(cassette_paths.cassettes(paths))
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


def _verify(path: Path, rules: Iterable[Rule]) -> _Verdict:
    try:
        data = cassette_paths.read(path)
        return _Verdict(
            path=path,
            findings=tuple(cassette_files.find(data, cassette.loads(data, str(path)), cassette_paths.scrubber(rules))),
        )
    except RecorderError as error:
        return _Verdict(path=path, damage=str(error))


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
