"""What a power cut leaves, modelled: only what was synced is sure to be there, anything else may be or not.

`Disk` stands in for `os` in the store. It lets every call through to a real folder and keeps, beside it, what is sure:
for each file its bytes at its last fsync, for each folder its names at its last fsync. Before each call that changes
something, and at the end, the power fails in every way of `FILES` times `NAMES`, and `check` looks at what is left.
The syncs are then taken out of the store one by one: for each, some power cut must lose something.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from recorder import cassette
from recorder.errors import CassetteError
from recorder.model import Interaction, Request, Response
from recorder.scrub import CleanInteraction, Scrubber
from recorder.storage.store import Store
from tests.storage.disks import MODULES, replace_os

NOW = 1_700_000_000_000_000_000
SCRUBBER = Scrubber(salt=bytes(16))


class LostError(AssertionError):
    """A power cut would have taken something that was promised, or left something that was never recorded."""


@dataclass(eq=False)
class File:
    live: bytes = b""
    sure: bytes = b""


@dataclass(eq=False)
class Folder:
    live: dict[str, File | Folder] = field(default_factory=dict)
    sure: dict[str, File | Folder] = field(default_factory=dict)


# What may be left of a file, and of a folder, of which not everything was synced.
FILES: dict[str, Callable[[File], bytes]] = {
    "nothing since its sync": lambda file: file.sure,
    "everything": lambda file: file.live,
    "half of what was added": lambda file: file.live[: (len(file.sure) + len(file.live)) // 2],
    "zeros under the new length": lambda file: file.sure.ljust(len(file.live), b"\0"),
    "old bytes under the new length": lambda file: file.sure[: len(file.live)] + file.live[len(file.sure) :],
}
NAMES: dict[str, Callable[[Folder], dict[str, File | Folder]]] = {
    "no name since its sync": lambda folder: folder.sure,
    "every name": lambda folder: folder.live,
}


@dataclass
class Promise:
    """What the store has said is on disk (`ordered`: in this order), and all interactions that it was ever given."""

    cassette: list[str] = field(default_factory=list)
    incomplete: list[str] = field(default_factory=list)
    tail: bytes = b""
    ordered: bool = False
    given: set[Interaction] = field(default_factory=set)


Place = tuple[str, int]
"""A file of the store and a line in it."""


class Disk:
    """`without`: the line of the store whose sync is taken out; `sync_lines`: those that were met."""

    def __init__(self, root: Path, *, without: Place | None = None) -> None:
        self.target = root / "chat.yaml"
        self.promise = Promise()
        self.sync_lines: set[Place] = set()
        self.cuts = 0
        self._root = root
        self._without = without
        self._tree = Folder()
        self._opened: dict[int, File | Folder] = {}

    def __getattr__(self, name: str) -> Any:
        real = getattr(os, name)
        follow = type(self).__dict__.get(f"on_{name}")
        if follow is None:
            return real

        def call(*args: Any) -> Any:
            self.check()
            result = None if name == "fsync" else real(*args)
            follow(self, *args, result)
            return result

        return call

    def put(self, path: Path, data: bytes, *, sure: bool) -> None:
        """A file of an earlier run."""
        path.write_bytes(data)
        folder = self._folder(path)
        folder.live[path.name] = File(live=data, sure=data if sure else b"")
        if sure:
            folder.sure = dict(folder.live)

    def on_open(self, path: Path, flags: int, *rest: int) -> None:
        *_, fd = rest
        if path == self._root:
            self._opened[fd] = self._tree
            return
        folder = self._folder(path)
        if flags & os.O_CREAT:
            folder.live.setdefault(path.name, File())
        self._opened[fd] = folder.live[path.name]

    def on_write(self, fd: int, data: bytes, _: int) -> None:
        self._file(fd).live += data

    def on_ftruncate(self, fd: int, size: int, _: None) -> None:
        file = self._file(fd)
        file.live = file.live[:size]

    def on_fsync(self, fd: int, _: None) -> None:
        line = _line_of_the_store()
        self.sync_lines.add(line)
        if line == self._without:
            return
        node = self._opened[fd]
        if isinstance(node, File):
            node.sure = node.live
        else:
            node.sure = dict(node.live)

    def on_replace(self, old: Path, new: Path, _: None) -> None:
        folder = self._folder(old)
        folder.live[new.name] = folder.live.pop(old.name)

    def on_unlink(self, path: Path, _: None) -> None:
        del self._folder(path).live[path.name]

    def on_mkdir(self, path: Path, _: None) -> None:
        self._folder(path).live[path.name] = Folder()

    def on_close(self, fd: int, _: None) -> None:
        del self._opened[fd]

    def check(self) -> None:
        """Let the power fail now, in every way."""
        for names_left, names in NAMES.items():
            for bytes_left, content in FILES.items():
                self.cuts += 1
                left = self._left(names, content)
                try:
                    _check(left, self.promise)
                except LostError as error:
                    raise LostError(f"{error} (left: {names_left}, {bytes_left})") from None

    def _left(
        self, names: Callable[[Folder], dict[str, File | Folder]], content: Callable[[File], bytes]
    ) -> dict[str, bytes]:
        """What stands in the cassette's folder after the cut; nothing, if the folder itself is gone."""
        folder: File | Folder | None = self._tree
        for part in self.target.relative_to(self._root).parts[:-1]:
            assert isinstance(folder, Folder)
            folder = names(folder).get(part)
            if folder is None:
                return {}
        assert isinstance(folder, Folder)
        return {name: content(file) for name, file in names(folder).items() if isinstance(file, File)}

    def _folder(self, path: Path) -> Folder:
        folder = self._tree
        for part in path.relative_to(self._root).parts[:-1]:
            node = folder.live[part]
            assert isinstance(node, Folder)
            folder = node
        return folder

    def _file(self, fd: int) -> File:
        node = self._opened[fd]
        assert isinstance(node, File)
        return node


