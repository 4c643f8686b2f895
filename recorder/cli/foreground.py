"""One recorder in this process: its entry in the list of those running, its signals, what it prints."""

from __future__ import annotations

import asyncio
import functools
import logging
import os
import secrets
import signal
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import click

from recorder import humanize
from recorder.errors import RecorderError
from recorder.session import environment
from recorder.session.playback import Answer
from recorder.session.recording import Recorded, Summary
from recorder.session.registry import Ended, Registration, Running
from recorder.session.requirements import NO_DEMANDS, Demands
from recorder.session.session_table import Recordings
from recorder.session.settings import Host, Settings
from recorder.storage.session_paths import cassette_path, state_folder

if TYPE_CHECKING:
    from recorder.proxy.listeners import Doors
    from recorder.proxy.master import Proxy

_STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


Meanwhile = Callable[["Proxy", asyncio.Task[None], "Doors"], Awaitable[int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What one recorder is to do.

    `meanwhile` is called when it serves and has to see to its end, which a signal brings as well unless it says
    otherwise; it gives the exit status. `on_recorded` is told of each exchange on disk, `on_replayed` of each answer
    from a tape, `on_stopped` of what the session came to. `log`: the file that this process prints to, or "".
    """

    settings: Settings
    meanwhile: Meanwhile
    on_recorded: Callable[[Recorded], None]
    on_stopped: Callable[[Summary], None]
    on_replayed: Callable[[Answer], None] = lambda _: None
    log: str = ""
    demands: Demands = NO_DEMANDS


def serve(job: Job) -> int:
    """Run a recorder to its end; the exit status is the job's, or 1 where that was 0 and the session failed."""
    _log_to_stderr()
    # First the lock: a second recorder is told at once who holds it, before the second that mitmproxy takes to load.
    recordings = Recordings(
        job.settings, clock=time.time_ns, salts=functools.partial(secrets.token_bytes, 16), environ=os.environ
    )
    if job.settings.session is not None:
        recordings.start(job.settings.session)
    run = _Run(job, recordings)
    ended = Ended(status=1, said="")
    try:
        ended = asyncio.run(run.to_its_end())
    except RecorderError as error:
        ended = Ended(status=error.exit_code, said=str(error))
        raise
    finally:
        recordings.close()
        # Last, when the ports are free and the cassette is let go of: `recorder stop` waits for it.
        if run.registration:
            run.registration.close(ended)
    assert ended.status is not None
    if job.log and ended.status == 0:
        Path(job.log).unlink(missing_ok=True)
    return ended.status


class _Run:
    """One job under way; `registration` is its entry in the list of those running, once it serves."""

    def __init__(self, job: Job, recordings: Recordings) -> None:
        self._job = job
        self._recordings = recordings
        self._stopped: list[Summary] = []
        self.registration: Registration | None = None

    async def to_its_end(self) -> Ended:
        from recorder.proxy.master import Proxy  # noqa: PLC0415 - loads mitmproxy

        job = self._job
        ready: asyncio.Future[Doors] = asyncio.get_running_loop().create_future()
        proxy = Proxy(
            job.settings,
            self._recordings,
            on_ready=ready.set_result,
            on_recorded=job.on_recorded,
            on_replayed=job.on_replayed,
            on_stopped=lambda summary: self._note_stopped(summary) if ready.done() else None,
        )
        serving = asyncio.create_task(proxy.run())
        waited: set[asyncio.Future[Any]] = {serving, ready}
        await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
        if not ready.done():
            await serving
            raise RecorderError("expected the proxy to serve, found that it stopped at once")
        doors = ready.result()
        on_signals(_STOPPING, lambda _: proxy.stop())  # who finds the entry may stop it
        self.registration = Registration(_describe(job, doors), state_folder())
        status = await job.meanwhile(proxy, serving, doors)
        proxy.stop()
        await serving
        receipts = [summary.receipt for summary in self._stopped if summary.receipt]
        job.demands.write(receipts)
        status = status or (1 if proxy.failure else 0) or job.demands.status(receipts)
        return Ended(status=status, said=proxy.failure or _last_words(self._stopped))

    def _note_stopped(self, summary: Summary) -> None:
        self._stopped.append(summary)
        self._job.on_stopped(summary)


def _last_words(stopped: list[Summary]) -> str:
    """A recorder's last words."""
    if len(stopped) == 1:
        return f"{stopped[0].path}: {stopped[0].line()}"
    interactions = sum(summary.interactions for summary in stopped)
    return f"{humanize.count(len(stopped), 'session')}, {humanize.count(interactions, 'interaction')}"


def _describe(job: Job, doors: Doors) -> Running:
    settings = job.settings
    folder = settings.cassette_dir
    cassette = folder if settings.session is None else cassette_path(folder, settings.session)
    return Running(
        session=settings.session or "",
        cassette=str(cassette.absolute()),
        pid=os.getpid(),
        started=time.time(),
        port=doors.port,
        base_url_port=doors.base_url_port,
        host=settings.hosts[0].name,
        bundle=str(doors.bundle),
        grace=settings.grace,
        log=job.log,
        hosts=" ".join(host.base_url for host in settings.hosts),
    )


def on_signals(numbers: tuple[signal.Signals, ...], call: Callable[[signal.Signals], None]) -> None:
    loop = asyncio.get_running_loop()
    for number in numbers:
        if number == signal.SIGHUP and signal.getsignal(number) == signal.SIG_IGN:
            continue  # nohup
        loop.add_signal_handler(number, call, number)


def say(text: str, *, to: str = "stdout") -> None:
    """Print a line. That nobody reads it any more (`recorder start | head`) is no reason to stop recording."""
    stream: IO[str] = getattr(sys, to)
    try:
        click.echo(text, file=stream)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())  # else it would be tried again at exit


def summary_line(summary: Summary) -> str:
    """`cassettes/weather.yaml: 2 interactions, …`, the path from the current folder where it lies below it."""
    path = summary.path
    return f"{path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path}: {summary.line()}"


def client_lines(doors: Doors, *, hosts: tuple[Host, ...], session: str | None = None) -> list[str]:
    """What to set in a client's environment, for both doors. `session`: for requests that have to name theirs."""
    variables = environment.proxy_variables(port=doors.port, bundle=doors.bundle, hosts=hosts, session=session)
    return [
        "For a client that uses the proxy:",
        *(f"  {line}" for line in environment.assignments(variables, "sh")),
        "For a client that takes a base URL:",
        f"  {environment.base_url(port=doors.base_url_port, host=hosts[0].name, session=session)}",
    ]


def _log_to_stderr() -> None:
    """Warnings and errors of ours and mitmproxy's, a line each."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(message)s"))
    handler.setLevel(logging.WARNING)
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(logging.WARNING)
