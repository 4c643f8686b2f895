"""The pytest plugin: `@pytest.mark.cassette` and the fixture `cassette`. One recorder for all tests, and a
session for each.

The recorder is a process of its own, started with the first test that needs it; it ends with pytest, whatever becomes
of that. A test's environment leads its clients, and those of its child processes, through the recorder.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import recorder
from recorder import control, environment, session, wording
from recorder.errors import RecorderError, UsageError
from recorder.session import Running
from recorder.settings import Mode, parse_hosts, parse_mode

_PATIENCE = 60.0  # seconds for a start; a first one without .pyc files takes about four
_MARKER = (
    "cassette(name=None, *, mode=None): record this test's HTTP traffic to a cassette, or replay it. "
    f"name: of the session, by default after the test; mode: {', '.join(Mode)}"
)
_RECORDER = pytest.StashKey["_Recorder"]()
_UNPORTABLE = re.compile(r'[<>:"\\|?*\x00-\x20/]+')


@dataclass(frozen=True, slots=True, kw_only=True)
class TestCassette:
    """What a test is given. `variables`: those that lead a client through the recorder; they are set already.

    `base_url`: of the first recorded host's API, for a client that is told it in code; `proxy_url`: the same for one
    that is told its proxy. `bundle`: the roots to trust there.
    """

    __test__ = False  # no test class, whatever its name

    name: str
    path: Path
    mode: str
    base_url: str
    proxy_url: str
    bundle: Path
    variables: Mapping[str, str]

    @property
    def turns(self) -> Sequence[recorder.Turn]:
        """What the cassette holds by now."""
        return recorder.load(self.path)


class _Recorder:
    """The recorder process. It ends when its standard input does."""

    def __init__(self, folder: Path, *, cassettes: Path) -> None:
        self._state = folder / "state"
        self._log = folder / "recorder.log"
        variables = {**os.environ, "RECORDER_STATE_DIR": str(self._state)}
        variables.pop("RECORDER_SESSION", None)
        command = [sys.executable, "-P", "-m", "recorder", "start", "--until-eof"]
        command += ["--port", "0", "--base-url-port", "0", "--cassette-dir", str(cassettes)]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=log, stderr=log, env=variables, start_new_session=True
            )
        self.running = self._await()

    def _await(self) -> Running:
        deadline = time.monotonic() + _PATIENCE
        while time.monotonic() < deadline:
            for entry in session.running(self._state):
                if entry.pid == self._process.pid:
                    return entry
            if self._process.poll() is not None:
                raise RecorderError(f"expected the recorder to start, found that it ended: {self._last_words()}")
            time.sleep(0.01)
        self._process.kill()
        raise RecorderError(f"expected the recorder to start within {_PATIENCE:.0f} seconds; see {self._log}")

    def _last_words(self) -> str:
        lines = self._log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        return lines[-1] if lines else "it said nothing"

    def stop(self) -> None:
        """Let it finish; RecorderError if it had failed."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        if self._process.wait(_PATIENCE):
            raise RecorderError(f"the recorder failed: {self._last_words()}")


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("recorder")
    group.addoption("--recorder-mode", metavar="MODE", help=f"mode of all cassettes: {', '.join(Mode)}")
    parser.addini("recorder_mode", "mode of cassettes whose marker has none", default=Mode.ONCE.value)
    parser.addini("recorder_cassette_dir", "folder of the cassettes, from the rootdir", default="cassettes")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", _MARKER)
    for told in (config.getoption("--recorder-mode"), config.getini("recorder_mode")):
        if told:
            try:
                parse_mode(told)
            except UsageError as error:
                raise pytest.UsageError(f"recorder: {error}") from error


def pytest_unconfigure(config: pytest.Config) -> None:
    started = config.stash.get(_RECORDER, None)
    if started is not None:
        started.stop()


