"""`status`, `env` and `stop` over recorders that only seem to run: what is read from their state."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from recorder.cli.output import table
from recorder.session import environment
from recorder.session.registry import Ended, Registration, Running
from tests.cli.conftest import Call


@pytest.fixture
def weather(place: Path) -> Iterator[Running]:
    """A session that this process says it records."""
    running = Running(
        session="weather",
        cassette=str(place / "cassettes" / "weather.yaml"),
        pid=os.getpid(),
        started=time.time() - 75,
        port=18080,
        base_url_port=18081,
        host="openrouter.ai",
        bundle=str(place / "it's here" / "bundle.pem"),
        grace=5.0,
    )
    registration = Registration(running, place.parent / "state")
    yield running
    registration.close(Ended(status=0, said=""))


@pytest.fixture
def other(weather: Running, place: Path) -> Iterator[Running]:
    """A second one, younger."""
    running = replace(weather, session="a/b", started=time.time() + 60, port=18082, host="api.openai.com")
    registration = Registration(running, place.parent / "state")
    yield running
    registration.close(Ended(status=0, said=""))


def test_status_without_a_session_says_so(call: Call) -> None:
    assert "no session is running\n" == call("status").stdout
    assert [] == json.loads(call("status", "--json").stdout)


def test_status_shows_each_session(call: Call, weather: Running, other: Running) -> None:
    outcome = call("status")
    assert (0, "") == (outcome.status, outcome.stderr)
    head, first, second = outcome.stdout.splitlines()
    assert ["SESSION", "PID", "UP", "PROXY", "BASE", "URL", "CASSETTE"] == head.split()
    at = (f"http://127.0.0.1:{weather.port}", "http://127.0.0.1:18081/api/v1", weather.cassette)
    assert ["weather", str(os.getpid()), "1", "min", "15", "s", *at] == first.split()
    assert second.startswith("a/b ")
    assert " 0 ms " in second  # a clock that was set back is no negative time
    assert f"http://127.0.0.1:{other.port}  http://127.0.0.1:18081/v1 " in second


def test_status_as_json_is_what_the_recorders_say(call: Call, weather: Running, other: Running) -> None:
    assert [asdict(weather), asdict(other)] == json.loads(call("status", "--json").stdout)


@pytest.mark.parametrize("shell", environment.SHELLS)
@pytest.mark.parametrize("base_url", [True, False])
def test_env_prints_the_assignments(call: Call, weather: Running, shell: str, *, base_url: bool) -> None:
    variables = environment.proxy_variables(port=weather.port, bundle=Path(weather.bundle))
    if base_url:
        variables |= environment.base_url_variables(port=weather.base_url_port, host=weather.host)
    outcome = call("env", "weather", "--shell", shell, *(["--base-url"] if base_url else []))
    assert (0, environment.assignments(variables, shell)) == (outcome.status, outcome.stdout.splitlines())


def test_the_only_session_needs_no_name(call: Call, weather: Running) -> None:
    assert call("env", weather.session) == call("env")


def test_one_of_several_sessions_needs_a_name(call: Call, weather: Running, other: Running) -> None:
    for command in ("env", "stop"):
        outcome = call(command)
        assert 1 == outcome.status
        assert f"({weather.session}, {other.session})" in outcome.stderr


def test_a_name_that_is_not_running_is_told_with_those_that_are(call: Call, weather: Running) -> None:
    for command in ("env", "stop"):
        outcome = call(command, "wether")
        assert 1 == outcome.status
        assert f"'wether', found {weather.session};" in outcome.stderr


def test_stopping_all_of_none_is_done(call: Call) -> None:
    outcome = call("stop", "--all")
    assert (0, "", "") == (outcome.status, outcome.stdout, outcome.stderr)


def test_a_table_is_as_wide_as_its_cells() -> None:
    assert "A    BB\nlong  b\n      c" == table(("A", "BB"), [("long", "b"), ("", "c")]).replace("A     BB", "A    BB")
