"""Recordings of other programs as sessions: `import`."""

from __future__ import annotations

import os
import re
import secrets
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import click

from recorder import humanize
from recorder.cli.options import cassette_dir_option, config_file, option
from recorder.errors import RecorderError
from recorder.formats import Found
from recorder.session import foreign_recordings
from recorder.session import settings as setting
from recorder.session.recording import Recording
from recorder.session.settings import Settings
from recorder.storage.session_paths import check_name

FORMATS = ("har", "vcrpy", "mitm")
_SHOWN_HOSTS = 5


@click.command("import")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--from", "form", required=True, type=click.Choice(FORMATS), help="The format; mitm: mitmproxy's flows.")
@option("session", help="Session to append to; a / makes folders.  [default: the file's name]", show_default=False)
@cassette_dir_option
@option("host", help="Host to import; repeatable.")
@click.option("--all-hosts", is_flag=True, help="Import every host's.")
@option("layout")
@option("keep-header")
@option("allow-opaque", help="Also import bodies that cannot be searched for secrets.")
def import_command(
    *,
    file: Path,
    form: str,
    session: str | None,
    cassette_dir: Path,
    host: tuple[str, ...],
    all_hosts: bool,
    layout: str | None,
    keep_header: tuple[str, ...],
    allow_opaque: bool,
) -> None:
    """Append what another program has recorded to a session.

    FILE is scrubbed as live traffic is; all of it is written or, where that cannot be, nothing.
    """
    now = time.time_ns()
    settings = Settings(
        session=check_name(session or file.name.partition(".")[0]),
        cassette_dir=cassette_dir,
        hosts=tuple(setting.parse_host(part) for text in host for part in re.split(r"[,\s]+", text) if part),
        layout=setting.parse_layout(layout),
        keep_headers=setting.parse_headers(" ".join(keep_header)),
        allow_opaque=allow_opaque,
        rules=config_file().rules,
    )
    chosen = foreign_recordings.choose(_found(file, form, now), None if all_hosts else settings.hosts)
    _check_some(file, chosen)
    assert settings.session is not None
    recording = Recording.start(settings, settings.session, now=now, salt=secrets.token_bytes(16), environ=os.environ)
    try:
        foreign_recordings.record(recording, chosen.found, now=now)
        summary = recording.stop()
    finally:
        recording.close()
    click.echo(humanize.printable(f"{summary.path}: {summary.line()}"))
    if chosen.left_out:
        click.echo(f"left out, of hosts that are not imported: {_hosts(chosen.left_out)}")


def _found(file: Path, form: str, now: int) -> Iterable[Found]:
    """What is in the file. Each format is loaded by need."""
    if form == "mitm":
        from recorder.proxy import saved_flows  # noqa: PLC0415 - mitmproxy takes a second

        with file.open("rb") as opened:
            return list(saved_flows.loads(opened, str(file)))
    if form == "har":
        from recorder.formats import har  # noqa: PLC0415 - by need

        return har.loads(file.read_bytes(), str(file), now=now)
    from recorder.formats import vcrpy  # noqa: PLC0415 - by need

    return vcrpy.loads(file.read_bytes(), str(file), now=now)


def _check_some(file: Path, chosen: foreign_recordings.Chosen) -> None:
    if chosen.found:
        return
    if not chosen.left_out:
        raise RecorderError(f"{file}: expected HTTP exchanges, found none")
    raise RecorderError(
        f"{file}: expected exchanges with the hosts that are imported, found only {_hosts(chosen.left_out)}; "
        "--host NAME imports another host's, --all-hosts all"
    )


def _hosts(left_out: Counter[str]) -> str:
    shown = [f"{humanize.printable(name) or '(none)'} ({count})" for name, count in left_out.most_common(_SHOWN_HOSTS)]
    more = len(left_out) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more > 0 else "")
