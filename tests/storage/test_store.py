"""The store's promises one by one; what a crash, a full disk and a power cut leave is in `crash/`."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import threading
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from types import BuiltinFunctionType
from typing import Any

import pytest

import recorder.storage.disk
import recorder.storage.lock
from recorder import cassette
from recorder.errors import CassetteError, LockedError, StoreError, UsageError
from recorder.model import Interaction, Request, Response
from recorder.scrub import CleanInteraction, Scrubber
from recorder.storage.store import Store
from tests.storage.disks import replace_os

NOW = 1_700_000_000_000_000_000
STAMP = "2023-11-14T22:13:20Z"
ROOT = Path(__file__).parents[2]
SCRUBBER = Scrubber(salt=bytes(16))


def clean(name: str, body: bytes = b"") -> CleanInteraction:
    return SCRUBBER.scrub(
        Interaction(
            request=Request(method="POST", url=f"https://openrouter.ai/{name}"),
            response=Response(status="200 OK", code=200, duration=1, body=body),
        )
    )


def names(path: Path) -> list[str]:
    """What a strict reader finds in a cassette, in order."""
    read = cassette.loads(path.read_bytes(), str(path))
    return [interaction.request.url.rsplit("/", 1)[1] for interaction in read.interactions]


def written(path: Path, *recorded: str, layout: cassette.Layout = cassette.GO_VCR) -> bytes:
    """A cassette of an earlier run."""
    items = [cassette.render(clean(name).interaction, place, layout) for place, name in enumerate(recorded)]
    data = cassette.header(layout) + b"".join(items)
    path.write_bytes(data)
    return data


def around(path: Path) -> list[str]:
    return sorted(file.name for file in path.parent.iterdir())


class CountingOs:
    """Stands in for `os` in the store, passes everything on and notes the name of each call."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.calls: list[str] = []
        self.opened: set[str] = set()
        replace_os(monkeypatch, self)

    def __getattr__(self, name: str) -> Any:
        real = getattr(os, name)
        if not isinstance(real, BuiltinFunctionType):
            return real

        def call(*args: Any, **options: Any) -> Any:
            self.calls.append(name)
            if name == "open":
                self.opened.add(Path(args[0]).name)
            return real(*args, **options)

        return call


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "chat.yaml"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    with Store.open(path, now=NOW) as opened:
        yield opened


# Appending


def test_what_is_appended_is_what_a_strict_reader_finds(store: Store, path: Path) -> None:
    ids = [store.append(clean(name), began=began) for began, name in enumerate("abc")]
    assert [0, 1, 2] == ids
    assert ["a", "b", "c"] == names(path)
    assert 3 == store.count