SOURCES = tuple(str(module.__file__) for module in MODULES)


def _line_of_the_store() -> Place:
    """Where the store asks for this sync, seen from outside of its two sync functions."""
    frame = sys._getframe()
    while frame.f_code.co_filename not in SOURCES or frame.f_code.co_name.startswith("sync"):
        assert frame.f_back is not None
        frame = frame.f_back
    return Path(frame.f_code.co_filename).name, frame.f_lineno


def _check(left: dict[str, bytes], promise: Promise) -> None:
    found = _whole(left.get("chat.yaml", b""), promise)
    if promise.ordered and found[: len(promise.cassette)] != promise.cassette:
        raise LostError(f"the order {promise.cassette}, found {found}")
    if not set(promise.cassette) <= set(found):
        raise LostError(f"one of {promise.cassette}, found {found}")
    found = _whole(left.get("chat.incomplete.yaml", b""), promise)
    if not set(promise.incomplete) <= set(found):
        raise LostError(f"one of the incomplete {promise.incomplete}, found {found}")
    if not any(promise.tail in data for data in (b"", *left.values())):
        raise LostError("the torn tail")


def _whole(data: bytes, promise: Promise) -> list[str]:
    """The names of the whole interactions that the next recorder will find."""
    data = data.rstrip(b"\0")
    if not data:
        return []
    try:
        survey = cassette.survey(data, "left")
        interactions = cassette.loads(data[: survey.end], "left").interactions if survey.count else ()
    except CassetteError as error:
        raise LostError(f"the whole cassette: {error}") from None
    if not set(interactions) <= promise.given:
        raise LostError("the difference between two interactions: a mixed one")
    return [name_of(interaction) for interaction in interactions]


def interaction(name: str) -> Interaction:
    return Interaction(
        request=Request(method="POST", url=f"https://openrouter.ai/{name}"),
        response=Response(status="200 OK", code=200, duration=1, body=name.encode() * 30),
    )


def name_of(found: Interaction) -> str:
    return found.request.url.rsplit("/", 1)[1]


