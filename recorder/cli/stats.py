"""Sessions in numbers: `stats`."""

from __future__ import annotations

import json
from pathlib import Path

import click

from recorder import cassette
from recorder.cli import cassette_argument, output
from recorder.cli.options import cassette_dir_option
from recorder.cli.output import table
from recorder.errors import CassetteError, RecorderError
from recorder.llm import figures, usage
from recorder.llm.figures import Measure, Times
from recorder.model import Interaction
from recorder.replay.timing import Timing
from recorder.storage import folder_index
from recorder.views import statistics_table

_Read = tuple[list[Measure], str]


@click.command("stats")
@click.argument("names", metavar="[NAME]...", nargs=-1)
@cassette_dir_option
@click.option(
    "--by",
    multiple=True,
    type=click.Choice(list(figures.BY)),
    default=["session"],
    show_default=True,
    help="What a row is; repeatable, for a row of each combination.",
)
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def stats_command(*, names: tuple[str, ...], cassette_dir: Path, by: tuple[str, ...], as_json: bool) -> None:
    """Tell tokens, cost, errors and times of sessions NAME, or of all.

    Times and tokens a second are the median and the 95th percentile. A plus stands where some answers did not tell
    theirs, "unknown" where none did.
    """
    found = {
        name: cassette_argument.find(name, cassette_dir) for name in names or cassette_argument.all_in(cassette_dir)
    }
    read = folder_index.each(_read, [(name, str(path)) for name, path in found.items()], list(found.values()))
    measured: list[Measure] = []
    damaged = []
    for some, damage in read:
        measured += some
        damaged += [damage] if damage else []
    by = tuple(dict.fromkeys(by))
    groups = figures.grouped(measured, by)
    if as_json:
        output.write([json.dumps(statistics_table.data(by, groups), indent=2), "\n"])
    elif not groups:
        click.echo("no interactions")
    else:
        total = figures.summary(measured) if len(groups) > 1 else None
        output.write([table(statistics_table.heads(by), list(statistics_table.rows(groups, total))), "\n"])
    if damaged:
        raise RecorderError(damaged[0] + (f" (and {len(damaged) - 1} more are damaged)" if damaged[1:] else ""))


def _read(file: tuple[str, str]) -> _Read:
    """The measures of a cassette as far as it is whole, and what is wrong behind them."""
    name, path = file
    whole: list[Interaction] = []
    damage = ""
    try:
        for interaction in cassette.interactions(Path(path).read_bytes(), path):
            whole.append(interaction)  # noqa: PERF402 - kept where it ends early
    except CassetteError as error:
        damage = str(error)
    except OSError as error:
        return [], f"{path}: {error.strerror}"
    timings = cassette_argument.timings(Path(path), whole)
    times = {number: _times(whole[number], kept) for number, kept in enumerate(timings) if kept and kept.chunks}
    return list(figures.measures(whole, session=name, times=times)), damage


def _times(interaction: Interaction, kept: Timing) -> Times:
    return Times(first_token=usage.first_token(interaction.response, kept.chunks), end=kept.chunks[-1][0])
