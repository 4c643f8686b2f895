"""An exception at one line of the recording addon, or of what it calls, while it records: one line after the other."""

from __future__ import annotations

import ast
import socket
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tests.crash.load import Ask, Noted, ask_all, load, missing_or_different, stream_request
from tests.crash.nursery import ForkingLauncher
from tests.e2e.processes import ROOT, RecorderProcess

# Not on the path of an exchange, or not a place at which a recorder of ours can fail by itself.
EXCLUDED = {
    "recorder.proxy.hook_errors": "the catching itself",
    "recorder.proxy.mitmdump_options": "read once, when mitmdump starts",
    "recorder.proxy.patches": "inside of mitmproxy's own layers; the self-test holds them when a recorder starts",
    "recorder.session.settings_file": "read once, before anything is served",
}


def _reached() -> list[str]:
    """The modules of `proxy/` and `session/` that the addon imports, by whatever way, less those of `EXCLUDED`."""
    found: dict[str, Path] = {}
    waiting = ["recorder.proxy.addon"]
    while waiting:
        name = waiting.pop()
        path = ROOT.joinpath(*name.split(".")).with_suffix(".py")
        if name in found or not path.is_file() or not name.startswith(("recorder.proxy.", "recorder.session.")):
            continue
        found[name] = path
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module:
                waiting += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    stale = [name for name in EXCLUDED if not any(each.startswith(name) for each in found)]
    assert stale == [], f"EXCLUDED names what the addon does not import: {stale}"
    return [
        path.relative_to(ROOT).as_posix()
        for name, path in sorted(found.items())
        if not any(name == left or name.startswith(f"{left}.") for left in EXCLUDED)
    ]


FILES = _reached()

# Where the catching itself is done, inside mitmproxy's own layer, or where a recorder of ours has nothing left to do:
# lines at which no exception can come up.
UNFAILING = ("guarded", "Tee.__call__", "RecordAddon.configure", "Writing._guarded", "Writing._commit")
UNHOOKED = "Elsewhere."  # what mitmproxy compares addresses with is not in a hook


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    file: str
    number: int
    function: str

    @property
    def text(self) -> str:
        return (ROOT / self.file).read_text(encoding="utf-8").splitlines()[self.number - 1].strip()


def lines_that_run(launcher: ForkingLauncher) -> list[Line]:
    """Those that run in a session of `exchanges`, its start and its end included. A bare `try:` does nothing."""
    into = launcher.folder / "lines"
    launcher.faults = [{"kind": "trace", "files": FILES, "into": str(into)}]
    recorder = launcher(session="lines")
    exchanges(recorder)
    assert 0 == recorder.stop()
    found = {tuple(line.split(":")[:2]): line.split(":", 2)[2] for line in into.read_text().splitlines()}
    lines = [Line(file=file, number=int(number), function=function) for (file, number), function in found.items()]
    return [line for line in lines if line.text != "try:" and not _is_exempt(line.function)]


def _is_exempt(function: str) -> bool:
    return function.endswith(UNFAILING) or function.startswith(UNHOOKED)


def fail_at(launcher: ForkingLauncher, line: Line) -> str:
    """What is wrong with a session in which that line raises; "" if the recorder failed closed.

    What runs depends on how quick the disk is; a line that does not run in one session is tried in three.
    """
    for _ in range(3):
        if (wrong := _fail_at(launcher, line)) != f"{line}: did not run":
            return wrong
    return wrong


def _fail_at(launcher: ForkingLauncher, line: Line) -> str:
    fired = Path(f"{launcher.folder}/fired-{Path(line.file).stem}-{line.number}")
    launcher.faults = [{"kind": "line", "file": line.file, "number": line.number, "fired": str(fired)}]
    try:
        recorder = launcher(session=fired.name)
    except AssertionError as error:  # it did not start, and says so
        return "" if "(exit status 1)" in str(error) else f"{line}: {error}"
    noted = exchanges(recorder)
    status = recorder.stop()
    lost = missing_or_different(noted.ends.values(), load(recorder.cassette))
    if not fired.exists():
        return f"{line}: did not run"
    if lost or status != 1:
        return f"{line}: exit status {status}, {lost}: {recorder.stderr}"
    return ""


def exchanges(recorder: RecorderProcess) -> Noted:
    """A bit of everything: whole answers, one without a body, a client that leaves, an upstream that breaks off."""
    noted = Noted()
    ask_all(recorder, [Ask(number=1, door="proxy", kind="bytes", sim="body-bytes=5000", size=5000)], noted)
    with socket.create_connection(("127.0.0.1", recorder.base_url_port), timeout=20) as leaving:
        leaving.sendall(stream_request(recorder, "chunks=1000, pace-ms=20"))
        with suppress(ConnectionResetError):  # where the fault has come by now
            leaving.recv(65536)
    asks = [
        Ask(number=2, door="base URL", kind="stream", sim="chunks=3"),
        Ask(number=3, door="proxy, HTTP/2", kind="stream", sim="cut=reset, cut-events=3"),
        Ask(number=4, door="proxy, HTTP/2", kind="chat"),
        Ask(number=5, door="base URL", kind="bytes", sim="body-bytes=0"),
        Ask(number=6, door="proxy", kind="bytes", sim="body-bytes=50, framing=close", size=50),
    ]
    ask_all(recorder, asks, noted)
    return noted
