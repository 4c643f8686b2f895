"""The pytest plugin: `@pytest.mark.cassette` and the fixture `cassette`. One recorder for all tests, and a
session for each.

The recorder is a process of its own, started with the first test that needs it; it ends with pytest, whatever becomes
of that. A test's environment leads its clients, and those of its child processes, through the recorder.
"""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
import time
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import recorder
from recorder import humanize
from recorder.errors import RecorderError, UsageError
from recorder.session import control_client, environment, registry
from recorder.session.registry import Running
from recorder.session.settings import Mode, parse_hosts, parse_mode
from recorder.storage import session_paths

_PATIENCE = 60.0  # seconds for a start; a first one without .pyc files takes about four
_MARKER = (
    "cassette(name=None, *, mode=None): record this test's HTTP traffic to a cassette, or replay it. "
    f"name: of the session, by default after the test; mode: {', '.join(Mode)}"
)
_ARGUMENTS = {"name", "mode"}
_RECORDER = pytest.StashKey["_Recorder"]()
_FAILURES = pytest.StashKey[list[str]]()
_OUTPUT = "recorder_failures"  # of a pytest-xdist worker
_PATHS = ("RECORDER_CERTS", "RECORDER_UPSTREAM_CA", "RECORDER_RECEIPT")  # meant from the folder that pytest runs in
_LONGEST = 120  # bytes of a part of a session's name that is made from a test's; its parameters may be whole prompts
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

    def __init__(self, folder: Path, *, root: Path, cassettes: Path) -> None:
        self._state = folder / "state"
        self._log = folder / "recorder.log"
        command = [sys.executable, "-P", "-m", "recorder", "start", "--until-eof"]
        command += ["--port", "0", "--base-url-port", "0", "--cassette-dir", str(cassettes)]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                command,
                cwd=root,  # the settings are the project's, wherever pytest was called
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                env=_environment(self._state),
                start_new_session=True,
            )
        self.running = self._await()

    def _await(self) -> Running:
        deadline = time.monotonic() + _PATIENCE
        while time.monotonic() < deadline:
            for entry in registry.running(self._state):
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

    def stop(self) -> str:
        """Let it finish; what it failed of, "" for nothing."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            status = self._process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            status = self._process.wait()
        return f"the recorder ended with exit status {status}: {self._last_words()}" if status else ""


def _environment(state: Path) -> dict[str, str]:
    """Ours, for a child in another folder that finds this very package."""
    variables = {name: os.path.abspath(os.environ[name]) for name in _PATHS if os.environ.get(name)}  # noqa: PTH100 - links stay
    path = [str(Path(recorder.__file__).parents[1]), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, **variables, "PYTHONPATH": os.pathsep.join(path), "RECORDER_STATE_DIR": str(state)}


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("recorder")
    group.addoption("--recorder-mode", metavar="MODE", help=f"mode of all cassettes: {', '.join(Mode)}")
    parser.addini("recorder_mode", "mode of cassettes whose marker has none", default=Mode.ONCE.value)
    parser.addini("recorder_cassette_dir", "folder of the cassettes, from the rootdir", default="cassettes")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", _MARKER)
    config.stash[_FAILURES] = []
    for told in (config.getoption("--recorder-mode"), config.getini("recorder_mode")):
        if told:
            try:
                parse_mode(told)
            except UsageError as error:
                raise pytest.UsageError(f"recorder: {error}") from error


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Stop the recorder. What it has failed of, and no test was told (a demand such as `strict`), fails the run."""
    stash = session.config.stash
    if started := stash.get(_RECORDER, None):
        del stash[_RECORDER]
        if failure := started.stop():
            stash[_FAILURES].append(failure)
    output = getattr(session.config, "workeroutput", None)  # of pytest-xdist: this is a worker
    if output is not None:
        output[_OUTPUT] = stash[_FAILURES]
    elif stash[_FAILURES] and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
    else:
        stash[_FAILURES].clear()  # it has been told


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """pytest-xdist: a worker has ended."""
    node.config.stash[_FAILURES] += getattr(node, "workeroutput", {}).get(_OUTPUT, [])


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    for failure in config.stash[_FAILURES]:
        terminalreporter.write_line(f"recorder: {failure}", red=True)


def pytest_unconfigure(config: pytest.Config) -> None:
    if started := config.stash.get(_RECORDER, None):  # the run has broken off
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
    try:
        control_client.start(running.base_url_port, name, mode=mode)
    except RecorderError as error:
        with suppress(RecorderError):  # it is to be tried anew by who comes next
            control_client.stop(running.base_url_port, name)
        raise pytest.fail.Exception(f"recorder: {error}", pytrace=False) from None
    made = _cassette(running, name, mode)
    for variable, value in made.variables.items():
        monkeypatch.setenv(variable, value)
    try:
        yield made
    finally:
        summary = _failing_the_test(control_client.stop, running.base_url_port, name)
    if missed := (summary.get("receipt") or {}).get("missed"):
        pytest.fail(_misses(made, missed), pytrace=False)


