"""The pytest plugin in pytest runs of its own, with a real recorder and the simulated OpenRouter."""

from __future__ import annotations

import shutil
import signal
import unicodedata
from collections.abc import Callable, Iterator
from importlib.metadata import entry_points
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recorder.cassette import loads
from recorder.pytest_plugin import name_of
from recorder.simulator import Upstream, start
from recorder.storage.session_paths import check_name
from tests.conftest import ROOT
from tests.e2e.processes import is_alive, wait_for

pytest_plugins = ["pytester"]

ASKING = """
    import json, os, subprocess, sys, urllib.request
    import pytest

    def ask(text="Hi", url="https://openrouter.ai/api/v1/chat/completions"):
        asked = {"model": "x-ai/grok-code-fast-1", "messages": [{"role": "user", "content": text}]}
        headers = {"Content-Type": "application/json", "Authorization": "Bearer sk-or-v1-0123456789abcdef"}
        request = urllib.request.Request(url, json.dumps(asked).encode(), headers)
        with urllib.request.build_opener().open(request, timeout=30) as response:  # urlopen keeps its first proxy
            return json.load(response)["choices"][0]["message"]["content"]
"""

# Installed, as `scripts/test` has it, the plugin loads itself; a second time would be an error.
INSTALLED = any(entry.name == "recorder" for entry in entry_points(group="pytest11"))
PLUGIN = () if INSTALLED else ("-p", "recorder.pytest_plugin")

Run = Callable[..., pytest.RunResult]


@pytest.fixture
def world() -> Iterator[Upstream]:
    """A simulated OpenRouter that a test may end."""
    running = start(seed="7")
    yield running
    assert "" == running.stop()


@pytest.fixture
def run(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, certs: Path, world: Upstream, tmp_path: Path
) -> Run:
    """run(tests, *options): what pytest says of these tests, in which `ask` is there."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("RECORDER_CERTS", str(certs))
    monkeypatch.setenv("RECORDER_CONNECT_TO", f"openrouter.ai:443:{world.host}:{world.port}")
    assert world.ca_file is not None
    monkeypatch.setenv(
        "RECORDER_UPSTREAM_CA", str(shutil.copy(world.ca_file, tmp_path / "upstream.pem"))
    )  # outlives it

    def run(tests: str, *options: str) -> pytest.RunResult:
        pytester.makepyfile(asking=ASKING)
        pytester.makepyfile(test_agent="from asking import *\n" + tests)
        return pytester.runpytest_subprocess(*PLUGIN, "-p", "no:cacheprovider", *options)

    return run


def test_what_was_recorded_once_is_replayed_without_an_upstream(
    run: Run, pytester: pytest.Pytester, world: Upstream
) -> None:
    tests = """
@pytest.mark.cassette
def test_marked():
    assert ask()

class TestAgent:
    @pytest.mark.parametrize("city", ["Florence", "Rome"])
    def test_city(self, city, cassette):
        assert cassette.name == f"test_agent/TestAgent/test_city[{city}]"
        assert ask(city)

@pytest.mark.cassette("agents/by-base-url")
def test_named(cassette):
    assert ask(url=f"{cassette.base_url}/chat/completions")
    child = "import asking; print(asking.ask('from a child'))"
    assert subprocess.run([sys.executable, "-c", child], check=True, capture_output=True).stdout

def test_alone():
    assert "HTTPS_PROXY" not in os.environ
"""
    run(tests).assert_outcomes(passed=5)
    folder = pytester.path / "cassettes"
    found = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*.yaml")}
    assert {
        "test_agent/test_marked.yaml": 1,
        "test_agent/TestAgent/test_city[Florence].yaml": 1,
        "test_agent/TestAgent/test_city[Rome].yaml": 1,
        "agents/by-base-url.yaml": 2,
    } == {name: len(loads(path.read_bytes()).interactions) for name, path in found.items()}
    before = {path: path.read_bytes() for path in found.values()}
    assert "" == world.stop()
    run(tests).assert_outcomes(passed=5)
    run(tests, "-n", "2").assert_outcomes(passed=5)
    assert before == {path: path.read_bytes() for path in found.values()}


def test_a_request_that_was_not_recorded_fails_the_test_with_the_reason(run: Run) -> None:
    tests = """
@pytest.mark.cassette("weather")
def test_it():
    ask({text!r})
"""
    run(tests.format(text="In Florence?")).assert_outcomes(passed=1)
    swallowed = tests.replace("ask({text!r})", "pytest.raises(Exception, ask, {text!r})")
    missed = run(swallowed.format(text="In Rome?"))
    missed.assert_outcomes(passed=1, errors=1)
    missed.stdout.fnmatch_lines(["recorder: *weather.yaml has no answer to 1 request of this test's:"])
    missed.stdout.fnmatch_lines(["*messages[[]0].content: *Florence* ≠ *Rome*"])
    run(swallowed.format(text="In Rome?"), "--recorder-mode", "new-episodes").assert_outcomes(failed=1)
    run(tests.format(text="In Rome?")).assert_outcomes(passed=1)


def test_a_wrong_name_or_mode_is_told_in_one_line(run: Run, pytester: pytest.Pytester) -> None:
    tests = """
@pytest.mark.cassette("../up")
def test_name():
    pass

@pytest.mark.cassette(mode="sometimes")
def test_mode():
    pass

@pytest.mark.cassette("weather", made="once")
def test_slip():
    pass

@pytest.mark.cassette(7)
def test_number():
    pass
