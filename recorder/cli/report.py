"""One cassette as a page: `report`."""

from __future__ import annotations

import webbrowser
from pathlib import Path

import click

from recorder import humanize
from recorder.cli import cassette_argument, output
from recorder.cli.options import cassette_dir_option
from recorder.errors import RecorderError, UsageError
from recorder.storage import session_paths
from recorder.views import html

_PAGE = ".html"


@click.command("report")
@click.argument("name")
@cassette_dir_option
@click.option(
    "--output",
    "-o",
    "target",
    type=click.Path(path_type=Path, dir_okay=False, allow_dash=True),
    help="Where to write the page; - is standard output.  [default: the session's name with .html, here]",
)
@click.option("--open", "opened", is_flag=True, help="Open it in a browser.")
def report_command(*, name: str, cassette_dir: Path, target: Path | None, opened: bool) -> None:
    """Write session NAME, or a cassette's file, as one HTML page.

    It shows the interactions over time, tokens and cost, and the conversation, with a search; it needs no network.
    """
    path = cassette_argument.find(name, cassette_dir)
    target = Path(f"{path.stem}{_PAGE}") if target is None else target
    piped = str(target) == "-"
    if piped and opened:
        raise UsageError("expected a file for --open, found standard output")
    if target.suffix == session_paths.SUFFIX or target.resolve() == path.resolve():
        raise UsageError(f"expected a name such as {path.stem}{_PAGE} for the page, found a cassette's: {target}")
    turns, damage = cassette_argument.read(path)
    timings = cassette_argument.timings(path, (turn.interaction for turn in turns))
    made = html.render(turns, name=_title(path, cassette_dir), timings=timings, damage=str(damage or ""))
    if piped:
        output.write([made])
    else:
        size = target.write_bytes(made.encode())
        click.echo(
            f"{humanize.printable(str(target))}: {humanize.count(len(turns), 'interaction')}, {humanize.size(size)}"
        )
    if opened and not webbrowser.open(target.resolve().as_uri()):
        raise RecorderError(f"expected a browser to open {target}, found none")
    if damage is not None:
        raise damage


def _title(path: Path, folder: Path) -> str:
    """The session's name; the file's where it is none of the folder's."""
    try:
        return path.resolve().relative_to(folder.resolve()).with_suffix("").as_posix()
    except ValueError:
        return path.name
