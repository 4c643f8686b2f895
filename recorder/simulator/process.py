"""The simulator as a process of its own, for tests and the demo: `with start(seed="7") as upstream: …`.

A process, not a thread, so that its pace is not the test's. It ends when its stdin closes, and so with its parent.
Needs neither hypercorn nor trustme here; the child does.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryFile
from types import TracebackType
from typing import Any, Self

from recorder.errors import UpstreamError
from recorder.simulator import journal
from recorder.simulator.journal import Log

_PATIENCE = 5.0  # seconds that the child has to end by itself


def start(
    *,
    seed: str = "0",
    host: str = "127.0.0.1",
    port: int = 0,
    tls: bool = True,
    http2: bool = True,
    names: tuple[str, ...] = (),
    sim: str = "",
) -> Upstream:
    """Returns when it accepts connections. `names`: for the certificate, beside openrouter.ai and the loopback's own.
    `sim`: the defaults of `X-Sim`. Raises UpstreamError if it cannot start.
    """
    command = [sys.executable, "-m", "recorder.simulator", "--host", host, "--port", str(port), "--seed", seed]
    command += ["--sim", sim, *(item for name in names for item in ("--name", name))]
    command += [] if tls else ["--no-tls"]
    command += [] if http2 else ["--no-http2"]
    return Upstream(command)


class Upstream:
    """A running simulator. `ca_file` is None without TLS; `base_url` is what an OpenAI client takes."""

    def __init__(self, command: list[str]) -> None:
        self._stderr = TemporaryFile()  # noqa: SIM115 - it lives as long as the process; `stop` closes it
        self._lock = threading.Lock()
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._stderr, env=_environment()
        )
        try:
            ready = self._read()
        except BaseException:
            self.stop()
            raise
        self.host: str = ready["host"]
        self.port: int = ready["port"]
        self.ca_file = Path(ready["ca_file"]) if ready["ca_file"] else None
        self.origin = f"{'https' if ready['tls'] else 'http'}://{self.host}:{self.port}"
        self.base_url = f"{self.origin}/api/v1"

    @property
    def pid(self) -> int:
        return self._process.pid

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def log(self, *, after: int = 0) -> Log:
        """What it has seen so far; of the requests, those numbered above `after`.

        Over the pipe, not over HTTP: asking makes no connection.
        """
        with self._lock:
            assert self._process.stdin is not None
            self._process.stdin.write(b"log %d\n" % after)
            self._process.stdin.flush()
            return journal.load(self._read())

    def stop(self) -> str:
        """Ends it, and returns what it wrote on stderr, which it ought not to. A second call returns ""."""
        if self._stderr.closed:
            return ""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with suppress(BrokenPipeError):  # it has ended already
            self._process.stdin.close()
        try:
            self._process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()
        with self._stderr:
            return self._complaints()

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            self._process.wait()
            said = self._complaints().strip().removeprefix("error: ")
            raise UpstreamError(said or f"the simulated OpenRouter ended with status {self._process.returncode}")
        value: dict[str, Any] = json.loads(line)
        return value

    def _complaints(self) -> str:
        self._stderr.seek(0)
        return self._stderr.read().decode(errors="replace")


def _environment() -> dict[str, str]:
    """The child must find this very package, from whatever folder the test runs."""
    root = str(Path(__file__).parents[2])
    path = os.environ.get("PYTHONPATH")
    return {**os.environ, "PYTHONPATH": f"{root}{os.pathsep}{path}" if path else root}