class Recorder:
    """A store on a modelled disk that notes each promise as it is made."""

    def __init__(self, disk: Disk) -> None:
        self._disk = disk
        self._promise = disk.promise
        self._store = Store.open(disk.target, now=NOW)

    def append(self, *names: str) -> None:
        group = [(self._store.render(self._clean(name)), ord(name)) for name in names]
        self._store.append_many(group)
        self._promise.cassette += names

    def append_incomplete(self, name: str) -> None:
        self._store.append_incomplete(self._store.render(self._clean(name), incomplete=True), reason="gone", at=NOW)
        self._promise.incomplete.append(name)

    def seal(self) -> None:
        self._store.seal()
        self._promise.cassette.sort()
        self._promise.ordered = True

    def close(self) -> None:
        self._store.close()
        self._disk.check()

    def _clean(self, name: str) -> CleanInteraction:
        self._promise.given.add(interaction(name))
        return SCRUBBER.scrub(interaction(name))


def a_new_cassette(disk: Disk) -> None:
    disk.target = disk.target.parent / "new" / "folders" / "chat.yaml"
    recorder = Recorder(disk)
    recorder.append("c")
    recorder.append("a")
    recorder.append_incomplete("x")
    recorder.append("d", "b")
    recorder.append_incomplete("y")
    recorder.seal()
    recorder.append("e")
    recorder.append("f")
    recorder.close()


def a_torn_cassette(disk: Disk) -> None:
    """The next interaction is as long as the torn one: were the cut not synced, the two could become one."""
    old, torn = interaction("a"), interaction("m")
    whole = cassette.header(cassette.GO_VCR) + cassette.render(old, 0, cassette.GO_VCR)
    tail = cassette.render(torn, 1, cassette.GO_VCR)
    tail = tail[: tail.index(b"body:")]
    disk.promise.given.add(old)
    disk.promise.cassette.append("a")
    disk.promise.tail = tail
    disk.put(disk.target, whole + tail, sure=True)
    recorder = Recorder(disk)
    recorder.append("n")
    recorder.append("o")
    recorder.close()


def the_files_of_a_killed_recorder(disk: Disk) -> None:
    """It had come as far as renaming them: nothing says that their names are on disk."""
    data = cassette.header(cassette.GO_VCR) + cassette.render(interaction("k"), 0, cassette.GO_VCR)
    disk.promise.given.add(interaction("k"))
    for path in (disk.target, disk.target.with_name("chat.incomplete.yaml")):
        disk.put(path, data, sure=False)
    recorder = Recorder(disk)
    recorder.append("l")
    recorder.append_incomplete("x")
    recorder.close()


SCENES = [a_new_cassette, a_torn_cassette, the_files_of_a_killed_recorder]


def play(
    scene: Callable[[Disk], None], root: Path, monkeypatch: pytest.MonkeyPatch, *, without: Place | None = None
) -> Disk:
    root.mkdir()
    disk = Disk(root, without=without)
    with monkeypatch.context() as patch:
        replace_os(patch, disk)
        scene(disk)
    return disk


@pytest.mark.parametrize("scene", SCENES)
def test_no_power_cut_takes_what_was_promised(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scene: Callable[[Disk], None]
) -> None:
    disk = play(scene, tmp_path / "root", monkeypatch)
    assert disk.cuts > 100
    assert disk.target.read_bytes() == disk._left(NAMES["no name since its sync"], FILES["everything"])["chat.yaml"]


def test_taking_out_any_sync_loses_something_in_some_power_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines: set[Place] = set()
    for scene in SCENES:
        lines |= play(scene, tmp_path / scene.__name__, monkeypatch).sync_lines
    asked = {
        (Path(source).name, number): line.strip()
        for source in SOURCES
        for number, line in enumerate(Path(source).read_text().splitlines(), 1)
        if re.search(r"\bsync(_folder)?\(", line) and "def " not in line
    }
    assert lines == set(asked)
    for line in sorted(lines):
        needed = False
        for scene in SCENES:
            try:
                play(scene, tmp_path / f"{scene.__name__}-{line[0]}-{line[1]}", monkeypatch, without=line)
            except LostError:
                needed = True
        assert needed, f"{line}, {asked[line]!r}: nothing is lost without it"
