"""The processes of `scripts/bench`: the upstream, the load generator, and each proxy that is held against ours."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
_PATIENCE = 60.0  # seconds for a first start, which may have to compile everything
_TICKS = os.sysconf("SC_CLK_TCK")
# What a developer may have set and a proxy or a client would heed.
_FOREIGN = ("RECORDER_", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """A way to the upstream. `proxy`, `plain`: the ports of a proxy's two doors, None for the direct connection."""

    name: str
    upstream: int
    ca: Path
    pid: int | None = None
    proxy: int | None = None
    plain: int | None = None

    def through(self, door: str) -> dict[str, Any]:
        """What the load generator is told: `door` is `proxy` or `plain`."""
        port = {door: getattr(self, door)} if self.pid else {}
        return {"upstream": self.upstream, "ca": str(self.ca), **port}

    @property
    def cpu(self) -> float:
        """Seconds of CPU that its process has used; 0.0 for the direct connection, and where there is no /proc."""
        return cpu(self.pid) if self.pid else 0.0


def cpu(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    except FileNotFoundError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / _TICKS


def memory(pid: int, *, peak: bool = False) -> float:
    """Megabytes that a process has in memory, or had at most; 0.0 where there is no /proc."""
    name = "VmHWM" if peak else "VmRSS"
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    except FileNotFoundError:
        return 0.0
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith(name)) / 1024


class Load:
    """The load generator's process."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def __call__(self, do: str, **order: Any) -> dict[str, float]:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps({"do": do, **order}) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("the load generator has ended; see above")
        answer: dict[str, float] = json.loads(line)
        return answer


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """A folder for this run, the upstream and the load generator in it."""

    folder: Path
    upstream: int
    load: Load
    ca: Path
    """Whom the clients trust: the upstream's CA and the proxies', which share one."""

    @property
    def certs(self) -> Path:
        return self.folder / "certs"

    @property
    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.upper().startswith(_FOREIGN)}
        return {**kept, "PYTHONPATH": str(ROOT), "RECORDER_STATE_DIR": str(self.folder / "state")}

    @property
    def direct(self) -> Door:
        return Door(name="direct", upstream=self.upstream, ca=self.ca)

    def command(self, name: str, proxy: int, plain: int) -> list[str]:
        host, upstream_ca = f"localhost:{self.upstream}", self.folder / "upstream-ca.pem"
        if name.startswith("recorder"):
            ports = ["--port", str(proxy), "--base-url-port", str(plain)]
            told = ["--host", f"https://{host}", "--certs", str(self.certs), "--upstream-ca", str(upstream_ca)]
            program, _, tape = name.partition(" replay ")
            mode = ["--mode", "replay", "--reuse", "all"] if tape else program.split()[1:]
            start = ["start", "--session", tape or f"bench-{proxy}", *mode]
            return [sys.executable, "-m", "recorder", *start, *told, *ports]
        mitmdump = str(Path(sys.executable).parent / "mitmdump")
        doors = ["--mode", f"regular@127.0.0.1:{proxy}", "--mode", f"reverse:https://{host}@127.0.0.1:{plain}"]
        told = ["--set", f"confdir={self.certs}", "--set", f"ssl_verify_upstream_trusted_ca={upstream_ca}"]
        return [mitmdump, *doors, *told, *self._own(name, host, proxy)]

    def _own(self, name: str, host: str, proxy: int) -> list[str]:
        if name == "mitmdump":
            return ["--set", "stream_large_bodies=1"]
        if name == "mitmdump -w":
            return ["-w", str(self.folder / "flows")]
        assert name == "mitmdump -s"
        session = ["--set", f"session=addon-{proxy}"]
        return ["-s", str(ROOT / "addons" / "record.py"), *session, "--set", f"record_hosts={host}"]

    @contextmanager
    def running(self, name: str) -> Iterator[Door]:
        """The proxy of that name, serving."""
        with self.starting(name) as door:
            wait_until_it_serves(door)
            yield door

    @contextmanager
    def starting(self, name: str) -> Iterator[Door]:
        proxy, plain = _free_ports()
        with (self.folder / "log").open("ab") as log:
            process = subprocess.Popen(
                self.command(name, proxy, plain),
                cwd=self.folder,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=log,
            )
        try:
            yield Door(name=name, upstream=self.upstream, ca=self.ca, pid=process.pid, proxy=proxy, plain=plain)
            if process.poll() is not None:
                raise RuntimeError(f"{name} has ended: {(self.folder / 'log').read_text()}")
        finally:
            process.terminate()
            try:
                process.wait(_PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def wait_until_it_serves(door: Door) -> None:
    deadline = time.monotonic() + _PATIENCE
    for port in (door.proxy, door.plain):
        while True:
            with suppress(OSError), socket.create_connection(("127.0.0.1", port or 0)):
                break
            if time.monotonic() > deadline:
                raise RuntimeError(f"{door.name} does not serve")
            time.sleep(0.005)


@contextmanager
def bench(folder: Path) -> Iterator[Bench]:
    with ExitStack() as stack:
        upstream = stack.enter_context(_process("bench_upstream.py", str(folder)))
        assert upstream.stdout
        port = int(upstream.stdout.readline())
        load = Load(stack.enter_context(_process("bench_load.py")))
        ca = folder / "trusted.pem"
        _make_ca(folder / "certs")
        parts = (folder / "upstream-ca.pem", folder / "certs" / "mitmproxy-ca-cert.pem")
        ca.write_bytes(b"".join(part.read_bytes() for part in parts))
        yield Bench(folder=folder, upstream=port, load=load, ca=ca)


def _make_ca(folder: Path) -> None:
    """The CA is there before anything is measured. In a process of its own: it loads mitmproxy."""
    program = (
        "import sys, pathlib; from recorder.proxy import certificates; certificates.prepare(pathlib.Path(sys.argv[1]))"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-c", program, str(folder)], check=True, env=environment)


@contextmanager
def _process(script: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, str(HERE / script), *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def _free_ports() -> tuple[int, int]:
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as other:
        return one.getsockname()[1], other.getsockname()[1]
