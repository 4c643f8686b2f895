"""Cassettes as conversations, for comparing: `diff`, and `textconv` for git."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from recorder.cli import cassette_argument, output
from recorder.cli.options import cassette_dir_option
from recorder.errors import RecorderError, UsageError
from recorder.llm.conversation import Turn
from recorder.views import comparable_text
from recorder.views.shared_prefix import Seen
from recorder.views.terminal import diff, http, style

_SAME, _DIFFERENT = 0, 1


@click.command("diff")
@click.argument("first")
@click.argument("second")
@cassette_dir_option
@click.option("--reasoning", is_flag=True, help="Compare what the model thought, too.")
@click.option(
    "--color",
    "colour",
    type=click.Choice(["auto", "always", "never"]),
    default="auto",
    show_default=True,
    help="Whether to colour; auto: on a terminal, unless NO_COLOR is set.",
)
def diff_command(*, first: str, second: str, cassette_dir: Path, reasoning: bool, colour: output.Colour) -> int:
    """Compare two cassettes by what was said in them: prompts, parameters, tools and answers.

    Exits as diff does: with 0 if they say the same, 1 if not, 2 if they could not be compared.
    """
    ours, theirs = _whole(first, cassette_dir), _whole(second, cassette_dir)
    found = diff.compare(ours, theirs, reasoning=reasoning)
    output.show(diff.rendered(found), colour=colour)
    return _SAME if all(each.same for each in found) else _DIFFERENT


def _whole(name: str, folder: Path) -> tuple[Turn, ...]:
    """The turns of a cassette that can be compared. Whatever is wrong with it ends in 2: 1 says that they differ."""
    try:
        turns, damage = cassette_argument.read(cassette_argument.find(name, folder))
    except (RecorderError, OSError) as error:
        raise UsageError(str(error)) from error
    if damage is not None:
        raise UsageError(str(damage)) from damage
    return turns


@click.command("textconv")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
def textconv_command(*, file: Path) -> None:
    """Print a cassette as a conversation, for git diff; a file that is none as it is.

    It leaves out what differs from one recording to the next: times, tokens, cost and ids.
    """
    output.show(_converted(file), colour="never", paged=False)


def _converted(file: Path) -> Iterator[style.Line]:
    """Never an error: git would show nothing at all."""
    turns, damage = cassette_argument.read(file)
    if damage is not None and not turns:
        yield from style.lines(http.text_of(file.read_bytes()))
        return
    seen = Seen()
    for turn in turns:
        told = comparable_text.of(turn)
        known, known_tools = seen.known(told.prompt)[0], seen.known([told.tools])[0] == 1
        seen.add(told.said)
        seen.add([told.tools])
        rows = told.lines(known=known, known_tools=known_tools)
        yield from (style.line(f"interaction {turn.id}"), *map(style.line, rows), style.BLANK)
    if damage is not None:
        yield style.line(f"damaged: {damage.found} in line {damage.line}")
