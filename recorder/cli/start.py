"""`recorder start`: a recorder in the foreground, or with --detach in the background."""

from __future__ import annotations

import asyncio
import os
import resource
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from recorder.cli import foreground
from recorder.cli.child_environment import finding_this_package
from recorder.cli.options import (
    F,
    option,
    recording_options,
    replaying_options,
    settings_from,
)
from recorder.errors import RecorderError
from recorder.session.recording import Recorded
from recorder.session.registry import running
from recorder.session.requirements import Demands
from recorder.session.settings import Mode, Settings
from recorder.storage.session_paths import SUFFIX, cassette_path, make_private, state_folder

if TYPE_CHECKING:
    from recorder.proxy.listeners import Doors
    from recorder.proxy.master import Proxy

_ANY = "NAME"  # stands in what is printed for the session that each request names
_OPEN_FILES = 10_240  # the most that every macOS gives to a process (OPEN_MAX)
_DETACH_WAIT = 30.0  # seconds; a first start without .pyc files takes about four


def _door_options(command: F) -> F:
    for decorate in (
        click.option("--log", "log", default="", hidden=True),
        click.option("--until-eof", "until_eof", is_flag=True, hidden=True),
        option("detach"),
        option("base-url-port"),
        option("port"),
    ):
        command = decorate(command)
    return command


@click.command("start")
@option("session")
@option("mode")
@recording_options
@_door_options
@replaying_options
def start_command(*, detach: bool, log: str, until_eof: bool, receipt: Path | None, strict: bool, **values: Any) -> int:
    """Record a session until Ctrl-C or `recorder stop`; without --session, those that requests name."""
    if until_eof:  # a program has started us, which names its sessions; the settings file may name the user's
        values["session"], detach = None, False
    settings = settings_from(**values)
    if detach:
        return _detach(settings)
    return _foreground(settings, log, Demands(receipt=receipt, strict=strict), until_eof=until_eof)


@click.command("replay")
@click.argument("session", metavar="NAME")
@recording_options
@_door_options
@replaying_options
def replay_command(
    *, detach: bool, log: str, until_eof: bool, receipt: Path | None, strict: bool, **values: Any
) -> int:
    """Replay a session, without the network, until Ctrl-C or `recorder stop`."""
    settings = settings_from(mode=Mode.REPLAY, **values)
    assert settings.session is not None
    path = cassette_path(settings.cassette_dir, settings.session)
    if not path.exists():
        raise RecorderError(f"expected a cassette at {path}, found none; `recorder list` shows what there is")
    if detach:
        return _detach(settings)
    return _foreground(settings, log, Demands(receipt=receipt, strict=strict), until_eof=until_eof)


def _allow_many_sessions() -> None:
    """Raise our own limit of open files: a session takes two, a connection through the proxy as many.

    Systems give 1,024 or, macOS, 256, for the sake of programs that use select(2). Not in `recorder run`, whose command
    would inherit it.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _OPEN_FILES if hard == resource.RLIM_INFINITY else min(_OPEN_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(ValueError, OSError):  # a system that has another limit yet; what we have will do for most
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _foreground(settings: Settings, log: str, demands: Demands, *, until_eof: bool) -> int:
    _allow_many_sessions()

    async def until_stopped(proxy: Proxy, serving: asyncio.Task[None], doors: Doors) -> int:
        session = settings.session or _ANY
        path = settings.cassette_dir / f"{session}{SUFFIX}"
        foreground.say(f"{_doing(settings, str(path))}. Ctrl-C stops.\n")
        named = None if settings.session else _ANY
        foreground.say("\n".join(foreground.client_lines(doors, hosts=settings.hosts, session=named)) + "\n")
        if until_eof:
            _at_end_of_input(proxy.stop)
        await asyncio.wait({serving})
        return 0

    return foreground.serve(
        foreground.Job(
            settings=settings,
            meanwhile=until_stopped,
            on_recorded=lambda recorded: foreground.say(_line(recorded, settings)),
            on_replayed=lambda answer: foreground.say(answer.line()),
            on_stopped=lambda summary: foreground.say(foreground.summary_line(summary)),
            log=log,
            demands=demands,
        )
    )


def _at_end_of_input(stop: Callable[[], None]) -> None:
    """Stop when nobody holds the other end of our standard input any more: with who started us, whatever ended it."""
    loop = asyncio.get_running_loop()

    def wait() -> None:
        sys.stdin.buffer.read()
        with suppress(RuntimeError):  # the loop is closed: a signal was first
            loop.call_soon_threadsafe(stop)

    threading.Thread(target=wait, daemon=True).start()


def _doing(settings: Settings, cassette: str) -> str:
    hosts = ", ".join(host.name for host in settings.hosts)
    words = {
        Mode.RECORD: f"Recording {hosts} to {cassette}",
        Mode.REPLAY: f"Replaying {cassette} for {hosts}",
        Mode.ONCE: f"Replaying {cassette} for {hosts}, or recording it if it is not there",
        Mode.NEW_EPISODES: f"Replaying {cassette} for {hosts}, and recording what is new",
        Mode.PASSTHROUGH: f"Passing {hosts} through, recording nothing",
    }
    return words[settings.mode]


def _line(recorded: Recorded, settings: Settings) -> str:
    return recorded.line() if recorded.session == settings.session else f"{recorded.session}  {recorded.line()}"


def _detach(settings: Settings) -> int:
    """Start the same command again in the background, and wait until it serves."""
    folder = state_folder()
    make_private(folder)
    log = folder / f"{time.strftime('%Y%m%dT%H%M%S')}-{os.getpid()}.log"
    descriptor = os.open(log, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as output:
        process = subprocess.Popen(
            # -P: a folder named `recorder` where the user works is not this program.
            [sys.executable, "-P", "-m", "recorder", *sys.argv[1:], "--foreground", "--log", str(log)],
            env=finding_this_package(),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        return _wait_until_it_serves(process, folder, log, settings)
    except BaseException:  # Ctrl-C while it starts: it would go on unseen
        process.terminate()
        raise


def _wait_until_it_serves(process: subprocess.Popen[bytes], folder: Path, log: Path, settings: Settings) -> int:
    deadline = time.monotonic() + _DETACH_WAIT
    while time.monotonic() < deadline:
        if process.poll() is not None:
            lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
            log.unlink(missing_ok=True)
            click.echo(lines[-1] if lines else "recorder: the recorder stopped at once", err=True)
            return process.returncode
        if entry := next((entry for entry in running(folder) if entry.pid == process.pid), None):
            session = settings.session or _ANY
            click.echo(f"{_doing(settings, entry.cassette)} in the background (pid {entry.pid})")
            click.echo(f'  eval "$(recorder env {session})"  sets the environment of a shell')
            click.echo(f"  recorder stop {settings.session or ''}".rstrip())
            click.echo(f"  log: {log}")
            process.returncode = 0  # it lives on by design: Popen need not warn about it
            return 0
        time.sleep(0.02)
    raise RecorderError(f"expected the recorder to serve within {_DETACH_WAIT:.0f} seconds, found nothing; see {log}")
