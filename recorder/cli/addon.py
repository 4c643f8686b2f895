"""Where the scripts for mitmdump are: `addon`."""

from __future__ import annotations

from pathlib import Path

import click

import recorder

SCRIPTS = ("record", "replay")


@click.command("addon")
@click.argument("script", type=click.Choice(SCRIPTS))
def addon_command(*, script: str) -> None:
    """Print the path of the script that mitmdump loads.

    For example: mitmdump -s "$(recorder addon record)" --set session=weather
    """
    click.echo(Path(recorder.__file__).parent / "proxy" / "scripts" / f"{script}.py")