"""
    told = run(tests)
    told.assert_outcomes(errors=4)
    told.stdout.fnmatch_lines(
        [
            "recorder: *test_name: expected a session's name*",
            "recorder: *test_mode: expected a mode*",
            "recorder: *test_slip: expected @pytest.mark.cassette(name, mode=…)*, found 'weather', made='once'",
            "recorder: *test_number: expected @pytest.mark.cassette(name, mode=…)*, found 7",
        ]
    )
    assert "Error: " not in told.stdout.str()
    assert [] == list(pytester.path.glob("cassettes"))
    wrong = run(tests, "--recorder-mode", "sometimes")
    assert pytest.ExitCode.USAGE_ERROR == wrong.ret
    wrong.stderr.fnmatch_lines(["ERROR: recorder: expected a mode*found 'sometimes'"])


def test_a_recorder_that_cannot_start_is_told_in_one_line(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECORDER_LAYOUT", "pretty")
    told = run("@pytest.mark.cassette\ndef test_it():\n    pass\n")
    told.assert_outcomes(errors=1)
    told.stdout.fnmatch_lines(["recorder: expected the recorder to start, found that it ended: *found 'pretty'*"])


def test_settings_are_those_of_the_rootdir_but_for_what_people_start(run: Run, pytester: pytest.Pytester) -> None:
    """The recorder is another one than `recorder start` makes of them, and never in the background."""
    project = pytester.mkdir("project")
    (project / "pytest.ini").write_text("[pytest]\n")
    (project / "recorder.toml").write_text('session = "mine"\ndetach = true\nreceipt = "receipt.json"\n')
    tests = """
@pytest.mark.cassette
def test_it(cassette):
    assert ask()
    assert 1 == len(cassette.turns)
"""
    run(tests)
    (pytester.path / "test_agent.py").rename(project / "test_agent.py")
    shutil.rmtree(pytester.path / "cassettes")
    run("", "--rootdir", "project", "-c", "project/pytest.ini", "project").assert_outcomes(passed=1)
    assert ["test_agent/test_it.yaml"] == [
        path.relative_to(project / "cassettes").as_posix() for path in project.rglob("*.yaml")
    ]
    assert (project / "receipt.json").exists()


def test_a_cassette_that_cannot_be_used_fails_its_test_alone(run: Run, pytester: pytest.Pytester) -> None:
    folder = pytester.mkdir("cassettes")
    (folder / "damaged.yaml").write_text("no cassette\n")
    tests = """
@pytest.mark.cassette("damaged", mode="record")
def test_damaged():
    pass

def test_mended():
    with open("cassettes/damaged.yaml", "w") as file:
        file.write("---\\nversion: 2\\ninteractions: []\\n")

@pytest.mark.cassette("damaged", mode="record")
def test_again():
    assert ask()
"""
    told = run(tests)
    told.assert_outcomes(errors=1, passed=2)
    told.stdout.fnmatch_lines(["recorder: *damaged.yaml:1: expected a mapping*"])
    assert "Traceback" not in told.stdout.str() + told.stderr.str()
    assert "another exception" not in told.stdout.str()


def test_what_the_recorder_demands_and_no_test_was_told_fails_the_run_in_one_line(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    tests = """
@pytest.mark.cassette
def test_it():
    {what}
"""
    assert pytest.ExitCode.OK == run(tests.format(what="ask()")).ret
    monkeypatch.setenv("RECORDER_STRICT", "1")
    for options in ((), ("-n", "1")):
        told = run(tests.format(what="pass"), *options)
        told.assert_outcomes(passed=1)
        assert pytest.ExitCode.TESTS_FAILED == told.ret
        told.stdout.fnmatch_lines(["recorder: the recorder ended with exit status 1: *1 never played*"])
        assert "Traceback" not in told.stdout.str() + told.stderr.str()


def test_a_pytest_that_is_killed_leaves_no_recorder_behind(run: Run, pytester: pytest.Pytester) -> None:
    killed = run("""
import signal
from pathlib import Path
from recorder.session import registry

@pytest.mark.cassette
def test_it(tmp_path_factory):
    ask()
    [running] = registry.running(next(tmp_path_factory.getbasetemp().glob("recorder*/state")))
    Path("pid").write_text(str(running.pid))
    os.kill(os.getpid(), signal.SIGKILL)
""")
    assert -signal.SIGKILL == killed.ret
    pid = int((pytester.path / "pid").read_text())
    wait_for("the recorder to end", lambda: not is_alive(pid))
    assert 1 == len(loads((pytester.path / "cassettes/test_agent/test_it.yaml").read_bytes()).interactions)


@pytest.mark.parametrize(
    ("node_id", "name"),
    [
        ("tests/test_a.py::test_b", "tests/test_a/test_b"),
        ("test_a.py::TestB::test_c[x]", "test_a/TestB/test_c[x]"),
        ("test_a.py::TestB::test_c[x/y z]", "test_a/TestB/test_c[x-y-z]-8e1670f3"),
        ("test_a.py::test_b[C:\\d|<e>]", "test_a/test_b[C-d-e-]-c8b6bd4c"),
        ("test_a.py::test_b[a::b[0]]", "test_a/test_b[a-b[0]]-1978048d"),
        ("../test_a.py::test_b", "5ec1f7e7/test_a/test_b"),
        ("aux.py::test_b", "aux-321f6814/test_b"),
        ("test_a.py::test_b[é]", "test_a/test_b[é]"),
    ],
)
def test_a_session_is_named_after_its_test(node_id: str, name: str) -> None:
    assert name == name_of(node_id)


@given(st.lists(st.text(st.characters(codec="utf-8"), max_size=300), min_size=2, max_size=2, unique=True))
def test_each_test_has_a_session_of_its_own_whatever_its_parameters(parameters: list[str]) -> None:
    names = [check_name(name_of(f"test_a.py::test_b[{unicodedata.normalize('NFC', each)}]")) for each in parameters]
    if len({unicodedata.normalize("NFC", each) for each in parameters}) == 2:
        assert names[0] != names[1]
