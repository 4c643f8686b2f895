"""Real recorders as child processes, for tests: commands that end, and recorders that run until they are stopped."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Protocol

from recorder.session import environment, registry
from recorder.session.registry import Running
from recorder.simulator import Upstream
from recorder.storage import session_paths

ROOT = Path(__file__).parents[2]
PATIENCE = 30.0  # seconds; a start takes about one, on a busy machine a few
# What a developer may have set and a recorder or a client would heed.
_FOREIGN = ("RECORDER_", "OPENROUTER_", "OPENAI_", "XDG_", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")


def clean_environment(state: Path, **more: str) -> dict[str, str]:
    """The tests' own environment without what would change a recorder, and with its state in `state`."""
    kept = {name: value for name, value in os.environ.items() if not name.upper().startswith(_FOREIGN)}
    return {**kept, "PYTHONPATH": str(ROOT), "RECORDER_STATE_DIR": str(state), **more}


def is_alive(pid: int) -> bool:
    """Whether a process of that pid is there, one that nobody has waited for included."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def wait_for(what: str, claim: Callable[[], object]) -> None:
    """Wait until `claim()` is true."""
    deadline = time.monotonic() + PATIENCE
    while not claim():
        assert time.monotonic() < deadline, f"waited {PATIENCE:.0f} s for {what}"
        time.sleep(0.01)


class Process(Protocol):
    """What of `subprocess.Popen` is used here."""

    @property
    def pid(self) -> int: ...
    def poll(self) -> int | None: ...
    def wait(self, timeout: float | None = None) -> int: ...
    def send_signal(self, sig: int) -> None: ...
    def kill(self) -> None: ...


@dataclass(slots=True, kw_only=True)
class RecorderProcess:
    """A running `recorder start` in the foreground. `cassette` is the file's path; it need not be there yet."""

    process: Process
    running: Running
    stdout_file: Path
    stderr_file: Path
    host: str = "openrouter.ai"

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def port(self) -> int:
        return self.running.port

    @property
    def base_url_port(self) -> int:
        return self.running.base_url_port

    @property
    def proxy_url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def base_url(self) -> str:
        """The API's base URL at the base-URL port: `http://127.0.0.1:PORT/api/v1`."""
        return environment.base_url(port=self.base_url_port, host=self.host)

    @property
    def bundle(self) -> Path:
        return Path(self.running.bundle)

    @property
    def cassette(self) -> Path:
        return Path(self.running.cassette)

    @property
    def incomplete(self) -> Path:
        return self.cassette.with_suffix(session_paths.INCOMPLETE_SUFFIX)

    @property
    def variables(self) -> dict[str, str]:
        """What a client's environment needs for the proxy port."""
        return environment.proxy_variables(port=self.port, bundle=self.bundle)

    @property
    def stdout(self) -> str:
        return self.stdout_file.read_text(encoding="utf-8")

    @property
    def stderr(self) -> str:
        return self.stderr_file.read_text(encoding="utf-8")

    @property
    def output(self) -> str:
        return self.stdout + self.stderr

    def wait(self) -> int:
        """The exit status, once it has ended by itself."""
        return self.process.wait(PATIENCE)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Ask it to stop; its exit status."""
        self.process.send_signal(number)
        return self.wait()

    def kill(self) -> None:
        """End it with no chance to do anything more. After an end of its own there is nothing to do."""
        self.process.kill()
        self.process.wait()


@dataclass(slots=True, kw_only=True)
class Launcher:
    """Starts recorders and runs commands in `folder`, where also the cassettes are and the state is.

    Called, it starts a recorder: `launcher("--layout", "seed", session="weather")`, with free ports, connected to
    `upstream` for openrouter.ai. `end` kills those that still run.
    """

    folder: Path
    certs: Path
    upstream: Upstream | None = None
    _started: list[RecorderProcess] = field(default_factory=list)
    _numbers: Iterator[int] = field(default_factory=count)

    @property
    def state(self) -> Path:
        return self.folder / "state"

    @property
    def cassettes(self) -> Path:
        return self.folder / "cassettes"

    @property
    def options(self) -> list[str]:
        """What every recorder of these tests is told."""
        told = ["--certs", str(self.certs), "--port", "0", "--base-url-port", "0"]
        if self.upstream:
            told += ["--connect-to", f"openrouter.ai:443:{self.upstream.host}:{self.upstream.port}"]
            told += ["--upstream-ca", str(self.upstream.ca_file)]
        return told

    def __call__(
        self, *options: str, session: str | None = "session", env: Mapping[str, str] | None = None
    ) -> RecorderProcess:
        number = next(self._numbers)
        stdout, stderr = self.folder / f"stdout-{number}", self.folder / f"stderr-{number}"
        named = [] if session is None else ["--session", session]
        arguments = ["start", *named, *self.options, *options]
        process = self._spawn(arguments, clean_environment(self.state, **(env or {})), stdout, stderr)
        running = self._await(process, stderr)
        recorder = RecorderProcess(process=process, running=running, stdout_file=stdout, stderr_file=stderr)
        self._started.append(recorder)
        return recorder

    def _spawn(self, arguments: list[str], env: dict[str, str], stdout: Path, stderr: Path) -> Process:
        with stdout.open("wb") as out, stderr.open("wb") as err:
            return subprocess.Popen(
                [sys.executable, "-m", "recorder", *arguments],
                cwd=self.folder,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
            )

    def _await(self, process: Process, stderr: Path) -> Running:
        deadline = time.monotonic() + PATIENCE
        while process.poll() is None and time.monotonic() < deadline:
            for entry in registry.running(self.state):
                if entry.pid == process.pid:
                    return entry
            time.sleep(0.02)
        process.kill()
        raise AssertionError(f"the recorder did not start (exit status {process.wait()}): {stderr.read_text()}")

    def command(
        self, *arguments: str, env: Mapping[str, str] | None = None, given: str = ""
    ) -> subprocess.CompletedProcess[str]:
        """Run one command of `recorder` to its end; `given` is its standard input."""
        return subprocess.run(
            [sys.executable, "-P", "-m", "recorder", *arguments],
            cwd=self.folder,
            env=clean_environment(self.state, **(env or {})),
            input=given,
            capture_output=True,
            text=True,
            timeout=2 * PATIENCE,
            check=False,
        )

    def end(self) -> None:
        for recorder in self._started:
            recorder.kill()


@contextmanager
def launching(folder: Path, certs: Path, upstream: Upstream | None = None) -> Iterator[Launcher]:
    """A launcher, and the end of all that it started."""
    launcher = Launcher(folder=folder, certs=certs, upstream=upstream)
    try:
        yield launcher
    finally:
        launcher.end()
