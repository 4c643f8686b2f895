"""Cassettes for other programs: `export`."""

from __future__ import annotations

import secrets
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO

import click

from recorder import cassette
from recorder.cassette import Cassette
from recorder.cli import cassette_argument, output
from recorder.cli.options import cassette_dir_option, config_file
from recorder.errors import CassetteError, RecorderError, SecretError, UsageError
from recorder.formats import Session
from recorder.scrub import Scrubber, cassette_files
from recorder.storage import session_paths

FORMATS = ("har", "vcrpy", "jsonl", "openai-messages", "parquet")
_CASSETTE = b"version: 2\ninteractions:"  # how a cassette begins, behind its dashes

Write = Callable[[IO[bytes]], None]


@click.command("export")
@click.argument("names", metavar="[NAME]...", nargs=-1)
@click.option("--to", "form", required=True, type=click.Choice(FORMATS), help="The format.")
@click.option(
    "--output",
    "-o",
    "target",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False, allow_dash=True),
    help="File to write; standard output without it, and for -.",
)
@click.option("--all", "everything", is_flag=True, help="Every session.")
@click.option("--every-turn", is_flag=True, help="openai-messages: a line for each answer, not for each conversation.")
@cassette_dir_option
def export_command(
    *,
    names: tuple[str, ...],
    form: str,
    target: Path | None,
    everything: bool,
    every_turn: bool,
    cassette_dir: Path,
) -> None:
    """Write sessions in the format of another program.

    NAME is a session or a cassette's file. A cassette with a secret in it is not exported: that ends with 3.
    """
    if bool(names) == everything:
        raise click.UsageError("expected NAMEs, or --all")
    if every_turn and form != "openai-messages":
        raise click.UsageError(f"expected --every-turn with --to openai-messages, found it with --to {form}")
    chosen = {
        name: cassette_argument.find(name, cassette_dir) for name in names or cassette_argument.all_in(cassette_dir)
    }
    if form == "vcrpy" and len(chosen) != 1:
        raise UsageError(f"expected one session for vcrpy, whose cassettes have no names in them, found {len(chosen)}")
    damaged: list[str] = []
    write = _writer(form, _sessions(chosen, cassette_dir, damaged), every_turn=every_turn)
    if target is not None and str(target) != "-":
        _check_target(target)
        output.to_file(target, write)
    elif form == "parquet" and sys.stdout.isatty():
        raise UsageError("expected a FILE for parquet (-o FILE), or a pipe, found a terminal")
    else:
        output.to_stdout(write)
    if damaged:
        raise RecorderError(damaged[0] + (f" (and {len(damaged) - 1} more are damaged)" if damaged[1:] else ""))


def _writer(form: str, sessions: Iterable[Session], *, every_turn: bool) -> Write:
    """What writes them into a file. Each format is loaded by need."""
    match form:
        case "parquet":
            from recorder.formats import parquet  # noqa: PLC0415 - by need

            parquet.check()
            return lambda file: parquet.dump(sessions, file)
        case "har":
            from recorder.formats import har  # noqa: PLC0415 - by need

            return _text(har.dumps(sessions))
        case "vcrpy":
            from recorder.formats import vcrpy  # noqa: PLC0415 - by need

            return _text(piece for each in sessions for piece in vcrpy.dumps(each.interactions))
        case "jsonl":
            from recorder.formats import jsonl  # noqa: PLC0415 - by need

            return _text(jsonl.dumps(sessions))
        case _:
            from recorder.formats import openai_messages  # noqa: PLC0415 - by need

            return _text(openai_messages.dumps(sessions, every_turn=every_turn))


def _text(pieces: Iterable[str]) -> Write:
    def write(file: IO[bytes]) -> None:
        for piece in pieces:
            file.write(piece.encode())

    return write


def _sessions(chosen: dict[str, Path], folder: Path, damaged: list[str]) -> Iterator[Session]:
    """One after the other, each as far as it is whole; what is wrong behind that goes to `damaged`."""
    for name, path in chosen.items():
        found = []
        try:
            for interaction in cassette.interactions(path.read_bytes(), str(path)):
                found.append(interaction)  # noqa: PERF402 - kept where it ends early
        except CassetteError as error:
            damaged.append(str(error))
        whole = Cassette(interactions=tuple(found))
        _check_secrets(path, whole)
        yield Session(
            name=_session(name, path, folder),
            interactions=whole.interactions,
            timings=cassette_argument.timings(path, whole.interactions),
        )


def _session(name: str, path: Path, folder: Path) -> str:
    """The session's name, also of a file."""
    if not name.endswith(session_paths.SUFFIX):
        return name
    below = path.relative_to(folder) if path.is_relative_to(folder) else Path(path.name)
    return below.as_posix().removesuffix(session_paths.SUFFIX)


def _check_secrets(path: Path, whole: Cassette) -> None:
    """An export goes to others, and a cassette that was not recorded by us may hold anything."""
    scrubber = Scrubber(salt=secrets.token_bytes(16), rules=config_file().rules)
    if found := cassette_files.find(b"", whole, scrubber):
        more = f" (and {len(found) - 1} more)" if found[1:] else ""
        raise SecretError(f"{path}: expected no secret, found {found[0]}{more}; `recorder scrub {path}` takes it out")


def _check_target(target: Path) -> None:
    """A cassette is not to be lost by a slip of the hand."""
    if not target.is_file():
        return
    with target.open("rb") as file:
        if file.read(64).removeprefix(b"---\n").startswith(_CASSETTE):
            raise UsageError(f"expected another FILE than a cassette, which would be overwritten, found {target}")
