"""`recorder refresh NAME`: the recorded requests sent again, through a recorder of our own, and what has changed."""

from __future__ import annotations

import asyncio
import http.client
import os
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import click

from recorder import cassette, humanize
from recorder.cassette import Cassette
from recorder.cli import cassette_argument, foreground
from recorder.cli.options import recording_options, settings_from
from recorder.errors import RecorderError, UsageError
from recorder.model import Interaction
from recorder.session import refreshed
from recorder.session.refreshed import Resent
from recorder.session.settings import Settings
from recorder.storage import store
from recorder.storage.session_paths import cassette_path

if TYPE_CHECKING:
    from recorder.proxy.listeners import Doors
    from recorder.proxy.master import Proxy

_PATIENCE = 600.0  # seconds for an answer; reasoning takes its time


@dataclass(frozen=True, slots=True, kw_only=True)
class _Again:
    """What came of one request. `new` None: nothing that could be recorded, for the reason `why`."""

    old: Interaction
    new: Interaction | None = None
    why: str = ""

    @property
    def changes(self) -> list[str]:
        return refreshed.changes(self.old, self.new) if self.new else []

    def line(self, number: int) -> str:
        said = self.why or "; ".join(self.changes) or "as it was"
        return humanize.printable(f"#{number}  {self.old.request.method} {self.old.request.url}  {said}")


@click.command("refresh")
@click.argument("name")
@click.option("--all", "everything", is_flag=True, help="Rewrite every interaction.")
@click.option("--changed", is_flag=True, help="Rewrite those that have changed by meaning.")
@click.option("--id", "ids", type=click.IntRange(0), multiple=True, metavar="N", help="Rewrite this one; repeatable.")
@click.option("--key-variable", default="", metavar="NAME", help="Environment variable that the key is in.")
@recording_options
def refresh_command(
    *, name: str, everything: bool, changed: bool, ids: tuple[int, ...], key_variable: str, **values: Any
) -> int:
    """Send the recorded requests again, and show what has changed by meaning.

    Nothing is rewritten unless you say what: --all, --changed or --id. An answer such as 401, 429 or 503 in the place
    of another takes its place by --id only.
    """
    settings = settings_from(session=None, port=0, base_url_port=0, mode="record", **_NOT_REPLAYING, **values)
    path = cassette_argument.find(name, settings.cassette_dir)
    data = path.read_bytes()
    held = cassette.loads(data, str(path))
    if unknown := [str(number) for number in ids if number >= len(held.interactions)]:
        raise UsageError(f"expected ids below {len(held.interactions)} for --id, found {', '.join(unknown)}")
    again = _send(held.interactions, settings, key_variable)
    for number, each in enumerate(again):
        click.echo(each.line(number))
    chosen = [
        number for number, each in enumerate(again) if _is_chosen(number, each, everything, changed=changed, ids=ids)
    ]
    _rewrite(path, data, held, {number: again[number] for number in chosen})
    click.echo(_summary_line(path, chosen, again, asked=everything or changed or bool(ids)))
    return 0 if all(each.new for each in again) else RecorderError.exit_code


_NOT_REPLAYING: Mapping[str, Any] = {
    "match": (),
    "ignore_json": (),
    "reuse": "",
    "on_miss": "",
    "speed": "",
    "tokens_per_second": None,
    "fault": (),
}


def _is_chosen(number: int, each: _Again, everything: bool, *, changed: bool, ids: tuple[int, ...]) -> bool:
    if each.new is None:
        return False
    if number in ids:
        return True
    return (everything or (changed and bool(each.changes))) and refreshed.is_a_recording(
        each.old.response, each.new.response
    )


def _rewrite(path: Path, data: bytes, held: Cassette, chosen: Mapping[int, _Again]) -> None:
    """The requests stay as they are; of each chosen one the answer is the new one."""
    answers = {number: each.new.response for number, each in chosen.items() if each.new}
    if not answers:
        return
    interactions = tuple(
        replace(one, response=answers.get(number, one.response)) for number, one in enumerate(held.interactions)
    )
    text = cassette.dumps(replace(held, interactions=interactions))
    store.rewrite(path, expected=data, data=text, now=time.time_ns())


def _summary_line(path: Path, chosen: list[int], again: list[_Again], *, asked: bool) -> str:
    of = f"of {humanize.count(len(again), 'interaction')}"
    changed = f"{sum(bool(each.changes) for each in again)} {of} changed"
    if asked:
        return f"{path}: {changed}, {len(chosen)} rewritten"
    return f"{path}: {changed}, nothing rewritten; --changed, --all or --id N does"


def _send(interactions: tuple[Interaction, ...], settings: Settings, key_variable: str) -> list[_Again]:
    """Each request in a session of its own, so that it is known which answer is whose."""
    prepared = [_prepared(interaction, key_variable) for interaction in interactions]
    sent = {number: each for number, each in enumerate(prepared) if isinstance(each, Resent)}
    if not sent:
        why = prepared[0] if prepared else "the cassette is empty"
        raise UsageError(f"expected a request that can be sent again, found none: {why}")
    hosts = tuple(dict.fromkeys(each.host for each in sent.values()))
    with tempfile.TemporaryDirectory(prefix="recorder-refresh-") as folder:
        place = replace(settings, session=None, cassette_dir=Path(folder), hosts=hosts)
        failed: dict[int, str] = {}

        async def ask(_proxy: Proxy, _serving: asyncio.Task[None], doors: Doors) -> int:
            for number, each in sent.items():
                if why := await asyncio.to_thread(_ask, doors.base_url_port, number, each):
                    failed[number] = why
            return 0

        status = foreground.serve(
            foreground.Job(settings=place, meanwhile=ask, on_recorded=_silent, on_stopped=_silent)
        )
        if status:
            raise RecorderError("expected the requests to be recorded, found that the recorder failed; see above")
        return [
            _outcome(
                interaction, prepared[number], failed.get(number, ""), cassette_path(Path(folder), _session(number))
            )
            for number, interaction in enumerate(interactions)
        ]


def _prepared(interaction: Interaction, key_variable: str) -> Resent | str:
    try:
        return refreshed.resent(interaction.request, os.environ, variable=key_variable)
    except UsageError as error:
        return str(error)


def _session(number: int) -> str:
    return f"again-{number}"


def _silent(_summary_line: object) -> None:
    return


def _ask(port: int, number: int, request: Resent) -> str:
    """Why there is no whole answer, "" if there is."""
    authority = quote(f"{request.host.name}:{request.host.port}", safe="")
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_PATIENCE)
    try:
        connection.request(
            request.method,
            f"/~{_session(number)}/@{authority}{request.target}",
            body=request.body or None,
            headers=dict(request.headers),
        )
        connection.getresponse().read()
    except (OSError, http.client.HTTPException) as error:
        return f"no whole answer: {error!r}"
    finally:
        connection.close()
    return ""


def _outcome(old: Interaction, prepared: Resent | str, failed: str, path: Path) -> _Again:
    if isinstance(prepared, str):
        return _Again(old=old, why=f"not sent: {prepared}")
    recorded = cassette.loads(path.read_bytes(), str(path)).interactions if path.exists() else ()
    if not recorded:
        return _Again(old=old, why=failed or "no answer that could be recorded")
    return _Again(old=old, new=recorded[0])
