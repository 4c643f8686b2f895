"""Names that become files, and the recorders that are running, whatever became of them."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recorder.errors import RecorderError, UsageError
from recorder.session import registry
from recorder.session.registry import Ended, Registration, Running
from recorder.storage import session_paths

ROOT = Path(__file__).parents[2]

GOOD = [
    "weather",
    "TestAgent/weather",
    "TestAgent/two_words#01",
    "a/b/c/d",
    "2024-01-01T12-00-00",
    "x.y",
    ".hidden",
    "a b",
    "Größe/温度/😀",
    "console",
    "com",
    "com10",
    "nullable",
    "x" * 200,
    "/".join(["x" * 100] * 5),
]
BAD = [
    "",
    "/",
    "/etc/passwd",
    "//server/share",
    "a/",
    "a//b",
    ".",
    "..",
    "../x",
    "a/../../x",
    "a/./b",
    "...",
    "a.",
    "a ",
    " a",
    "a\u00a0",
    "\ta",
    "a\n",
    "a\x00b",
    "a\x7f",
    "a\x85b",
    "a\u2028b",
    "a\u200bb",
    "a\u202egnp.b",
    "a\ufeff",
    "a\ud800",
    "a\udcff",
    "e\u0301",
    "a\\b",
    "..\\x",
    "C:",
    "C:/x",
    "C:\\x",
    "a:stream",
    "a*",
    "a?",
    "a<b",
    "a>b",
    'a"b',
    "a|b",
    "-rf",
    "a/-rf",
    "~",
    "~root/x",
    "@file",
    "con",
    "CON",
    "Nul.txt",
    "x/aux",
    "com1",
    "COM9.log",
    "com¹",
    "LPT³.x",
    "prn .x",
    "CONIN$",
    "weather.yaml",
    "weather.YAML",
    "x.yaml/y",
    "weather.incomplete",
    "weather.incomplete.yaml",
    "x" * 201,
    "é" * 101,
    "/".join(["x" * 100] * 6),
    "x/" * 2000 + "x",
]


@pytest.mark.parametrize("name", GOOD)
def test_a_good_name_is_a_path_below_the_folder(name: str, tmp_path: Path) -> None:
    assert name == session_paths.check_name(name)
    path = session_paths.cassette_path(tmp_path, name)
    assert tmp_path in path.parents
    assert f"{name}.yaml" == path.relative_to(tmp_path).as_posix()


@pytest.mark.parametrize("name", BAD, ids=lambda name: ascii(name)[:40])
def test_a_bad_name_is_refused_in_one_line(name: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        session_paths.cassette_path(tmp_path, name)
    message = str(caught.value)
    assert 2 == caught.value.exit_code
    assert message.startswith("expected a session's name")
    assert message.isprintable()
    assert len(message) < 250


@settings(derandomize=True, deadline=None, max_examples=500)
@given(st.text(st.sampled_from("ab./\\~-: \x00é\u0301Ⅷ"), max_size=8))
def test_a_name_that_is_taken_never_leaves_the_folder(name: str) -> None:
    folder = Path("/somewhere/cassettes")
    try:
        path = session_paths.cassette_path(folder, name)
    except UsageError:
        return
    assert path == Path(os.path.normpath(path))
    assert folder in path.parents
    assert unicodedata.normalize("NFC", str(path)) == str(path)


def test_the_name_of_a_start_is_a_good_one() -> None:
    name = session_paths.name_for(1_700_000_000.9)
    assert re.fullmatch(r"2023-11-1[45]T\d\d-\d\d-\d\d", name)
    assert name == session_paths.check_name(name)


def test_the_sessions_of_a_folder_are_its_cassettes_and_nothing_beside_them(tmp_path: Path) -> None:
    for file in ("b.yaml", "a/c.yaml", "a/c.incomplete.yaml", "b.yaml.lock", "notes.txt", "a.yml"):
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).touch()
    (tmp_path / "folder.yaml").mkdir()
    assert ["a/c", "b"] == session_paths.names_in(tmp_path)
    assert [] == session_paths.names_in(tmp_path / "missing")


@pytest.fixture
def nobody(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A home without settings of its own."""
    for variable in ("RECORDER_STATE_DIR", "XDG_STATE_HOME", "XDG_DATA_HOME"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(sys, "platform", "linux")
    return tmp_path


def test_the_users_folders_are_those_of_the_platform(nobody: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert nobody / ".local/state/openrouter-recorder" == session_paths.state_folder()
    assert nobody / ".local/share/openrouter-recorder" == session_paths.data_folder()
    monkeypatch.setenv("XDG_STATE_HOME", "/x/state")
    monkeypatch.setenv("XDG_DATA_HOME", "relative")
    assert Path("/x/state/openrouter-recorder") == session_paths.state_folder()
    assert nobody / ".local/share/openrouter-recorder" == session_paths.data_folder()
    monkeypatch.setattr(sys, "platform", "darwin")
    assert nobody / "Library/Application Support/openrouter-recorder" == session_paths.data_folder()


def test_the_state_folder_can_be_chosen(nobody: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(nobody)
    monkeypatch.setenv("RECORDER_STATE_DIR", "here")
    assert nobody / "here" == session_paths.state_folder()


def one(name: str = "weather", **more: object) -> Running:
    described = Running(
        session=name,
        cassette=f"/somewhere/cassettes/{name}.yaml",
        pid=os.getpid(),
        started=1.0,
        port=8080,
        base_url_port=8081,
        host="openrouter.ai",
        bundle="/ca/bundle.pem",
    )
    return replace(described, **more)  # type: ignore[arg-type]  # fields by their names


def test_a_recorder_is_listed_from_its_registration_to_its_end(tmp_path: Path) -> None:
    assert [] == registry.running(tmp_path / "state")
    registration = Registration(one(), tmp_path / "state")
    assert [one()] == registry.running(tmp_path / "state")
    registration.close(Ended(status=0, said="2 interactions"))
    assert [] == registry.running(tmp_path / "state")
    assert [] == list((tmp_path / "state").iterdir())


def test_the_oldest_recorder_stands_first(tmp_path: Path) -> None:
    started = [3.0, 1.0, 2.0]
    held = [Registration(one(str(at), started=at), tmp_path) for at in started]
    assert sorted(started) == [entry.started for entry in registry.running(tmp_path)]
    for registration in held:
        registration.close(Ended(status=0, said=""))


def test_state_is_the_users_alone(tmp_path: Path) -> None:
    registration = Registration(one(), tmp_path / "a" / "state")
    assert 0o700 == (tmp_path / "a" / "state").stat().st_mode & 0o777
    assert [0o600] == [path.stat().st_mode & 0o777 for path in (tmp_path / "a" / "state").iterdir()]
    registration.close(Ended(status=0, said=""))


def test_paths_that_are_no_unicode_come_back(tmp_path: Path) -> None:
    entry = one(cassette=os.fsdecode(b"/caf\xe9/x.yaml"))
    registration = Registration(entry, tmp_path)
    assert [entry] == registry.running(tmp_path)
    registration.close(Ended(status=0, said=""))


def test_what_a_dead_recorder_left_is_cleaned_up_though_its_pid_lives(tmp_path: Path) -> None:
    # The pid is this very process's: a reused one could not look more alive.
    stale = tmp_path / f"{os.getpid()}-0a0b0c0d.json"
    stale.write_text(json.dumps(asdict(one())))
    assert [] == registry.running(tmp_path)
    assert not stale.exists()


def test_stopping_what_is_dead_does_not_touch_who_has_its_pid_now(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        stale = tmp_path / f"{other.pid}-0a0b0c0d.json"
        entry = one(pid=other.pid)
        stale.write_text(json.dumps(asdict(entry)))
        assert Ended(status=None, said="") == registry.stop(entry, tmp_path, timeout=5)
        assert None is other.poll()
        other.communicate(b"\n")


def test_another_versions_state_is_read(tmp_path: Path) -> None:
    registration = Registration(one(), tmp_path)
    (path,) = tmp_path.iterdir()
    path.write_text(json.dumps({**asdict(one()), "colour": "blue"}))
    assert [one()] == registry.running(tmp_path)
    registration.close(Ended(status=0, said=""))


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", "12", '{"session": "x"}'])
def test_state_that_makes_no_sense_is_named(tmp_path: Path, content: str) -> None:
    registration = Registration(one(), tmp_path)
    (path,) = tmp_path.iterdir()
    path.write_text(content)
    with pytest.raises(RecorderError, match=re.escape(str(path))):
        registry.running(tmp_path)
    registration.close(Ended(status=0, said=""))


def test_a_state_folder_that_cannot_be_is_told_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(RecorderError, match=f"^expected a folder .*{re.escape(str(folder))}"):
            Registration(one(), folder)


def test_a_session_is_found_by_its_name() -> None:
    entries = [one("a"), one("b")]
    assert entries[1] == registry.find(entries, "b")
    with pytest.raises(RecorderError, match="found a, b"):
        registry.find(entries, "c")
    with pytest.raises(RecorderError, match="found none"):
        registry.find([], "c")
    with pytest.raises(RecorderError, match="found 2"):
        registry.find([one("a"), one("a", cassette="/elsewhere/a.yaml")], "a")


# Registers, says so, and waits for SIGTERM; then ends in the way that it was told.
PROGRAM = """
import os, signal, sys, time
from pathlib import Path
from recorder.session.registry import Ended, Registration, Running

folder, way = Path(sys.argv[1]), sys.argv[2]
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])  # kept until it is waited for
running = Running(session="weather", cassette="/c/weather.yaml", pid=os.getpid(), started=1.0, port=1, base_url_port=2,
                  host="openrouter.ai", bundle="/b")
registration = Registration(running, folder)
print("ready", flush=True)
signal.sigwait([signal.SIGTERM])
if way == "orderly":
    time.sleep(0.2)
    registration.close(Ended(status=0, said="2 interactions"))
if way == "failed":
    registration.close(Ended(status=1, said="the disk is full"))
if way == "never":
    time.sleep(60)
"""


@contextmanager
def other_process(folder: Path, way: str) -> Iterator[Running]:
    command = [sys.executable, "-c", PROGRAM, str(folder), way]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        try:
            assert process.stdout
            assert "ready\n" == process.stdout.readline()
            (entry,) = registry.running(folder)
            assert process.pid == entry.pid
            yield entry
        finally:
            process.kill()


@pytest.mark.parametrize(
    ("way", "ended"),
    [
        ("orderly", Ended(status=0, said="2 interactions")),
        ("failed", Ended(status=1, said="the disk is full")),
        ("silent", Ended(status=None, said="")),
        ("never", None),
    ],
)
def test_stop_waits_for_the_end_and_tells_how_it_was(tmp_path: Path, way: str, ended: Ended | None) -> None:
    with other_process(tmp_path, way) as entry:
        began = time.monotonic()
        assert ended == registry.stop(entry, tmp_path, timeout=0.5 if way == "never" else 10)
        assert time.monotonic() - began < 8
        assert ([entry] if way == "never" else []) == registry.running(tmp_path)


def test_a_recorder_that_is_killed_is_gone_from_the_list_at_once(tmp_path: Path) -> None:
    with other_process(tmp_path, "orderly") as entry:
        os.kill(entry.pid, signal.SIGKILL)
        deadline = time.monotonic() + 10
        while registry.running(tmp_path):  # until the kernel has ended it
            assert time.monotonic() < deadline
        assert [] == list(tmp_path.iterdir())
