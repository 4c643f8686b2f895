"""Recorders forked from one process that has loaded everything: they start in a tenth of the time, and can be hurt.

As a program (`python -m tests.crash.nursery`) it forks a recorder for each order that comes in, one JSON object a line,
and tells what became of it. What runs in the child is `recorder.cli.main` with the arguments of a command line; the
faults that an order asks for are put in before, so that nothing of them is in the product. It ends with its stdin, and
with it all that it has started, however it ends.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from recorder.simulator import Upstream
from tests.e2e.processes import PATIENCE, ROOT, Launcher, Process

Fault = Mapping[str, Any]


class Nursery:
    """The running program, asked over pipes. Threads may share it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.crash.nursery"],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    @property
    def pid(self) -> int:
        return self._process.pid

    def ask(self, **order: Any) -> Any:
        with self._lock:
            assert self._process.stdin
            assert self._process.stdout
            self._process.stdin.write(json.dumps(order).encode() + b"\n")
            self._process.stdin.flush()
            return json.loads(self._process.stdout.readline())

    def close(self) -> None:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait(PATIENCE)


class Forked:
    """A process that the nursery started, with the surface of `subprocess.Popen`."""

    def __init__(self, nursery: Nursery, pid: int) -> None:
        self.pid = pid
        self._nursery = nursery
        self._status: int | None = None

    def poll(self) -> int | None:
        if self._status is None:
            self._status = self._nursery.ask(poll=self.pid)
        return self._status

    def wait(self, timeout: float | None = PATIENCE) -> int:
        deadline = time.monotonic() + (PATIENCE if timeout is None else timeout)
        while (status := self.poll()) is None:
            if time.monotonic() > deadline:
                raise subprocess.TimeoutExpired(["recorder"], timeout or PATIENCE)
            time.sleep(0.002)
        return status

    def send_signal(self, sig: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, sig)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


@dataclass(slots=True, kw_only=True)
class ForkingLauncher(Launcher):
    """A launcher whose recorders are forked. `faults`: what is to go wrong in those that are started from now on."""

    nursery: Nursery
    faults: list[Fault] = field(default_factory=list)

    def _spawn(self, arguments: list[str], env: dict[str, str], stdout: Path, stderr: Path) -> Process:
        pid = self.nursery.ask(
            start=arguments,
            env=env,
            folder=str(self.folder),
            stdout=str(stdout),
            stderr=str(stderr),
            faults=self.faults,
        )
        return Forked(self.nursery, pid)


@contextmanager
def forking(folder: Path, certs: Path, upstream: Upstream | None, nursery: Nursery) -> Iterator[ForkingLauncher]:
    """A launcher, and the end of all that it started."""
    launcher = ForkingLauncher(folder=folder, certs=certs, upstream=upstream, nursery=nursery)
    try:
        yield launcher
    finally:
        launcher.end()


# --- the program --------------------------------------------------------------------------------------------------


def _main() -> None:
    import gc

    import recorder.cli.start
    import recorder.proxy.master  # noqa: F401

    gc.collect()
    gc.freeze()  # the children need not copy what they never change
    statuses: dict[int, int | None] = {}
    our_end, held_by_us = os.pipe()
    for line in sys.stdin.buffer:
        order = json.loads(line)
        if "start" in order:
            pid = os.fork()
            if not pid:
                os.close(held_by_us)
                threading.Thread(target=_end_with, args=(our_end,), daemon=True).start()
                _become(order)
            statuses[pid] = None
            _answer(pid)
        else:
            pid = order["poll"]
            if statuses[pid] is None:
                ended, how = os.waitpid(pid, os.WNOHANG)
                statuses[pid] = os.waitstatus_to_exitcode(how) if ended else None
            _answer(statuses[pid])
    for pid, status in statuses.items():
        if status is None:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


def _answer(value: int | None) -> None:
    sys.stdout.write(f"{json.dumps(value)}\n")
    sys.stdout.flush()


def _end_with(pipe: int) -> None:
    """Die when the nursery does, kill -9 included: then nobody holds the other end of the pipe any more."""
    os.read(pipe, 1)
    os.kill(os.getpid(), signal.SIGKILL)


def _become(order: dict[str, Any]) -> None:
    """Be the recorder of that command line, to its end."""
    from recorder.cli import main
    from tests.crash import faults

    status = 70  # EX_SOFTWARE
    try:
        for number, (name, flags) in enumerate(
            [(os.devnull, os.O_RDONLY), (order["stdout"], os.O_WRONLY), (order["stderr"], os.O_WRONLY)]
        ):
            descriptor = os.open(name, flags | os.O_CREAT | os.O_APPEND, 0o600)
            os.dup2(descriptor, number)
            os.close(descriptor)
        os.chdir(order["folder"])
        os.environ.clear()
        os.environ.update(order["env"])
        sys.argv = ["recorder", *order["start"]]
        for fault in order["faults"]:
            faults.install(fault)
        main()
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else 1
    except BaseException:  # noqa: BLE001 - the interpreter would print it, too
        sys.excepthook(*sys.exc_info())
        status = 1
    finally:
        with suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(status)


if __name__ == "__main__":
    _main()
