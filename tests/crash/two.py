"""A second recorder on a cassette that is being recorded."""

from __future__ import annotations

import time

from tests.e2e.processes import Launcher


def second_recorder(launcher: Launcher, session: str = "session") -> tuple[float, str]:
    """How long it took to be refused, in seconds, and the one line that it said. A process of its own, unforked."""
    began = time.monotonic()
    ended = launcher.command("start", "--session", session, *launcher.options)
    took = time.monotonic() - began
    assert 1 == ended.returncode, ended
    (line,) = ended.stderr.splitlines()
    return took, line


def command_line(launcher: Launcher) -> float:
    """How long the command line takes to load, in seconds: what a refusal is held against."""
    began = time.monotonic()
    launcher.command("start", "--help")
    return time.monotonic() - began