def _failing_the_test(call: Any, *given: Any, **named: Any) -> Any:
    """What the recorder answers; what it refuses is the test's failure, in one line."""
    try:
        return call(*given, **named)
    except RecorderError as error:
        raise pytest.fail.Exception(f"recorder: {error}", pytrace=False) from None


def _misses(made: TestCassette, missed: list[dict[str, Any]]) -> str:
    lines = [f"recorder: {made.path} has no answer to {humanize.count(len(missed), 'request')} of this test's:"]
    for miss in missed:
        lines.append(f"  {miss['method']} {miss['url']}: {miss['message']}")
        lines += (f"    {each['place']}: {each['recorded']} ≠ {each['sent']}" for each in miss["differences"])
    return "\n".join(lines)


def _recorder(config: pytest.Config, temporary: pytest.TempPathFactory) -> _Recorder:
    if _RECORDER not in config.stash:
        cassettes = config.rootpath / config.getini("recorder_cassette_dir")
        try:
            config.stash[_RECORDER] = _Recorder(temporary.mktemp("recorder"), root=config.rootpath, cassettes=cassettes)
        except RecorderError as error:
            raise pytest.fail.Exception(f"recorder: {error}", pytrace=False) from None
    return config.stash[_RECORDER]


def _cassette(running: Running, name: str, mode: str) -> TestCassette:
    hosts = parse_hosts(running.hosts)
    bundle = Path(running.bundle)
    variables = environment.proxy_variables(port=running.port, bundle=bundle, hosts=hosts, session=name)
    base_url = environment.base_url_variables(port=running.base_url_port, host=running.host, hosts=hosts, session=name)
    return TestCassette(
        name=name,
        path=session_paths.cassette_path(Path(running.cassette), name),
        mode=mode,
        base_url=environment.base_url(port=running.base_url_port, host=running.host, session=name),
        proxy_url=variables["HTTPS_PROXY"],
        bundle=bundle,
        variables={**variables, **base_url},
    )


def _name_and_mode(request: pytest.FixtureRequest) -> tuple[str, str]:
    marker = request.node.get_closest_marker("cassette")
    config = request.config
    try:
        name, mode = _arguments(marker) if marker else (None, None)
        chosen = config.getoption("--recorder-mode") or mode or config.getini("recorder_mode")
        return session_paths.check_name(name or name_of(request.node.nodeid)), parse_mode(chosen).value
    except UsageError as error:
        raise pytest.fail.Exception(f"recorder: {request.node.nodeid}: {error}", pytrace=False) from None


def _arguments(marker: pytest.Mark) -> tuple[str | None, str | None]:
    """The name and the mode that it gives, None for what it does not."""
    given = {**dict(zip(("name",), marker.args, strict=False)), **marker.kwargs}
    texts = all(each is None or isinstance(each, str) for each in given.values())
    if len(marker.args) > 1 or (marker.args and "name" in marker.kwargs) or not (texts and given.keys() <= _ARGUMENTS):
        found = ", ".join([*map(repr, marker.args), *(f"{key}={value!r}" for key, value in marker.kwargs.items())])
        raise UsageError(f"expected @pytest.mark.cassette(name, mode=…), each a text if given, found {found}")
    return given.get("name"), given.get("mode")


def name_of(node_id: str) -> str:
    """A session's name from a test's id: `tests/test_a.py::TestB::test_c[x]` → `tests/test_a/TestB/test_c[x]`.

    A part that cannot be one of a file's name is changed or cut, and has a digest at its end: of two tests each has its
    own.
    """
    file, _, inside = node_id.partition("::")
    function, bracket, parameters = inside.partition("[")  # in those, `::` and `/` are text
    *outer, last = function.split("::")
    return "/".join(map(_part, [*file.removesuffix(".py").split("/"), *outer, f"{last}{bracket}{parameters}"]))


def _part(text: str) -> str:
    composed = unicodedata.normalize("NFC", text)
    cleaned = _UNPORTABLE.sub("-", composed).strip(" .-~@").encode()[:_LONGEST].decode(errors="ignore")
    digest = hashlib.sha256(composed.encode(errors="surrogatepass")).hexdigest()[:8]
    for name in (cleaned, f"{cleaned}-{digest}"):
        if name == composed or name.endswith(digest):
            with suppress(UsageError):
                return session_paths.check_name(name)
    return digest
