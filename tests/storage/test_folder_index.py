"""What a folder holds, and what is kept of it: right, private, and as good as none where it is damaged."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from recorder.cassette import GO_VCR, Cassette, dumps
from recorder.storage import folder_index
from recorder.storage.folder_index import Contents, Entry, entries
from tests.llm.conversation.making import interaction

LATER = 2**62  # nanoseconds since the epoch: long after anything that a test writes
USAGE = {"prompt_tokens": 10, "completion_tokens": 2, "cost": 0.5}

Look = Callable[[], list[Entry]]


def cassette(*models: str) -> bytes:
    made = tuple(interaction("/chat/completions", {}, {"model": model, "usage": USAGE}) for model in models)
    return dumps(Cassette(interactions=made, layout=GO_VCR))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "cassettes"
    (folder / "sub").mkdir(parents=True)
    (folder / "one.yaml").write_bytes(cassette("a"))
    (folder / "sub" / "two.yaml").write_bytes(cassette("a", "b", "b"))
    (folder / "bad.yaml").write_bytes(cassette("a").replace(b"code: 200", b"code: [200"))
    return folder


@pytest.fixture
def look(folder: Path, tmp_path: Path) -> Look:
    return lambda: entries(folder, cache=tmp_path / "cache", now=LATER)


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files that are read, as they are."""
    seen: list[str] = []
    really = folder_index.read

    def noted(path: Path) -> Contents:
        seen.append(path.name)
        return really(path)

    monkeypatch.setattr(folder_index, "read", noted)
    return seen


def summary(found: list[Entry]) -> dict[str, Any]:
    return {entry.session: (entry.contents.interactions, entry.contents.models) for entry in found}


EXPECTED = {"bad": (None, ()), "one": (1, ("a",)), "sub/two": (3, ("b", "a"))}


def test_a_file_is_read_once(look: Look, read: list[str]) -> None:
    first = look()
    assert EXPECTED == summary(first)
    assert ["bad.yaml", "one.yaml", "two.yaml"] == sorted(read)
    assert first == look()
    assert 3 == len(read)


def test_a_file_that_has_changed_is_read_again(look: Look, read: list[str], folder: Path) -> None:
    look()
    path = folder / "one.yaml"
    before = path.stat()
    path.write_bytes(cassette("z"))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))  # of the same size and time: its inode's time tells
    assert before.st_size == path.stat().st_size
    del read[:]
    assert (1, ("z",)) == summary(look())["one"]
    assert ["one.yaml"] == read


def test_what_another_file_took_the_place_of_is_read_again(look: Look, read: list[str], folder: Path) -> None:
    look()
    (folder / "new").write_bytes(cassette("y"))
    (folder / "new").replace(folder / "one.yaml")
    (folder / "bad.yaml").unlink()
    del read[:]
    assert {"one": (1, ("y",)), "sub/two": (3, ("b", "a"))} == summary(look())
    assert ["one.yaml"] == read


def test_a_file_that_was_changed_just_now_is_not_kept(folder: Path, tmp_path: Path, read: list[str]) -> None:
    now = max((folder / name).stat().st_ctime_ns for name in ("one.yaml", "bad.yaml", "sub/two.yaml"))
    for _ in range(2):
        entries(folder, cache=tmp_path / "cache", now=now + 1_000_000_000)
    assert 6 == len(read)


def test_the_cache_is_private_and_not_among_the_cassettes(look: Look, folder: Path, tmp_path: Path) -> None:
    before = sorted(folder.rglob("*"))
    look()
    assert before == sorted(folder.rglob("*"))
    (kept,) = (tmp_path / "cache").iterdir()
    assert (0o600, 0o700) == (kept.stat().st_mode & 0o777, kept.parent.stat().st_mode & 0o777)


def test_two_folders_have_two_caches(look: Look, folder: Path, tmp_path: Path) -> None:
    look()
    other = tmp_path / "other"
    folder.rename(other)
    (other / "one.yaml").write_bytes(cassette("c"))
    assert (1, ("c",)) == summary(entries(other, cache=tmp_path / "cache", now=LATER))["one"]
    assert 2 == len(list((tmp_path / "cache").iterdir()))


@pytest.mark.parametrize(
    "damage",
    [
        lambda _: b"",
        lambda _: b"\x00\xff",
        lambda _: b"[" * 100_000,
        lambda _: b"[]",
        lambda _: b'{"version": 1, "files": []}',
        lambda data: data[: len(data) // 2],
        lambda data: data.replace(b'"version": 1', b'"version": 0'),
        lambda data: data.replace(b'"stamp": [', b'"stamp": [1, '),
        lambda data: data.replace(b'"interactions"', b'"interaction"'),
        lambda data: data.replace(b'"interactions": 1', b'"interactions": "1"'),
        lambda data: data.replace(b'"models": ["a"]', b'"models": [1]').replace(b'"cost": 1.5', b'"cost": "x"'),
        lambda data: data.replace(b'"contents": {', b'"contents": [{').replace(b"}}", b"}]}"),
    ],
)
def test_a_damaged_cache_is_as_good_as_none(look: Look, tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    look()
    (kept,) = (tmp_path / "cache").iterdir()
    whole = kept.read_bytes()
    kept.write_bytes(damage(whole))
    assert kept.read_bytes() != whole
    assert EXPECTED == summary(look())
    assert json.loads(whole) == json.loads(kept.read_bytes())


def test_a_cache_that_cannot_be_written_is_no_failure(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert EXPECTED == summary(entries(folder, cache=tmp_path / "file" / "below", now=LATER))
    assert EXPECTED == summary(entries(folder, cache=tmp_path / "file", now=LATER))


def test_a_full_disk_leaves_no_draft_behind(look: Look, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    assert EXPECTED == summary(look())
    assert [] == list((tmp_path / "cache").iterdir())


def test_many_processes_read_what_one_does(look: Look, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    alone = look()
    (kept,) = (tmp_path / "cache").iterdir()
    kept.unlink()
    monkeypatch.setattr(folder_index, "_WORTH_A_POOL", 0)
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    assert alone == look()


def test_where_there_can_be_no_processes_one_does(look: Look, monkeypatch: pytest.MonkeyPatch) -> None:
    def none(*_: Any, **__: Any) -> None:
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr(folder_index, "_WORTH_A_POOL", 0)
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    monkeypatch.setattr("concurrent.futures.ProcessPoolExecutor", none)
    assert EXPECTED == summary(look())


def test_the_sums_of_real_cassettes_are_those_of_their_turns(shared: Path, tmp_path: Path) -> None:
    from recorder import load

    for entry in entries(shared / "cassettes", cache=tmp_path / "cache", now=LATER):
        turns = load(entry.path)
        told = [turn.usage for turn in turns]
        assert (len(turns), "whole") == (entry.contents.interactions, entry.contents.state)
        assert {usage.model for usage in told} == set(entry.contents.models), entry.session
        assert sum(usage.prompt_tokens or 0 for usage in told) == entry.contents.prompt_tokens, entry.session
        assert sum(usage.cost or 0 for usage in told) == (entry.contents.cost or 0), entry.session
