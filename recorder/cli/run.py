"""`recorder run -- CMD`: a recorder around one command."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
from typing import TYPE_CHECKING, Any

import click

from recorder import environment
from recorder.cli import foreground
from recorder.cli.options import option, recording_options, settings_from
from recorder.errors import UsageError
from recorder.recording import Recorded
from recorder.settings import Settings

if TYPE_CHECKING:
    from recorder.proxy.master import Doors, Proxy

_PASSED_ON = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2)
_FROM_THE_KEYBOARD = (signal.SIGINT, signal.SIGQUIT)


@click.command("run", context_settings={"ignore_unknown_options": False, "allow_interspersed_args": False})
@recording_options
@option("--port", type=click.IntRange(0, 65535), default=0, help="Proxy port; 0 picks a free one.")
@option("--base-url-port", type=click.IntRange(0, 65535), default=0, help="Base-URL port; 0 picks a free one.")
@option("--base-url/--no-base-url", default=False, help="Also set OPENROUTER_BASE_URL and OPENAI_BASE_URL.")
@click.option("--verbose", "-v", is_flag=True, help="Also a line for each interaction.")
@click.argument("command", nargs=-1, type=click.UNPROCESSED, required=True)
def run_command(*, base_url: bool, verbose: bool, command: tuple[str, ...], **values: Any) -> int:
    """Record what one command does, with its environment set; exits with the command's status."""
    settings = settings_from(**values)
    if shutil.which(command[0]) is None:
        raise UsageError(f"expected a command to run, found none named {command[0]!r} on the PATH")
    return _run(settings, command, base_url=base_url, verbose=verbose)


def _run(settings: Settings, command: tuple[str, ...], *, base_url: bool, verbose: bool) -> int:
    async def run_it(_proxy: Proxy, _serving: asyncio.Task[None], doors: Doors) -> int:
        variables = environment.proxy_variables(port=doors.port, bundle=doors.trust.bundle)
        if base_url:
            variables |= environment.base_url_variables(port=doors.base_url_port, host=settings.hosts[0].name)
        child = await asyncio.create_subprocess_exec(*command, env={**os.environ, **variables})

        def pass_on(number: signal.Signals) -> None:
            if child.returncode is None and not (number in _FROM_THE_KEYBOARD and _in_foreground()):
                child.send_signal(number)

        foreground.on_signals(_PASSED_ON, pass_on)
        status = await child.wait()
        return status if status >= 0 else 128 - status  # as a shell tells of a signal

    def show(recorded: Recorded) -> None:
        if verbose or recorded.incomplete:  # among the command's own output, so only what is asked for or amiss
            click.echo(recorded.line(), err=True)

    return foreground.serve(
        foreground.Job(
            settings=settings,
            meanwhile=run_it,
            on_recorded=show,
            on_stopped=lambda summary: click.echo(foreground.summary_line(summary), err=True),
        )
    )


def _in_foreground() -> bool:
    """Whether a Ctrl-C at the keyboard has reached the command already, which is in our process group."""
    try:
        return os.tcgetpgrp(0) == os.getpgrp()
    except OSError:
        return False
