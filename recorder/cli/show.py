"""One cassette, read: `show`."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path

import click

from recorder.cli import cassette_argument, output
from recorder.cli.options import cassette_dir_option
from recorder.errors import RecorderError
from recorder.llm import json_values
from recorder.llm.conversation import Turn
from recorder.replay.timing import Timing
from recorder.views.terminal import conversation, http, style


@click.command("show")
@click.argument("name")
@click.argument("number", metavar="[ID]", type=click.IntRange(min=0), required=False)
@cassette_dir_option
@click.option("--reasoning", is_flag=True, help="What the model thought, in full.")
@click.option("--request", is_flag=True, help="The request: its line, headers and body.")
@click.option("--response", is_flag=True, help="The response: its line, headers and body.")
@click.option("--sse", is_flag=True, help="The response's events, one by one.")
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
    request: bool,
    response: bool,
    sse: bool,
    raw: bool,
    as_json: bool,
    colour: output.Colour,
) -> None:
    """Show the conversation of session NAME, or of a cassette's file; of one interaction with its ID."""
    if sum((request or (raw and not response), response, sse, as_json, reasoning)) > 1:
        raise click.UsageError("expected one of --reasoning, --json, and --raw, --request, --response or --sse")
    path = cassette_argument.find(name, cassette_dir)
    turns, damage = cassette_argument.read(path)
    chosen = turns if number is None else turns[number : number + 1]
    if number is not None and not chosen and damage is None:
        raise RecorderError(f"expected an interaction {number} in {path}, found {len(turns)}, counted from 0")
    if raw:
        _raw(chosen, request=request)
    elif as_json:
        told = [json_values.turn(turn) for turn in chosen]
        click.echo(json.dumps(told if number is None else next(iter(told), None), indent=2))
    elif request or response:
        output.show(_parted(_messages(chosen, request=request)), colour=colour)
    elif sse:
        timings = cassette_argument.timings(path, (turn.interaction for turn in turns))
        output.show(_parted(_events(chosen, timings)), colour=colour)
    elif not turns and damage is None:
        click.echo("no interactions")
    else:
        output.show(conversation.conversation(chosen, reasoning=reasoning, repeat=number is not None), colour=colour)
    if damage is not None:
        raise damage


def _raw(turns: Iterable[Turn], *, request: bool) -> None:
    """Bodies as they are recorded; a terminal, which would obey what is in them, sees them spelled out."""
    interactions = [turn.interaction for turn in turns]
    bodies = [each.request.body if request else each.response.body for each in interactions]
    if sys.stdout.isatty():
        output.show(row for body in bodies for row in style.lines(http.text_of(body)))
    else:
        output.write_bytes(bodies)


def _messages(turns: Iterable[Turn], *, request: bool) -> Iterator[Iterator[style.Line]]:
    return (http.request(turn.interaction) if request else http.response(turn.interaction) for turn in turns)


def _events(turns: Iterable[Turn], timings: Sequence[Timing | None]) -> Iterator[Iterator[style.Line]]:
    """`timings`: of all turns of the cassette, by their ids."""
    for turn in turns:
        response = turn.interaction.response
        yield chain(conversation.head(turn), http.events(response, http.event_times(response, timings[turn.id])))


def _parted(parts: Iterable[Iterable[style.Line]]) -> Iterator[style.Line]:
    for place, part in enumerate(parts):
        if place:
            yield style.BLANK
        yield from part
