"""One cassette file that grows at its end: layout, count and end of what is there, torn tails, order."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from recorder import cassette
from recorder.cassette import GO_VCR, Layout
from recorder.errors import StoreError
from recorder.storage import disk

_PIECE = 1 << 20  # bytes that are held at once while a cassette is copied
_NO_ITEMS = b"interactions:\n", b"interactions: []\n"
ID_LINE = re.compile(rb"( *- id: )(\d+)\n")


@dataclass(frozen=True, slots=True, kw_only=True)
class Repair:
    """A torn tail of `size` bytes was cut off `path` and kept in `kept`; `count` whole interactions remain."""

    path: Path
    kept: Path
    size: int
    count: int

    def __str__(self) -> str:
        return (
            f"{self.path}: an earlier recorder died while it wrote; {self.count} whole interactions remain, "
            f"the {self.size} bytes behind them are kept in {self.kept}"
        )


class CassetteFile:
    """One cassette file that grows at its end: the cassette itself, or the one of incomplete interactions."""

    def __init__(self, path: Path, layout: Layout, fd: int | None = None) -> None:
        self.path = path
        self.layout = layout
        self.count = 0
        self.size = 0
        self.repair: Repair | None = None
        self._fd = fd
        self._head = cassette.header(layout)

    @classmethod
    def open(cls, path: Path, layout: Layout | None) -> CassetteFile:
        temporary = _temporary(path)
        for beside in (temporary, path.with_suffix(".torn")):
            with suppress(FileNotFoundError):
                disk.check_plain(beside, os.stat(beside, follow_symlinks=False))
        try:
            fd = disk.open_plain(path, os.O_RDWR | os.O_APPEND)
        except FileNotFoundError:
            file = cls(path, layout or GO_VCR)
        else:
            file = cls(path, layout or GO_VCR, fd)
            try:
                file._take_over()
            except BaseException:
                os.close(fd)
                raise
        with suppress(FileNotFoundError):
            os.unlink(temporary)  # a recorder died between making it and renaming it
        return file

    def append(self, items: Sequence[bytes]) -> list[int]:
        """Append, and return the byte at which each item starts."""
        self._check_untouched()
        if not items:
            return []
        if self._fd is None or not self.count:
            return self._start(items)
        starts = _starts(self.size, items)
        data = b"".join(items)
        try:
            disk.write(self._fd, data)
            disk.sync(self._fd)
        except BaseException:
            with suppress(OSError):
                os.ftruncate(self._fd, self.size)
            raise
        self.size += len(data)
        self.count += len(items)
        return starts

    def reorder(self, starts: Sequence[int], order: Sequence[int]) -> list[int]:
        """Replace the file by one whose last items stand in `order`; `starts` is where they stand now."""
        self._check_untouched()
        first_id = self.count - len(starts)
        ends = [*starts[1:], self.size]
        new_starts: list[int] = []
        position = starts[0]

        def pieces() -> Iterator[bytes]:
            nonlocal position
            yield from self._copy(0, starts[0])
            for place, item in enumerate(order):
                line = self._id_line(starts[item], item_id=first_id + item)
                head = b"%b%d\n" % (line[1], first_id + place)
                new_starts.append(position)
                position += len(head) + ends[item] - starts[item] - line.end()
                yield head
                yield from self._copy(starts[item] + line.end(), ends[item])

        self._replace(pieces())
        return new_starts

    def replace(self, expected: bytes, data: bytes) -> None:
        """Replace the whole file, if it still says `expected`."""
        assert self._fd is not None
        if os.fstat(self._fd).st_size != len(expected) or b"".join(self._copy(0, len(expected))) != expected:
            raise StoreError(f"{self.path}: was changed since it was read; try again")
        self._replace([data])

    def close(self) -> None:
        if self._fd is not None:
            with suppress(OSError):
                os.close(self._fd)

    def _take_over(self) -> None:
        """Learn the layout, the count and the end of a file that was there before us; cut off a torn tail."""
        assert self._fd is not None
        self.size = os.fstat(self._fd).st_size
        data = b"".join(self._copy(0, self.size))
        # A power cut can leave the new length over blocks that were never written: zeros, part of the torn tail.
        text = data.rstrip(b"\0")
        found = cassette.survey(text, str(self.path), self.layout)
        self.layout, self.count = found.layout, found.count
        if found.torn or len(text) < len(data):
            self._cut_off(data[found.end :], found.end)
        elif not found.count and text.endswith(_NO_ITEMS):  # its own head, comments and all
            self._head = text.removesuffix(b"\n").removesuffix(b" []") + b"\n"

    def _cut_off(self, tail: bytes, end: int) -> None:
        """Keep the torn tail beside the file, behind those of earlier crashes, before it is cut off here."""
        assert self._fd is not None
        kept = self.path.with_suffix(".torn")
        fd = disk.open_plain(kept, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        try:
            disk.write(fd, tail)
            disk.sync(fd)
        finally:
            os.close(fd)
        disk.sync_folder(kept.parent)
        os.ftruncate(self._fd, end)
        disk.sync(self._fd)
        self.size = end
        self.repair = Repair(path=self.path, kept=kept, size=len(tail), count=self.count)

    def _check_untouched(self) -> None:
        """Nobody else may write, replace or delete the file while we hold it; a lock is only advice."""
        try:
            found = os.stat(self.path, follow_symlinks=False)
        except FileNotFoundError:
            if self._fd is None:
                return
            raise StoreError(f"{self.path}: was deleted or moved while it was being recorded") from None
        if self._fd is None:
            raise StoreError(f"{self.path}: was made by someone else while it was being recorded")
        if not os.path.samestat(found, os.fstat(self._fd)):
            raise StoreError(f"{self.path}: was replaced by another file while it was being recorded")
        if found.st_size != self.size:
            sizes = f"expected {self.size} bytes, found {found.st_size}"
            raise StoreError(f"{self.path}: was changed while it was being recorded: {sizes}")

    def _start(self, items: Sequence[bytes]) -> list[int]:
        """The first items come in one atomic replace: half a header is no cassette, and `[]` takes no items."""
        self._replace([self._head, *items])
        self.count = len(items)
        return _starts(len(self._head), items)

    def _replace(self, pieces: Iterable[bytes]) -> None:
        temporary = _temporary(self.path)
        fd = disk.open_plain(temporary, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_EXCL)
        try:
            size = 0
            for piece in _gathered(pieces):
                disk.write(fd, piece)
                size += len(piece)
            if self._fd is not None:
                disk.keep_owner_and_mode(self._fd, fd)
            disk.sync(fd)
            os.replace(temporary, self.path)
        except BaseException:
            with suppress(OSError):
                os.close(fd)
            with suppress(OSError):
                os.unlink(temporary)
            raise
        self.close()
        self._fd, self.size = fd, size
        disk.sync_folder(self.path.parent)

    def _id_line(self, start: int, *, item_id: int) -> re.Match[bytes]:
        line = ID_LINE.match(self._read(start, 64))
        if line is None or int(line[2]) != item_id:
            raise StoreError(
                f"{self.path}: was changed while it was being recorded: expected id {item_id} at byte {start}"
            )
        return line

    def _copy(self, start: int, end: int) -> Iterator[bytes]:
        while start < end:
            piece = self._read(start, min(_PIECE, end - start))
            if not piece:
                raise StoreError(f"{self.path}: was cut short while it was being recorded: expected {end} bytes")
            yield piece
            start += len(piece)

    def _read(self, start: int, size: int) -> bytes:
        assert self._fd is not None
        os.lseek(self._fd, start, os.SEEK_SET)  # moves no write: the file is open for appending
        return os.read(self._fd, size)


def _temporary(path: Path) -> Path:
    return path.with_name(f"{path.name}.recorder-tmp")


def _gathered(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The same bytes in fewer pieces."""
    waiting: list[bytes] = []
    size = 0
    for piece in pieces:
        waiting.append(piece)
        size += len(piece)
        if size >= _PIECE:
            yield b"".join(waiting)
            waiting, size = [], 0
    yield b"".join(waiting)


def _starts(first: int, items: Iterable[bytes]) -> list[int]:
    starts = []
    for item in items:
        starts.append(first)
        first += len(item)
    return starts
