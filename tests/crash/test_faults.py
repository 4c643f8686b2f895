"""Every disk call of a session fails in turn. What stays is whole, what was acknowledged stays, and it is said."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from types import BuiltinFunctionType
from typing import Any

import pytest

from recorder import cassette
from recorder.errors import StoreError
from recorder.model import Interaction, Request, Response
from recorder.scrub import CleanInteraction, Scrubber
from recorder.storage.store import Store
from tests.storage.disks import replace_os

NOW = 1_700_000_000_000_000_000
CHANGES = {"write", "replace", "ftruncate", "unlink", "mkdir", "fchmod", "fchown"}
SCRUBBER = Scrubber(salt=bytes(16))


class FaultyOs:
    """Stands in for `os` in the store: call number `fails` (from 1) goes wrong, with `lasting` all later ones, too.

    `calls` are the names of the calls made. A sync does nothing: it is the calls that count here, and there are many.
    """

    def __init__(self, fails: int = 0, fault: int | str = 0, *, lasting: bool = False) -> None:
        self.calls: list[str] = []
        self.fails = fails
        self._fault = fault
        self.lasting = lasting

    def __getattr__(self, name: str) -> Any:
        real = getattr(os, name)
        if not isinstance(real, BuiltinFunctionType) or name in ("getpid", "strerror", "kill", "fspath"):
            return real

        def call(*args: Any, **options: Any) -> Any:
            self.calls.append(name)
            if len(self.calls) == self.fails or (self.lasting and len(self.calls) > self.fails):
                return self._go_wrong(real, args)
            return None if name == "fsync" else real(*args, **options)

        return call

    def _go_wrong(self, real: Callable[..., Any], args: tuple[Any, ...]) -> Any:
        if real is os.close:
            os.close(*args)  # Linux lets go of the file even if it then reports an error
        if isinstance(self._fault, int):
            raise OSError(self._fault, os.strerror(self._fault))
        if real is not os.write:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        fd, data = args
        return os.write(fd, data[: len(data) // 2])


class Session:
    """Twenty interactions, six of them in two groups, and two incomplete ones; what of it was acknowledged."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.acknowledged: list[str] = []
        self.incomplete: list[str] = []
        self.sealed = False
        self.store: Store | None = None

    def run(self) -> None:
        self.store = store = Store.open(self.path, now=NOW)
        order = iter([7, 3, 5, 1, 2, 4, 6, *range(8, 21)])
        for size in [1, 1, 3, 1, 1, 1, 1, 3, *[1] * 8]:
            group = [next(order) for _ in range(size)]
            store.append_many([(store.render(clean(str(began))), began) for began in group])
            self.acknowledged += map(str, group)
            if len(self.acknowledged) in (2, 12):
                store.append_incomplete(store.render(clean("part"), incomplete=True), reason="gone", at=NOW)
                self.incomplete.append("part")
        store.seal()
        self.sealed = True
        store.close()


def clean(name: str) -> CleanInteraction:
    return SCRUBBER.scrub(
        Interaction(
            request=Request(method="POST", url=f"https://openrouter.ai/{name}"),
            response=Response(status="200 OK", code=200, duration=1, body=name.encode() * 100),
        )
    )


def names(path: Path) -> list[str]:
    if not path.exists():
        return []
    read = cassette.loads(path.read_bytes(), str(path))
    return [interaction.request.url.rsplit("/", 1)[1] for interaction in read.interactions]


FINISHED = ["7", "3", "5", "1", "2", "4", "6", *map(str, range(8, 21))]
SEALED = [*map(str, range(1, 21))]


def calls_of_a_whole_session(folder: Path, monkeypatch: pytest.MonkeyPatch, *, there: bool) -> list[str]:
    disk = FaultyOs()
    check_session(folder, disk, monkeypatch, there=there)
    return disk.calls


@pytest.mark.parametrize("fault", ["short write", errno.EIO])
@pytest.mark.parametrize("lasting", [False, True], ids=["once", "lasting"])
@pytest.mark.parametrize("there", [False, True], ids=["new", "torn"])
def test_a_disk_call_that_fails_fails_the_session_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: int | str, there: bool, lasting: bool
) -> None:
    calls = calls_of_a_whole_session(tmp_path / "whole", monkeypatch, there=there)
    assert len(calls) > 100
    for fails in range(1, len(calls) + 1):
        check_session(tmp_path / str(fails), FaultyOs(fails, fault, lasting=lasting), monkeypatch, there=there)


@pytest.mark.parametrize("fault", [errno.ENOSPC, errno.EFBIG, errno.EINTR, errno.EDQUOT])
def test_whatever_the_error_is_a_change_that_fails_fails_the_session(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: int
) -> None:
    calls = calls_of_a_whole_session(tmp_path / "whole", monkeypatch, there=True)
    changes = [number for number, call in enumerate(calls, 1) if call in (CHANGES | {"fsync", "open"})]
    for fails in changes:
        check_session(tmp_path / str(fails), FaultyOs(fails, fault), monkeypatch, there=True)


