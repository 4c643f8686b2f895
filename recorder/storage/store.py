"""Cassettes are written here alone: one holder, whole interactions or none, on disk before `append` returns.

House rules
- A cassette has one holder: an flock on `NAME.yaml.lock`, which the kernel drops when the process dies, by whatever.
- A cassette grows at its end, by one write and one sync for each append, whatever its length. Everything else (its
  first append, its order) is one atomic replace. So only the very end of a file can ever be found torn.
- What is not a plain file (symlink, FIFO, device, folder) is refused wherever we would open one.
- The first failure is the last: we cut back to the last whole interaction, and every later call raises. A failed fsync
  is not tried again: the kernel may have dropped the pages and then reports success (Rebello et al., USENIX ATC 2020).

A store is used by one thread at a time. Times are nanoseconds since the epoch. Disk calls are plain attributes of `os`,
so that the tests can make each one fail in turn and model what a power cut leaves.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Self, final

from recorder import cassette
from recorder.cassette import GO_VCR, Layout
from recorder.errors import StoreError, UsageError
from recorder.replay import timing
from recorder.scrub import CleanInteraction
from recorder.storage import disk
from recorder.storage.cassette_file import ID_LINE, CassetteFile, Repair
from recorder.storage.lock import Lock

_SEAL = object()


@final
class Rendered:
    """An interaction as it will stand on disk, all but its id. Only `Store.render` makes one, of a clean one."""

    __slots__ = ("text",)

    def __init__(self, text: bytes, seal: object) -> None:
        if seal is not _SEAL:
            raise TypeError("a Rendered is made by Store.render alone")
        self.text = text

    def item(self, item_id: int) -> bytes:
        line = ID_LINE.match(self.text)
        assert line is not None
        return b"%b%d\n%b" % (line[1], item_id, self.text[line.end() :])


class Store:
    """A cassette held for recording. `open`, then any number of appends, then `seal` and `close`.

    `repaired`: what `open` had to cut off. `failed`: why nothing more is written, None while all is well.
    """

    def __init__(self, path: Path, lock: Lock, cassette_file: CassetteFile, incomplete: CassetteFile) -> None:
        self.path = path
        self.failed: StoreError | None = None
        self._lock: Lock | None = lock
        self._file = cassette_file
        self._incomplete = incomplete
        self._began: list[int] = []  # of each interaction that this run appended, in the order of the file
        self._times: int | None = None
        self._starts: list[int] = []  # the byte at which each of them starts

    @classmethod
    def open(cls, path: Path, *, layout: Layout | None = None, now: int) -> Store:
        """Lock the cassette, make its folders, repair a torn tail. A new file appears with its first interaction.

        `layout` is for a new file (go-vcr's own by default); an existing one keeps its own. Raises LockedError if
        another recorder holds it, CassetteError (and leaves it as it is) if it is damaged, StoreError otherwise.
        """
        path = path.absolute()
        if path.suffix != ".yaml" or path.stem.endswith(".incomplete"):
            raise UsageError(f"{path}: expected a cassette's name: NAME.yaml, and not NAME.incomplete.yaml")
        with disk.explained(path, "open the cassette"):
            disk.make_folder(path.parent)
            lock = Lock.take(path, now=now)
            files: list[CassetteFile] = []
            try:
                for name in (path, path.with_suffix(".incomplete.yaml")):
                    files.append(CassetteFile.open(name, layout))  # noqa: PERF401  (those opened must be known if one fails)
                disk.sync_folder(path.parent)  # a recorder that was killed may not have got to it
                return cls(path, lock, *files)
            except BaseException:
                for file in files:
                    file.close()
                lock.release()
                raise

    @property
    def repaired(self) -> tuple[Repair, ...]:
        return tuple(file.repair for file in (self._file, self._incomplete) if file.repair)

    @property
    def count(self) -> int:
        """How many interactions the cassette holds, those of earlier runs included."""
        return self._file.count

    @property
    def incomplete_count(self) -> int:
        """How many interactions `NAME.incomplete.yaml` holds, those of earlier runs included."""
        return self._incomplete.count

    @property
    def incomplete_path(self) -> Path:
        return self._incomplete.path

    def render(self, clean: CleanInteraction, *, incomplete: bool = False) -> Rendered:
        """The interaction as the file will hold it: the long part of an append, which any thread may do at any time."""
        file = self._incomplete if incomplete else self._file
        return Rendered(cassette.render(clean.interaction, 0, file.layout), _SEAL)

    def append(self, clean: CleanInteraction, *, began: int) -> int:
        """Append one interaction; when this returns it is on disk. Returns its id, which `seal` may change."""
        return self.append_many([(self.render(clean), began)])[0]

    def append_many(self, finished: Sequence[tuple[Rendered, int]]) -> range:
        """The same for several, each with when its request began: all or none of them, for the price of one sync."""
        self._check_usable()
        ids = range(self._file.count, self._file.count + len(finished))
        items = [rendered.item(item_id) for item_id, (rendered, _) in zip(ids, finished, strict=True)]
        with self._failing_closed("append"):
            starts = self._file.append(items)
        self._starts += starts
        self._began += [began for _, began in finished]
        return ids

    def append_incomplete(self, rendered: Rendered, *, reason: str, at: int) -> int:
        """Append to `NAME.incomplete.yaml` what had arrived of an exchange, under a comment that says why and when."""
        self._check_usable()
        file = self._incomplete
        comment = b"# incomplete: %b, %b\n" % (reason.encode("unicode_escape"), disk.stamp(at))
        item = rendered.item(file.count)
        with self._failing_closed(f"append to {file.path.name}"):
            file.append([comment + item])
        return file.count - 1

    def append_timing(self, line: bytes) -> None:
        """Append a line to `NAME.timing.jsonl`. It says nothing that the cassette needs: no sync, no repair."""
        self._check_usable()
        with self._failing_closed("append to its times"):
            if self._times is None:
                self._times = disk.open_plain(
                    self.path.with_suffix(timing.SUFFIX), os.O_RDWR | os.O_APPEND | os.O_CREAT
                )
                size = os.lseek(self._times, 0, os.SEEK_END)
                os.lseek(self._times, max(0, size - 1), os.SEEK_SET)
                if size and os.read(self._times, 1) != b"\n":  # of a recorder that died while it wrote
                    line = b"\n" + line
            disk.write(self._times, line)

    def seal(self) -> None:
        """Put this run's interactions in the order in which their requests began, behind those of earlier runs."""
        self._check_usable()
        order = sorted(range(len(self._began)), key=self._began.__getitem__)
        if order == list(range(len(order))):
            return
        with self._failing_closed("put it in order"):
            self._starts = self._file.reorder(self._starts, order)
        self._began.sort()

    def close(self) -> None:
        """Let the cassette go. Never raises: everything that was appended is on disk already."""
        if self._lock is None:
            return
        self._file.close()
        self._incomplete.close()
        if self._times is not None:
            with suppress(OSError):
                os.close(self._times)
            self._times = None
        self._lock.release()
        self._lock = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self.close()

    def _check_usable(self) -> None:
        if self.failed:
            raise StoreError(str(self.failed))
        if self._lock is None:
            raise StoreError(f"{self.path}: this store is closed")

    @contextmanager
    def _failing_closed(self, doing: str) -> Iterator[None]:
        try:
            with disk.explained(self.path, doing):
                yield
        except StoreError as error:
            self.failed = error
            raise


def rewrite(path: Path, *, expected: bytes, data: bytes, now: int) -> None:
    """Put `data` in the place of a cassette that says `expected`, by one atomic replace; mode and owner stay.

    Raises LockedError if a recorder holds it, StoreError if it has changed since it was read, or cannot be written.
    """
    path = path.absolute()
    with disk.explained(path, "rewrite it"):
        lock = Lock.take(path, now=now)
        try:
            file = CassetteFile(path, GO_VCR, disk.open_plain(path, os.O_RDWR))
            try:
                file.replace(expected, data)
            finally:
                file.close()
        finally:
            lock.release()
