"""One cassette, read: `show`."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import click

from recorder import settings as setting
from recorder.cli import named, output
from recorder.cli.options import option
from recorder.conversation import Turn
from recorder.errors import RecorderError
from recorder.report import data, ink, reading, wire
from recorder.timing import Timing


@click.command("show")
@click.argument("name")
@click.argument("number", metavar="[ID]", type=click.IntRange(min=0), required=False)
@option(
    "--cassette-dir",
    type=click.Path(path_type=Path, file_okay=False),
    default=setting.DEFAULT_CASSETTE_DIR,
    help="Folder of the cassettes.",
)
@click.option("--reasoning", is_flag=True, help="What the model thought, in full.")
@click.option("--request", "part", flag_value="request", help="The request: its line, headers and body.")
@click.option("--response", "part", flag_value="response", help="The response: its line, headers and body.")
@click.option("--sse", "part", flag_value="sse", help="The response's events, one by one.")
@click.option(
    "--raw", is_flag=True, help="The body itself, to the byte: the response's, or with --request the request's."
)
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
@click.option(
    "--color",
    "colour",
    type=click.Choice(["auto", "always", "never"]),
    default="auto",
    show_default=True,
    help="Whether to colour; auto: on a terminal, unless NO_COLOR is set.",
)
def show_command(
    *,
    name: str,
    number: int | None,
    cassette_dir: Path,
    reasoning: bool,
    part: str | None,
    raw: bool,
    as_json: bool,
    colour: output.Colour,
) -> None:
    """Show the conversation of session NAME, or of a cassette's file; of one interaction with its ID."""
    if sum((raw or part is not None, as_json, reasoning)) > 1 or (raw and part == "sse"):
        raise click.UsageError("expected one of --reasoning, --json, and --raw, --request, --response or --sse")
    path = named.find(name, cassette_dir)
    turns, damage = named.read(path)
    chosen = turns if number is None else turns[number : number + 1]
    if number is not None and not chosen and damage is None:
        raise RecorderError(f"expected an interaction {number} in {path}, found {len(turns)}, counted from 0")
    if raw:
        _raw(chosen, part)
    elif as_json:
        told = [data.turn(turn) for turn in chosen]
        click.echo(json.dumps(told if number is None else next(iter(told), None), indent=2))
    elif part:
        timings = named.timings(path, (turn.interaction for turn in turns))
        output.show(_wire(chosen, part, timings), colour=colour)
    else:
        output.show(reading.conversation(chosen, reasoning=reasoning, repeat=number is not None), colour=colour)
    if damage is not None:
        raise damage


def _raw(turns: Iterable[Turn], part: str | None) -> None:
    """Bodies as they are recorded; a terminal, which would obey what is in them, sees them spelled out."""
    both = ((turn.interaction.request.body, turn.interaction.response.body) for turn in turns)
    bodies = [request if part == "request" else response for request, response in both]
    if sys.stdout.isatty():
        output.show(row for body in bodies for row in ink.lines(wire.text_of(body)))
    else:
        output.write_bytes(bodies)


def _wire(turns: Iterable[Turn], part: str, timings: Sequence[Timing | None]) -> Iterator[ink.Line]:
    """`timings`: of all turns of the cassette, by their ids."""
    for place, turn in enumerate(turns):
        if place:
            yield ink.BLANK
        match part:
            case "request":
                yield from wire.request(turn.interaction)
            case "response":
                yield from wire.response(turn.interaction)
            case _:
                yield from reading.head(turn)
                response = turn.interaction.response
                yield from wire.events(response, wire.event_times(response, timings[turn.id]))
