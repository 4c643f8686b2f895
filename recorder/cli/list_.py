"""The sessions that have been recorded: `list`."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import click

from recorder import humanize
from recorder.cli import output
from recorder.cli.options import cassette_dir_option
from recorder.cli.output import table
from recorder.errors import RecorderError
from recorder.session import registry
from recorder.storage import folder_index, session_paths
from recorder.storage.folder_index import Entry

_SHOWN_MODELS = 2  # in a table; `--json` has them all
_HEADS = ("SESSION", "INTERACTIONS", "MODELS", "TOKENS", "COST", "SIZE", "LAST RECORDED", "STATE")


@click.command("list")
@cassette_dir_option
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def list_command(*, cassette_dir: Path, as_json: bool) -> None:
    """List the sessions that have been recorded."""
    if not cassette_dir.is_dir():
        raise RecorderError(f"expected a folder of cassettes at {cassette_dir}, found none; see --cassette-dir")
    running = {Path(entry.cassette).resolve() for entry in registry.running(session_paths.state_folder())}
    found = folder_index.entries(cassette_dir, cache=session_paths.cache_folder(), now=time.time_ns())
    states = {entry.session: _state(entry, running) for entry in found}
    if as_json:
        output.write([json.dumps([_data(entry, states[entry.session]) for entry in found], indent=2), "\n"])
    elif not found:
        click.echo(f"no cassettes in {cassette_dir}")
    else:
        output.write([table(_HEADS, [_row(entry, states[entry.session]) for entry in found]), "\n"])


def _state(entry: Entry, running: set[Path]) -> str:
    return "running" if running and entry.path.resolve() in running else entry.contents.state


def _data(entry: Entry, state: str) -> dict[str, Any]:
    """`modified`: seconds since the epoch. What is not known is null."""
    told = entry.contents
    return {
        "session": entry.session,
        "interactions": told.interactions,
        "models": list(told.models),
        "prompt_tokens": told.prompt_tokens,
        "completion_tokens": told.completion_tokens,
        "untold": told.untold,
        "cost": told.cost,
        "bytes": entry.size,
        "modified": entry.modified,
        "state": state,
        "path": str(entry.path),
    }


def _row(entry: Entry, state: str) -> tuple[str, ...]:
    told = entry.contents
    return (
        humanize.printable(entry.session),
        "-" if told.interactions is None else f"{told.interactions:,}",
        humanize.printable(_models(told.models)),
        _tokens(told),
        humanize.dollars(told.cost) or "-",
        "-" if entry.size is None else humanize.size(entry.size),
        "-" if entry.modified is None else _local(entry.modified),
        humanize.printable(state),
    )


def _models(models: tuple[str, ...]) -> str:
    more = len(models) - _SHOWN_MODELS
    return (", ".join(models[:_SHOWN_MODELS]) + (f" and {more} more" if more > 0 else "")) or "-"


def _tokens(told: folder_index.Contents) -> str:
    """Prompt and completion; with a plus where some answers did not tell theirs."""
    if told.prompt_tokens is None or told.completion_tokens is None:
        return "-"
    return f"{told.prompt_tokens + told.completion_tokens:,}" + ("+" if told.untold else "")


def _local(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(seconds))