def leave_a_torn_cassette(path: Path) -> None:
    path.parent.mkdir()
    item = cassette.render(clean("old").interaction, 0, cassette.GO_VCR)
    path.write_bytes(cassette.header(cassette.GO_VCR) + item + item.replace(b"id: 0", b"id: 1")[:-20])


def check_session(folder: Path, disk: FaultyOs, monkeypatch: pytest.MonkeyPatch, *, there: bool) -> None:
    """`there`: an earlier session has left a cassette, and a torn tail."""
    path = folder / "chat.yaml"
    if there:
        leave_a_torn_cassette(path)
    earlier = ["old"] if there else []
    session, failure = Session(path), None
    replace_os(monkeypatch, disk)
    try:
        session.run()
    except StoreError as error:
        failure = error
    failed_call = disk.calls[disk.fails - 1] if 0 < disk.fails <= len(disk.calls) else ""
    where = f"call {disk.fails}, {failed_call}, {failure}"

    after = [call for call in disk.calls[disk.fails :] if call in CHANGES]
    if failure is None:
        assert session.sealed, where
        assert failed_call in ("close", "unlink", "fstat", "stat", ""), where  # letting go: all is on disk by then
    else:
        assert "\n" not in str(failure), where
        assert str(path) in str(failure), where
        assert {"ftruncate", "unlink"} >= set(after), where  # cutting back and clearing up, no more
        check_that_nothing_more_is_written(session, failure)

    monkeypatch.undo()
    if session.store:
        session.store.close()
        if not disk.lasting:
            assert not torn(path), where
            assert failed_call == "fstat" or not leftovers(path), where  # just made, and not ours to touch unseen
    check_that_the_next_one_goes_on(path)
    *kept, _ = names(path)
    new = kept[len(earlier) :]
    assert earlier == kept[: len(earlier)], where
    assert new in (FINISHED[: len(new)], SEALED), where
    assert len(session.acknowledged) <= len(new), where
    assert session.incomplete == names(path.with_name("chat.incomplete.yaml"))[: len(session.incomplete)], where


def check_that_nothing_more_is_written(session: Session, failure: StoreError) -> None:
    store = session.store
    if store is None:
        return
    before = contents(session.path)
    calls: list[Callable[[], object]] = [
        lambda: store.append(clean("late"), began=99),
        lambda: store.append_incomplete(store.render(clean("late"), incomplete=True), reason="late", at=NOW),
        store.seal,
    ]
    for call in calls:
        with pytest.raises(StoreError) as again:
            call()
        assert str(failure) == str(again.value)
    assert before == contents(session.path)


def contents(path: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in path.parent.iterdir()} if path.parent.exists() else {}


def torn(path: Path) -> bool:
    return path.exists() and cassette.survey(path.read_bytes(), str(path)).torn


def check_that_the_next_one_goes_on(path: Path) -> None:
    with Store.open(path, now=NOW) as store:
        store.append(clean("next"), began=0)
    assert names(path)[-1] == "next"
    assert not leftovers(path)


def leftovers(path: Path) -> list[str]:
    return [name for name in contents(path) if name.endswith(".recorder-tmp")]


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (errno.ENOSPC, "the disk is full"),
        (errno.EDQUOT, "the disk quota is used up"),
        (errno.EFBIG, "the file has reached the size limit"),
        (errno.EROFS, "the disk is read-only"),
        (errno.EACCES, "permission denied"),
        (errno.EIO, "the disk reports an input/output error"),
        (errno.ESTALE, "stale file handle"),
    ],
)
def test_what_the_system_says_is_told_in_plain_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, words: str
) -> None:
    path = tmp_path / "chat.yaml"
    with Store.open(path, now=NOW) as store:
        store.append(clean("1"), began=1)
        replace_os(monkeypatch, FaultyOs(3, code))  # stat, fstat, write
        with pytest.raises(StoreError) as caught:
            store.append(clean("2"), began=2)
    assert str(caught.value).startswith(f"{path}: cannot append: {words}")


def test_a_failed_fsync_is_not_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Store.open(tmp_path / "chat.yaml", now=NOW) as store:
        store.append(clean("1"), began=1)
        disk = FaultyOs(4, errno.EIO)  # stat, fstat, write, fsync
        replace_os(monkeypatch, disk)
        with pytest.raises(StoreError):
            store.append(clean("2"), began=2)
        with pytest.raises(StoreError):
            store.append(clean("2"), began=2)
    assert ["stat", "fstat", "write", "fsync", "ftruncate"] == disk.calls[:5]
    assert "fsync" not in disk.calls[5:]


def test_an_interrupt_in_the_middle_of_an_append_leaves_nothing_half(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Interrupted(FaultyOs):
        def _go_wrong(self, *_: object) -> Any:
            raise KeyboardInterrupt

    path = tmp_path / "chat.yaml"
    with Store.open(path, now=NOW) as store:
        store.append(clean("1"), began=1)
        replace_os(monkeypatch, Interrupted(4))
        with pytest.raises(KeyboardInterrupt):
            store.append(clean("2"), began=2)
        assert names(path) == ["1"]
        store.append(clean("3"), began=3)
    assert names(path) == ["1", "3"]
