"""`recorder run -- CMD`: a recorder around one command."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from recorder.cli import foreground
from recorder.cli.options import (
    option,
    recording_options,
    replaying_options,
    settings_from,
)
from recorder.errors import RecorderError, UsageError
from recorder.session import environment
from recorder.session.recording import Recorded
from recorder.session.requirements import Demands
from recorder.session.settings import Settings

if TYPE_CHECKING:
    from recorder.proxy.listeners import Doors
    from recorder.proxy.master import Proxy

_PASSED_ON = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2)
_FROM_THE_KEYBOARD = (signal.SIGINT, signal.SIGQUIT)


@click.command("run", context_settings={"ignore_unknown_options": False, "allow_interspersed_args": False})
@option("session", required=True)
@option("mode")
@recording_options
@option("port", default=0)
@option("base-url-port", default=0)
@option("base-url")
@replaying_options
@click.option("--verbose", "-v", is_flag=True, help="Also a line for each interaction.")
@click.argument("command", nargs=-1, type=click.UNPROCESSED, required=True)
def run_command(
    *, base_url: bool, verbose: bool, command: tuple[str, ...], receipt: Path | None, strict: bool, **values: Any
) -> int:
    """Record or replay what one command does, with its environment set; exits with the command's status.

    Where that is 0 and a request was missed, with 1; with --strict also where an interaction was never played.
    """
    settings = settings_from(**values)
    if shutil.which(command[0]) is None:
        raise UsageError(f"expected a command to run, found none named {command[0]!r} on the PATH")
    demands = Demands(receipt=receipt, strict=strict, no_miss=True)
    return _run(settings, command, base_url=base_url, verbose=verbose, demands=demands)


def _run(settings: Settings, command: tuple[str, ...], *, base_url: bool, verbose: bool, demands: Demands) -> int:
    async def run_it(proxy: Proxy, _serving: asyncio.Task[None], doors: Doors) -> int:
        variables = environment.proxy_variables(port=doors.port, bundle=doors.bundle, hosts=settings.hosts)
        if base_url:
            variables |= environment.base_url_variables(
                port=doors.base_url_port, host=settings.hosts[0].name, hosts=settings.hosts
            )
        return await _Child(command, variables).run(at_once=proxy.stop)

    def show(recorded: Recorded) -> None:
        if verbose or recorded.incomplete:  # among the command's own output, so only what is asked for or amiss
            foreground.say(recorded.line(), to="stderr")

    return foreground.serve(
        foreground.Job(
            settings=settings,
            meanwhile=run_it,
            on_recorded=show,
            on_replayed=lambda answer: foreground.say(answer.line(), to="stderr") if verbose else None,
            on_stopped=lambda summary: foreground.say(foreground.summary_line(summary), to="stderr"),
            demands=demands,
        )
    )


class _Child:
    """The command as a process. Signals that we get are passed on to it as long as it runs."""

    def __init__(self, command: tuple[str, ...], variables: Mapping[str, str]) -> None:
        self._command = command
        self._variables = variables
        self._process: asyncio.subprocess.Process | None = None
        self._early: list[signal.Signals] = []

    async def run(self, *, at_once: Callable[[], None]) -> int:
        """The exit status, as a shell has it. A signal that comes after the end calls `at_once`."""

        def pass_on(number: signal.Signals) -> None:
            if self._process is None:
                self._early.append(number)
            elif self._process.returncode is not None:
                at_once()  # what is waited for are streams that it left under way
            elif not (number in _FROM_THE_KEYBOARD and _in_foreground()):
                self._process.send_signal(number)

        foreground.on_signals(_PASSED_ON, pass_on)
        try:
            self._process = await asyncio.create_subprocess_exec(*self._command, env={**os.environ, **self._variables})
        except OSError as error:
            raise RecorderError(f"expected a command to run, found {self._command[0]!r}: {error.strerror}") from error
        for number in self._early:
            pass_on(number)
        status = await self._process.wait()
        return status if status >= 0 else 128 - status


def _in_foreground() -> bool:
    """Whether a Ctrl-C at the keyboard has reached the command already, which is in our process group."""
    try:
        terminal = os.open("/dev/tty", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    except OSError:
        return False
    finally:
        os.close(terminal)