@pytest.fixture(autouse=True)
def _marked_cassette(request: pytest.FixtureRequest) -> None:
    """The marker alone is enough."""
    if request.node.get_closest_marker("cassette"):
        request.getfixturevalue("cassette")


@pytest.fixture
def cassette(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[TestCassette]:
    """This test's own session in the recorder: its traffic is recorded, or replayed, as the mode says."""
    name, mode = _name_and_mode(request)
    running = _recorder(request.config, tmp_path_factory).running
    _told(control.start, running.base_url_port, name, mode=mode)
    made = _cassette(running, name, mode)
    for variable, value in made.variables.items():
        monkeypatch.setenv(variable, value)
    try:
        yield made
    finally:
        summary = _told(control.stop, running.base_url_port, name)
    if missed := (summary.get("receipt") or {}).get("missed"):
        pytest.fail(_misses(made, missed), pytrace=False)


def _told(call: Any, *given: Any, **named: Any) -> Any:
    """What the recorder answers; what it refuses is the test's failure, in one line."""
    try:
        return call(*given, **named)
    except RecorderError as error:
        pytest.fail(f"recorder: {error}", pytrace=False)


def _misses(made: TestCassette, missed: list[dict[str, Any]]) -> str:
    lines = [f"recorder: {made.path} has no answer to {wording.count(len(missed), 'request')} of this test's:"]
    for miss in missed:
        lines.append(f"  {miss['method']} {miss['url']}: {miss['message']}")
        lines += (f"    {each['place']}: {each['recorded']} ≠ {each['sent']}" for each in miss["differences"])
    return "\n".join(lines)


def _recorder(config: pytest.Config, temporary: pytest.TempPathFactory) -> _Recorder:
    if _RECORDER not in config.stash:
        cassettes = config.rootpath / config.getini("recorder_cassette_dir")
        try:
            config.stash[_RECORDER] = _Recorder(temporary.mktemp("recorder"), cassettes=cassettes)
        except RecorderError as error:
            pytest.fail(f"recorder: {error}", pytrace=False)
    return config.stash[_RECORDER]


def _cassette(running: Running, name: str, mode: str) -> TestCassette:
    hosts = parse_hosts(running.hosts)
    bundle = Path(running.bundle)
    variables = environment.proxy_variables(port=running.port, bundle=bundle, hosts=hosts, session=name)
    base_url = environment.base_url_variables(port=running.base_url_port, host=running.host, hosts=hosts, session=name)
    return TestCassette(
        name=name,
        path=session.cassette_path(Path(running.cassette), name),
        mode=mode,
        base_url=environment.base_url(port=running.base_url_port, host=running.host, session=name),
        proxy_url=variables["HTTPS_PROXY"],
        bundle=bundle,
        variables={**variables, **base_url},
    )


def _name_and_mode(request: pytest.FixtureRequest) -> tuple[str, str]:
    marker = request.node.get_closest_marker("cassette")
    given = _arguments(*marker.args, **marker.kwargs) if marker else (None, None)
    name, mode = given
    config = request.config
    chosen = config.getoption("--recorder-mode") or mode or config.getini("recorder_mode")
    try:
        return session.check_name(name or name_of(request.node.nodeid)), parse_mode(chosen).value
    except UsageError as error:
        pytest.fail(f"recorder: {request.node.nodeid}: {error}", pytrace=False)


def _arguments(name: str | None = None, *, mode: str | None = None) -> tuple[str | None, str | None]:
    return name, mode


def name_of(node_id: str) -> str:
    """A session's name from a test's id: `tests/test_a.py::TestB::test_c[x/y]` → `tests/test_a/TestB/test_c[x-y]`."""
    file, *inside = node_id.split("::")
    parts = [*file.removesuffix(".py").split("/"), *(_UNPORTABLE.sub("-", part) for part in inside)]
    return "/".join(unicodedata.normalize("NFC", part).strip(" .-~@") or "-" for part in parts)