def test_nothing_but_the_folder_and_the_lock_is_made_before_the_first_append(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "er" / "chat.yaml"
    with Store.open(path, now=NOW):
        assert ["chat.yaml.lock"] == around(path)
    assert [] == around(path)


def test_several_interactions_share_one_write_and_one_sync(
    store: Store, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.append(clean("a"), began=0)
    disk = CountingOs(monkeypatch)
    assert range(1, 4) == store.append_many([(store.render(clean(name)), began) for began, name in enumerate("bcd", 1)])
    assert ["write", "fsync"] == [call for call in disk.calls if call in ("write", "fsync", "replace", "ftruncate")]
    assert ["a", "b", "c", "d"] == names(path)


def test_an_empty_group_appends_nothing(store: Store, path: Path) -> None:
    assert range(0) == store.append_many([])
    assert not path.exists()


def test_a_new_file_is_private_and_an_existing_one_keeps_its_mode(store: Store, path: Path) -> None:
    store.append(clean("b"), began=2)
    assert 0o600 == path.stat().st_mode & 0o777
    path.chmod(0o644)
    store.append(clean("a"), began=1)
    store.seal()
    assert 0o644 == path.stat().st_mode & 0o777


@pytest.mark.parametrize("layout", cassette.LAYOUTS.values())
def test_a_new_file_has_the_layout_asked_for_and_an_existing_one_its_own(path: Path, layout: cassette.Layout) -> None:
    with Store.open(path, layout=layout, now=NOW) as store:
        store.append(clean("b"), began=2)
    with Store.open(path, now=NOW) as store:
        store.append(clean("a"), began=1)
    assert written(path.with_name("expected"), "b", "a", layout=layout) == path.read_bytes()


@pytest.mark.parametrize("empty", [b"", b"---\nversion: 2\ninteractions: []\n", b"---\nversion: 2\ninteractions:\n"])
def test_a_file_without_interactions_takes_its_first_and_keeps_its_mode(path: Path, empty: bytes) -> None:
    path.write_bytes(empty)
    path.chmod(0o640)
    with Store.open(path, now=NOW) as store:
        assert empty == path.read_bytes()
        store.append(clean("b"), began=2)
        store.append(clean("a"), began=1)
        store.seal()
    assert written(path.with_name("expected"), "a", "b") == path.read_bytes()
    assert 0o640 == path.stat().st_mode & 0o777


def test_comments_above_an_empty_list_stay(path: Path) -> None:
    path.write_bytes(b"# ours\n---\nversion: 2\ninteractions: []\n")
    with Store.open(path, now=NOW) as store:
        store.append(clean("a"), began=1)
    assert path.read_bytes().startswith(b"# ours\n---\nversion: 2\ninteractions:\n")
    assert ["a"] == names(path)


def test_the_last_append_makes_as_many_disk_calls_as_the_second(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    store.append(clean("first"), began=0)
    disk = CountingOs(monkeypatch)
    costs = []
    for number in range(200):
        disk.calls.clear()
        store.append(clean(str(number)), began=number)
        costs.append(tuple(disk.calls))
    assert {("stat", "fstat", "write", "fsync")} == set(costs)


def test_a_name_that_is_no_cassettes_is_refused(tmp_path: Path) -> None:
    for name in ("chat.yml", "chat", "chat.incomplete.yaml"):
        with pytest.raises(UsageError, match=re.escape("NAME.yaml")):
            Store.open(tmp_path / name, now=NOW)


def test_a_relative_path_stays_the_same_file_when_the_process_moves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with Store.open(Path("chat.yaml"), now=NOW) as store:
        (tmp_path / "elsewhere").mkdir()
        monkeypatch.chdir(tmp_path / "elsewhere")
        store.append(clean("a"), began=0)
    assert ["a"] == names(tmp_path / "chat.yaml")


def test_many_cassettes_of_one_folder_are_recorded_at_once(tmp_path: Path) -> None:
    stores = [Store.open(tmp_path / f"{number}.yaml", now=NOW) for number in range(20)]
    for store in stores:
        store.append(clean("a"), began=0)
        store.close()
    assert sorted(f"{number}.yaml" for number in range(20)) == around(tmp_path / "any")


# Incomplete interactions


def test_incomplete_interactions_go_beside_the_cassette_with_why_and_when(store: Store, path: Path) -> None:
    store.append_incomplete(store.render(clean("a"), incomplete=True), reason="the client hung up", at=NOW)
    assert not path.exists()
    beside = path.with_name("chat.incomplete.yaml")
    assert ["a"] == names(beside)
    assert f"# incomplete: the client hung up, {STAMP}".encode() in beside.read_bytes().splitlines()
    assert (0, 1) == (store.count, store.incomplete_count)


def test_incomplete_interactions_of_several_runs_stay_in_one_file(path: Path) -> None:
    for name in "abc":
        with Store.open(path, now=NOW) as store:
            store.append_incomplete(store.render(clean(name), incomplete=True), reason=name, at=NOW)
    assert ["a", "b", "c"] == names(path.with_name("chat.incomplete.yaml"))


@pytest.mark.parametrize("reason", ["two\nlines", "\x00\x85\u2028\ud800", "x: - # '\"", "a\r- id: 0"])
def test_no_reason_can_break_out_of_its_comment(store: Store, reason: str) -> None:
    store.append_incomplete(store.render(clean("a"), incomplete=True), reason=reason, at=NOW)
    store.append_incomplete(store.render(clean("b"), incomplete=True), reason=reason, at=NOW)
    assert ["a", "b"] == names(store.incomplete_path)


# Sealing


def test_sealing_puts_interactions_in_the_order_in_which_their_requests_began(store: Store, path: Path) -> None:
    for name, began in [("c", 3), ("a", 1), ("d", 4), ("b", 2)]:
        store.append(clean(name, name.encode() * 1000), began=began)
    assert ["c", "a", "d", "b"] == names(path)
    store.seal()
    assert ["a", "b", "c", "d"] == names(path)
    assert ["chat.yaml", "chat.yaml.lock"] == around(path)


def test_sealing_gives_the_bytes_that_recording_in_order_gives(path: Path) -> None:
    order = [*range(12, 0, -1), *range(13, 120)]  # ids of one, two and three digits change places
    with Store.open(path, now=NOW) as store:
        for number in order:
            store.append(clean(str(number)), began=number)
        store.seal()
    expected = written(path.with_name("expected"), *map(str, range(1, 120)))
    assert expected == path.read_bytes()


def test_sealing_keeps_interactions_of_earlier_runs_first(path: Path) -> None:
    written(path, "z", "y")
    with Store.open(path, now=NOW) as store:
        store.append(clean("b"), began=2)
        store.append(clean("a"), began=1)
        store.seal()
    assert ["z", "y", "a", "b"] == names(path)


def test_sealing_what_is_in_order_touches_nothing(store: Store, path: Path) -> None:
    store.seal()
    assert not path.exists()
    for began in (1, 2, 2, 3):
        store.append(clean(str(began)), began=began)
    before = path.stat()
    store.seal()
    assert before == path.stat()


def test_requests_that_began_together_stay_as_they_finished(store: Store, path: Path) -> None:
    for name, began in [("b", 2), ("x", 1), ("y", 1), ("z", 1)]:
        store.append(clean(name), began=began)
    store.seal()
    assert ["x", "y", "z", "b"] == names(path)


def test_a_sealed_store_goes_on_and_can_be_sealed_again(store: Store, path: Path) -> None:
    for name, began in [("c", 3), ("b", 2), ("a", 1)]:
        store.append(clean(name, name.encode() * began**5), began=began)
        store.seal()
    store.append(clean("0"), began=0)
    store.append(clean("d"), began=4)
    store.seal()
    assert ["0", "a", "b", "c", "d"] == names(path)


def test_sealing_holds_no_large_file_in_memory(store: Store, path: Path) -> None:
    body = b"x" * (4 << 20)
    for began in (3, 2, 1):
        store.append(clean(str(began), body), began=began)
    del body
    tracemalloc.start()
    store.seal()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 << 20 < path.stat().st_size


# The lock


def test_a_second_recorder_is_told_who_holds_the_cassette(store: Store, path: Path) -> None:
    with pytest.raises(LockedError, match=rf"is being recorded by pid {os.getpid()} since {STAMP}"):
        Store.open(path, now=NOW + 1)
    store.append(clean("a"), began=0)
    assert ["a"] == names(path)


def test_closing_lets_the_next_one_in_and_leaves_no_lock(store: Store, path: Path) -> None:
    store.append(clean("a"), began=0)
    store.close()
    store.close()
    assert ["chat.yaml"] == around(path)
    Store.open(path, now=NOW).close()


def test_a_recorder_that_is_just_stopping_is_waited_for(store: Store, path: Path) -> None:
    stopping = threading.Timer(0.05, store.close)
    stopping.start()
    Store.open(path, now=NOW).close()
    stopping.join()


def test_a_lock_left_by_a_dead_recorder_is_taken_over(path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True)
    path.with_name("chat.yaml.lock").write_bytes(b"pid %d since %b\n" % (int(done.stdout), STAMP.encode()))
    with Store.open(path, now=NOW):
        assert f"pid {os.getpid()} since {STAMP}\n" == path.with_name("chat.yaml.lock").read_text()


def test_a_holder_that_has_not_written_its_name_yet_still_holds(store: Store, path: Path) -> None:
    path.with_name("chat.yaml.lock").write_bytes(b"")
    with pytest.raises(LockedError, match="another process"):
        Store.open(path, now=NOW)
    assert store.failed is None


def test_a_dead_recorder_is_not_named_as_the_holder(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its name stands in the lock until the next holder has written its own."""
    monkeypatch.setattr(recorder.storage.lock, "_alive", lambda _: False)
    with Store.open(path, now=NOW), pytest.raises(LockedError, match="by another process"):
        Store.open(path, now=NOW)


def test_the_dead_are_told_from_the_living() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        assert recorder.storage.lock._alive(child.pid)
        child.kill()
    assert not recorder.storage.lock._alive(child.pid)
    assert recorder.storage.lock._alive(1)  # someone else's, for all but root


def test_a_lock_that_went_away_between_opening_and_locking_is_none(
    store: Store, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The race of two openers: the second has the first's lock file open when the first removes it."""
    real = recorder.storage.lock._lock
    gone: list[int] = []

    def lock(fd: int) -> bool:
        if not gone:
            gone.append(fd)
            store.close()
        return real(fd)

    monkeypatch.setattr(recorder.storage.lock, "_lock", lock)
    with Store.open(path, now=NOW), pytest.raises(LockedError):
        Store.open(path, now=NOW)


def test_of_many_openers_one_at_a_time_gets_in(path: Path) -> None:
    inside: list[int] = []
    wrong: list[str] = []
    entered = 0

    def run() -> None:
        nonlocal entered
        for _ in range(25):
            try:
                store = Store.open(path, now=NOW)
            except LockedError:
                continue
            inside.append(1)
            entered += 1
            if len(inside) != 1:
                wrong.append("two at once")
            inside.pop()
            store.close()

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [] == wrong
    assert entered > 0


def test_a_file_of_another_program_in_the_locks_place_is_left_alone(path: Path) -> None:
    theirs = path.with_name("chat.yaml.lock")
    theirs.write_text("dependencies: {}\n")
    with pytest.raises(StoreError, match="found a file of something else"):
        Store.open(path, now=NOW)
    assert "dependencies: {}\n" == theirs.read_text()


def test_closing_leaves_a_lock_alone_that_is_not_its_own(store: Store, path: Path) -> None:
    lock = path.with_name("chat.yaml.lock")
    lock.unlink()
    lock.write_text("pid 1 since then\n")
    store.close()
    assert "pid 1 since then\n" == lock.read_text()


# Repair


@pytest.fixture
def torn(path: Path) -> tuple[bytes, bytes]:
    """A cassette whose third interaction was being written: its whole part, and the torn tail."""
    whole = written(path, "a", "b")
    tail = written(path, "a", "b", "c").removeprefix(whole)[:-9]
    path.write_bytes(whole + tail)
    return whole, tail


def test_a_torn_tail_is_cut_off_kept_beside_and_reported(path: Path, torn: tuple[bytes, bytes]) -> None:
    whole, tail = torn
    with Store.open(path, now=NOW) as store:
        assert whole == path.read_bytes()
        assert tail == path.with_name("chat.torn").read_bytes()
        [repair] = store.repaired
        assert (path, path.with_name("chat.torn"), len(tail), 2) == (
            repair.path,
            repair.kept,
            repair.size,
            repair.count,
        )
        assert "2 whole interactions remain" in str(repair)
        assert 2 == store.append(clean("d"), began=0)
    assert ["a", "b", "d"] == names(path)


def test_every_cut_of_the_last_interaction_is_repaired(path: Path) -> None:
    whole = written(path, "a", "b")
    longer = written(path, "a", "b", "c")
    for end in range(len(whole), len(longer)):
        path.write_bytes(longer[:end])
        path.with_name("chat.torn").unlink(missing_ok=True)
        with Store.open(path, now=NOW) as store:
            assert bool(store.repaired) == (end > len(whole)), longer[len(whole) : end]
            assert whole == path.read_bytes()


def test_zeros_behind_the_end_are_a_torn_tail(path: Path, torn: tuple[bytes, bytes]) -> None:
    """What a power cut leaves where the length was written and the blocks were not."""
    whole, tail = torn
    for zeros in (tail + bytes(5000), bytes(5000)):
        path.write_bytes(whole + zeros)
        path.with_name("chat.torn").unlink(missing_ok=True)
        with Store.open(path, now=NOW) as store:
            assert [len(zeros)] == [repair.size for repair in store.repaired]
            assert zeros == path.with_name("chat.torn").read_bytes()
        assert whole == path.read_bytes()


def test_torn_tails_of_several_crashes_are_all_kept(path: Path, torn: tuple[bytes, bytes]) -> None:
    whole, tail = torn
    for _ in range(2):
        Store.open(path, now=NOW).close()
        path.write_bytes(whole + tail)
    Store.open(path, now=NOW).close()
    assert tail * 3 == path.with_name("chat.torn").read_bytes()


def test_a_torn_incomplete_file_is_repaired_as_well(path: Path) -> None:
    with Store.open(path, now=NOW) as store:
        store.append_incomplete(store.render(clean("a"), incomplete=True), reason="gone", at=NOW)
        whole = store.incomplete_path.read_bytes()
        store.append_incomplete(store.render(clean("b"), incomplete=True), reason="gone", at=NOW)
        longer = store.incomplete_path.read_bytes()
    item = longer.rindex(b"    - id: 1\n") + 20
    for end in (*range(len(whole), item), *range(item, len(longer), 17)):
        store.incomplete_path.write_bytes(longer[:end])
        with Store.open(path, now=NOW) as again:
            again.append_incomplete(again.render(clean("c"), incomplete=True), reason="gone", at=NOW)
        assert ["a", "c"] == names(again.incomplete_path)


def test_a_cassette_damaged_in_any_other_way_is_refused_and_left_as_it_is(path: Path) -> None:
    whole = written(path, "a", "b", "c")
    for damaged in (
        whole.replace(b"- id: 1\n", b"- id: [\n"),
        whole[: len(whole) // 2] + whole[len(whole) // 2 + 20 :],
        b"\x00" + whole,
        whole + b"\x00\n",
        b"{}\n",
    ):
        path.write_bytes(damaged)
        before = path.stat()
        with pytest.raises(CassetteError, match="expected"):
            Store.open(path, now=NOW)
        assert damaged == path.read_bytes()
        assert before.st_mtime_ns == path.stat().st_mtime_ns
        assert ["chat.yaml"] == around(path)


def test_what_a_recorder_left_that_died_while_sealing_is_removed(path: Path) -> None:
    written(path, "a")
    path.with_name("chat.yaml.recorder-tmp").write_bytes(b"---\nvers")
    with Store.open(path, now=NOW) as store:
        store.append(clean("c"), began=2)
        store.append(clean("b"), began=1)
        store.seal()
    assert ["a", "b", "c"] == names(path)
    assert ["chat.yaml"] == around(path)


# What is no plain file

PLACES = ["chat.yaml", "chat.yaml.lock", "chat.yaml.recorder-tmp", "chat.torn", "chat.incomplete.yaml"]


def _symlink(place: Path) -> None:
    target = place.with_name("target")
    target.write_bytes(b"precious")
    place.symlink_to(target)


def _socket(place: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(place))


KINDS: dict[str, Callable[[Path], None]] = {
    "a symlink": _symlink,
    "a FIFO": os.mkfifo,
    "a folder": Path.mkdir,
    "a socket": _socket,
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("kind", KINDS)
def test_what_is_no_plain_file_is_refused_and_untouched(
    tmp_path: Path, place: str, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # a socket's path has to be short
    KINDS[kind](Path(place))
    before = Path(place).lstat()
    with pytest.raises(StoreError, match=f"{re.escape(place)}: expected a plain file, found {kind}"):
        Store.open(tmp_path / "chat.yaml", now=NOW)
    assert before.st_ino == Path(place).lstat().st_ino
    if kind == "a symlink":
        assert b"precious" == Path("target").read_bytes()


@pytest.mark.parametrize("place", PLACES[:2])
def test_a_symlink_slipped_in_after_the_look_is_not_followed(
    tmp_path: Path, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = recorder.storage.disk.check_plain
    target = tmp_path / "target"
    target.write_bytes(b"precious")
    written(tmp_path / "chat.yaml", "a")
    (tmp_path / place).touch()

    def exchange(path: Path, found: os.stat_result) -> None:
        real(path, found)
        if path.name == place and not path.is_symlink():
            path.unlink()
            path.symlink_to(target)

    monkeypatch.setattr(recorder.storage.disk, "check_plain", exchange)
    with pytest.raises(StoreError, match="it is a symlink"):
        Store.open(tmp_path / "chat.yaml", now=NOW)
    assert b"precious" == target.read_bytes()


def test_a_fifo_slipped_in_after_the_look_does_not_make_us_wait(
    path: Path, torn: tuple[bytes, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    class SlippingOs:
        def __getattr__(self, name: str) -> Any:
            if name == "open" and not path.with_name("chat.torn").exists():
                os.mkfifo(path.with_name("chat.torn"))
            return getattr(os, name)

        def stat(self, name: Path, **_: Any) -> os.stat_result:
            if name.name == "chat.torn":
                raise FileNotFoundError
            return name.lstat()

    replace_os(monkeypatch, SlippingOs())
    with pytest.raises(StoreError, match="it is a FIFO or a device"):
        Store.open(path, now=NOW)
    assert b"".join(torn) == path.read_bytes()


def test_no_file_of_ours_but_cassettes_ends_in_yaml(store: Store, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = CountingOs(monkeypatch)
    store.append(clean("b"), began=2)
    store.append(clean("a"), began=1)
    store.seal()
    assert {"chat.yaml.recorder-tmp", path.parent.name} == disk.opened


# Failing closed


def _exchange(path: Path) -> None:
    copy = path.with_name("copy")
    copy.write_bytes(path.read_bytes())
    copy.replace(path)


def _grow(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"# mine\n")


MEDDLING: dict[str, Callable[[Path], None]] = {
    "was deleted or moved": Path.unlink,
    "was replaced by another file": _exchange,
    "was changed": _grow,
}


@pytest.mark.parametrize("what", MEDDLING)
def test_a_cassette_that_someone_else_touches_is_written_no_more(store: Store, path: Path, what: str) -> None:
    store.append(clean("b"), began=2)
    store.append(clean("a"), began=1)
    MEDDLING[what](path)
    left = path.read_bytes() if path.exists() else None
    with pytest.raises(StoreError, match=what):
        store.append(clean("c"), began=3)
    assert left == (path.read_bytes() if path.exists() else None)
    assert what in str(store.failed)


@pytest.mark.parametrize("what", MEDDLING)
def test_a_cassette_that_someone_else_touches_is_not_sealed(store: Store, path: Path, what: str) -> None:
    store.append(clean("b"), began=2)
    store.append(clean("a"), began=1)
    MEDDLING[what](path)
    left = path.read_bytes() if path.exists() else None
    with pytest.raises(StoreError, match=what):
        store.seal()
    assert left == (path.read_bytes() if path.exists() else None)


def test_a_cassette_whose_ids_someone_else_changed_is_not_sealed(store: Store, path: Path) -> None:
    store.append(clean("b"), began=2)
    store.append(clean("a"), began=1)
    theirs = path.read_bytes().replace(b"- id: 1\n", b"- id: 7\n")
    with path.open("r+b") as file:
        file.write(theirs)
    with pytest.raises(StoreError, match="was changed while it was being recorded: expected id 1"):
        store.seal()
    assert theirs == path.read_bytes()
    assert ["chat.yaml", "chat.yaml.lock"] == around(path)


def test_a_cassette_that_appears_before_the_first_append_is_not_written_over(store: Store, path: Path) -> None:
    theirs = written(path, "theirs")
    with pytest.raises(StoreError, match="was made by someone else"):
        store.append(clean("a"), began=0)
    assert theirs == path.read_bytes()


def test_after_a_failure_every_call_raises_the_same_line(store: Store, path: Path) -> None:
    store.append(clean("a"), began=0)
    path.unlink()
    with pytest.raises(StoreError) as first:
        store.append(clean("b"), began=1)
    calls: list[Callable[[], object]] = [
        lambda: store.append(clean("c"), began=2),
        lambda: store.append_incomplete(store.render(clean("c"), incomplete=True), reason="gone", at=NOW),
        store.seal,
    ]
    for call in calls:
        with pytest.raises(StoreError) as again:
            call()
        assert str(first.value) == str(again.value)
    assert "\n" not in str(first.value)
    assert not path.exists()
    assert not store.incomplete_path.exists()


def test_a_closed_store_takes_nothing(store: Store) -> None:
    store.close()
    with pytest.raises(StoreError, match="closed"):
        store.append(clean("a"), began=0)


def test_a_size_limit_cuts_nothing_in_half(path: Path) -> None:
    """A real one: RLIMIT_FSIZE, in a process of its own."""
    program = f"""
import resource, sys
from pathlib import Path
from recorder.errors import StoreError
from recorder.model import Interaction, Request, Response
from recorder.scrub import Scrubber
from recorder.storage.store import Store
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
store = Store.open(Path({str(path)!r}), now=0)
for number in range(100):
    response = Response(status="200 OK", code=200, duration=1, body=b"x" * 7000)
    interaction = Interaction(request=Request(method="GET", url=f"http://x/{{number}}"), response=response)
    try:
        store.append(Scrubber(salt=bytes(16)).scrub(interaction), began=number)
    except StoreError as error:
        print(number, error)
        break
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT, timeout=60
    )
    number, _, line = done.stdout.partition(" ")
    assert int(number) > 3
    assert [str(place) for place in range(int(number))] == names(path)
    assert line.startswith(f"{path}: cannot append: ")


def test_a_folder_that_cannot_be_made_or_written_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="cannot open the cassette: a file stands where") as caught:
        Store.open(tmp_path / "file" / "chat.yaml", now=NOW)
    assert "\n" not in str(caught.value)


# Times of chunks


def test_times_are_appended_beside_the_cassette_and_only_by_who_keeps_them(tmp_path: Path) -> None:
    path = tmp_path / "weather.yaml"
    times = tmp_path / "weather.timing.jsonl"
    for line in (b'{"one":1}\n', b'{"two":2}\n'):
        with Store.open(path, now=NOW) as store:
            store.append(clean("a"), began=0)
            assert not times.exists() or line not in times.read_bytes()
            store.append_timing(line)
            store.seal()
    assert b'{"one":1}\n{"two":2}\n' == times.read_bytes()
    assert 0o600 == times.stat().st_mode & 0o777


def test_a_line_of_times_that_was_torn_is_left_behind(tmp_path: Path) -> None:
    times = tmp_path / "weather.timing.jsonl"
    times.write_bytes(b'{"one":1}\n{"tw')
    with Store.open(tmp_path / "weather.yaml", now=NOW) as store:
        store.append_timing(b'{"three":3}\n')
    assert b'{"one":1}\n{"tw\n{"three":3}\n' == times.read_bytes()


def test_times_that_cannot_be_written_fail_the_store(tmp_path: Path) -> None:
    (tmp_path / "weather.timing.jsonl").symlink_to("/dev/full")
    with Store.open(tmp_path / "weather.yaml", now=NOW) as store:
        with pytest.raises(StoreError, match=r"timing\.jsonl"):
            store.append_timing(b"{}\n")
        with pytest.raises(StoreError):
            store.append(clean("a"), began=0)
