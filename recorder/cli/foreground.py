"""One recorder in this process: its entry in the list of those running, its signals, what it prints."""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import signal
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recorder import environment
from recorder.errors import RecorderError
from recorder.recording import Recorded, Recording, Summary
from recorder.session import Registration, Running, cassette_path, state_folder
from recorder.settings import Settings

if TYPE_CHECKING:
    from recorder.proxy.master import Doors, Proxy

Meanwhile = Callable[["Proxy", asyncio.Task[None], "Doors"], Awaitable[int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What one recorder is to do.

    `meanwhile` is called when it serves, has to see to its end, and gives the exit status. `on_recorded` is told of each
    exchange on disk, `on_stopped` of what the session came to. `log`: the file that this process prints to, or "".
    """

    settings: Settings
    meanwhile: Meanwhile
    on_recorded: Callable[[Recorded], None]
    on_stopped: Callable[[Summary], None]
    log: str = ""


def serve(job: Job) -> int:
    """Run a recorder to its end; the exit status is the job's, or 1 where that was 0 and the session failed."""
    _log_to_stderr()
    # First the lock: a second recorder is told at once who holds it, before the second that mitmproxy takes to load.
    recording = Recording.start(job.settings, now=time.time_ns(), salt=secrets.token_bytes(16), environ=os.environ)
    try:
        return asyncio.run(_serve(job, recording))
    finally:
        recording.close()


async def _serve(job: Job, recording: Recording) -> int:
    from recorder.proxy.master import Proxy  # noqa: PLC0415 - loads mitmproxy

    ready: asyncio.Future[Doors] = asyncio.get_running_loop().create_future()
    proxy = Proxy(
        job.settings,
        recording,
        on_ready=ready.set_result,
        on_recorded=job.on_recorded,
        on_stopped=lambda summary: job.on_stopped(summary) if ready.done() else None,
    )
    serving = asyncio.create_task(proxy.run())
    waited: set[asyncio.Future[Any]] = {serving, ready}
    await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
    if not ready.done():
        await serving
        raise RecorderError("expected the proxy to serve, found that it stopped at once")
    doors = ready.result()
    registration = Registration(_describe(job, doors), state_folder())
    try:
        status = await job.meanwhile(proxy, serving, doors)
        proxy.stop()
        await serving
    finally:
        registration.close()
    return status or (1 if proxy.failure else 0)


def _describe(job: Job, doors: Doors) -> Running:
    settings = job.settings
    return Running(
        session=settings.session,
        cassette=str(cassette_path(settings.cassette_dir, settings.session).absolute()),
        pid=os.getpid(),
        started=time.time(),
        port=doors.port,
        base_url_port=doors.base_url_port,
        host=settings.hosts[0].name,
        bundle=str(doors.trust.bundle),
        grace=settings.grace,
        log=job.log,
    )


def on_signals(numbers: tuple[signal.Signals, ...], call: Callable[[signal.Signals], None]) -> None:
    loop = asyncio.get_running_loop()
    for number in numbers:
        loop.add_signal_handler(number, call, number)


def summary_line(summary: Summary) -> str:
    """`cassettes/weather.yaml: 2 interactions, …`, the path from the current folder where it lies below it."""
    path = summary.path
    return f"{path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path}: {summary.line()}"


def client_lines(doors: Doors, *, host: str) -> list[str]:
    """What to set in a client's environment, for both doors."""
    variables = environment.proxy_variables(port=doors.port, bundle=doors.trust.bundle)
    return [
        "For a client that uses the proxy:",
        *(f"  {line}" for line in environment.assignments(variables, "sh")),
        "For a client that takes a base URL:",
        f"  {environment.base_url(port=doors.base_url_port, host=host)}",
    ]


def _log_to_stderr() -> None:
    """Warnings and errors of ours and mitmproxy's, a line each."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(message)s"))
    handler.setLevel(logging.WARNING)
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(logging.WARNING)
