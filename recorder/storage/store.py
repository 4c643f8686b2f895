"""Only this module writes cassettes: one holder, whole interactions or none, on disk before `append` returns.

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

import errno
import os
import re
import stat
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self, final

from recorder import cassette
from recorder.cassette import GO_VCR, Layout
from recorder.errors import LockedError, StoreError, UsageError
from recorder.replay import timing
from recorder.scrub import CleanInteraction

if sys.platform != "win32":  # a port needs its own `_lock` and `_alive`, and to close a file before it is replaced
    import fcntl

_PRIVATE = 0o600
# A symlink is not followed, a FIFO does not make us wait, a terminal does not become ours. Windows has none of these.
_PLAIN = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0)
_PIECE = 1 << 20  # bytes that are held at once while a cassette is copied
_NO_ITEMS = b"interactions:\n", b"interactions: []\n"
_ID_LINE = re.compile(rb"( *- id: )(\d+)\n")
_HOLDER = re.compile(rb"pid (\d{1,9}) since ([0-9TZ:-]+)\n")
# A fifth of a second for a holder that is just dying (the kernel drops its lock last), or just writing its name.
_LOCK_TRIES, _LOCK_PAUSE = 20, 0.01
_NO_SUCH_CALL = (errno.EINVAL, errno.ENOTSUP)  # what some network and FUSE file systems answer to a sync

_SEAL = object()

_WORDS = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk quota is used up",
    errno.EFBIG: "the file has reached the size limit of this process or file system",
    errno.EROFS: "the disk is read-only",
    errno.EACCES: "permission denied",
    errno.EPERM: "permission denied",
    errno.EIO: "the disk reports an input/output error",
    errno.ENXIO: "it is a FIFO or a device, expected a plain file",
    errno.ELOOP: "it is a symlink, expected a plain file",
    errno.ENOTDIR: "a file stands where one of its folders should be",
}


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


@final
class Rendered:
    """An interaction as it will stand on disk, all but its id. Only `Store.render` makes one, of a clean one."""

    __slots__ = ("text",)

    def __init__(self, text: bytes, seal: object) -> None:
        if seal is not _SEAL:
            raise TypeError("a Rendered is made by Store.render alone")
        self.text = text

    def item(self, item_id: int) -> bytes:
        line = _ID_LINE.match(self.text)
        assert line is not None
        return b"%b%d\n%b" % (line[1], item_id, self.text[line.end() :])


class Store:
    """A cassette held for recording. `open`, then any number of appends, then `seal` and `close`.

    `repaired`: what `open` had to cut off. `failed`: why nothing more is written, None while all is well.
    """

    def __init__(self, path: Path, lock: _Lock, cassette_file: _File, incomplete: _File) -> None:
        self.path = path
        self.failed: StoreError | None = None
        self._lock: _Lock | None = lock
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
        with _explained(path, "open the cassette"):
            _make_folder(path.parent)
            lock = _Lock.take(path, now=now)
            files: list[_File] = []
            try:
                for name in (path, path.with_suffix(".incomplete.yaml")):
                    files.append(_File.open(name, layout))  # noqa: PERF401  (those opened must be known if one fails)
                _sync_folder(path.parent)  # a recorder that was killed may not have got to it
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
        comment = b"# incomplete: %b, %b\n" % (reason.encode("unicode_escape"), _stamp(at))
        item = rendered.item(file.count)
        with self._failing_closed(f"append to {file.path.name}"):
            file.append([comment + item])
        return file.count - 1

    def append_timing(self, line: bytes) -> None:
        """Append a line to `NAME.timing.jsonl`. It says nothing that the cassette needs: no sync, no repair."""
        self._check_usable()
        with self._failing_closed("append to its times"):
            if self._times is None:
                self._times = _open_plain(self.path.with_suffix(timing.SUFFIX), os.O_RDWR | os.O_APPEND | os.O_CREAT)
                size = os.lseek(self._times, 0, os.SEEK_END)
                os.lseek(self._times, max(0, size - 1), os.SEEK_SET)
                if size and os.read(self._times, 1) != b"\n":  # of a recorder that died while it wrote
                    line = b"\n" + line
            _write(self._times, line)

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
            with _explained(self.path, doing):
                yield
        except StoreError as error:
            self.failed = error
            raise


def rewrite(path: Path, *, expected: bytes, data: bytes, now: int) -> None:
    """Put `data` in the place of a cassette that says `expected`, by one atomic replace; mode and owner stay.

    Raises LockedError if a recorder holds it, StoreError if it has changed since it was read, or cannot be written.
    """
    path = path.absolute()
    with _explained(path, "rewrite it"):
        lock = _Lock.take(path, now=now)
        try:
            file = _File(path, GO_VCR, _open_plain(path, os.O_RDWR))
            try:
                file.replace(expected, data)
            finally:
                file.close()
        finally:
            lock.release()


class _File:
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
    def open(cls, path: Path, layout: Layout | None) -> _File:
        temporary = _temporary(path)
        for beside in (temporary, path.with_suffix(".torn")):
            with suppress(FileNotFoundError):
                _check_plain(beside, os.stat(beside, follow_symlinks=False))
        try:
            fd = _open_plain(path, os.O_RDWR | os.O_APPEND)
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
            _write(self._fd, data)
            _sync(self._fd)
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
        fd = _open_plain(kept, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        try:
            _write(fd, tail)
            _sync(fd)
        finally:
            os.close(fd)
        _sync_folder(kept.parent)
        os.ftruncate(self._fd, end)
        _sync(self._fd)
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
        fd = _open_plain(temporary, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_EXCL)
        try:
            size = 0
            for piece in _gathered(pieces):
                _write(fd, piece)
                size += len(piece)
            if self._fd is not None:
                _keep_owner_and_mode(self._fd, fd)
            _sync(fd)
            os.replace(temporary, self.path)
        except BaseException:
            with suppress(OSError):
                os.close(fd)
            with suppress(OSError):
                os.unlink(temporary)
            raise
        self.close()
        self._fd, self.size = fd, size
        _sync_folder(self.path.parent)

    def _id_line(self, start: int, *, item_id: int) -> re.Match[bytes]:
        line = _ID_LINE.match(self._read(start, 64))
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


class _Lock:
    """`NAME.yaml.lock`, held by an flock, which ends with the process; what stands in it says who holds it."""

    def __init__(self, path: Path, fd: int) -> None:
        self._path = path
        self._fd = fd

    @classmethod
    def take(cls, held: Path, *, now: int) -> _Lock:
        path = held.with_name(f"{held.name}.lock")
        holder = None
        for _ in range(_LOCK_TRIES):
            lock = cls(path, _open_plain(path, os.O_RDWR | os.O_APPEND | os.O_CREAT))
            try:
                if not _lock(lock._fd):
                    holder = lock._living_holder()
                elif lock._is_ours():  # else its holder has stopped, and removed it, since we opened it
                    lock._sign(now)
                    return lock
            except BaseException:
                os.close(lock._fd)
                raise
            os.close(lock._fd)
            time.sleep(_LOCK_PAUSE)
        raise LockedError(f"{held}: is being recorded by {holder or 'another process'}; stop it, or take another name")

    def release(self) -> None:
        # Unlinked while it is held: whoever has opened it meanwhile then finds that the name is no longer its own.
        with suppress(OSError):
            if self._is_ours():
                os.unlink(self._path)
        with suppress(OSError):
            os.close(self._fd)

    def _sign(self, now: int) -> None:
        if not b"pid ".startswith(os.read(self._fd, 4)):  # it would be emptied now, and removed in the end
            raise StoreError(f"{self._path}: expected a recorder's lock, found a file of something else; rename that")
        os.ftruncate(self._fd, 0)
        _write(self._fd, b"pid %d since %b\n" % (os.getpid(), _stamp(now)))

    def _living_holder(self) -> str | None:
        """None while the holder has not yet written its name over that of one that was killed."""
        found = _HOLDER.fullmatch(os.read(self._fd, 100))
        if found is None or not _alive(int(found[1])):
            return None
        return found[0].decode("ascii").rstrip()

    def _is_ours(self) -> bool:
        """Whether the file that we have locked is still the one of that name."""
        try:
            return os.path.samestat(os.fstat(self._fd), os.stat(self._path, follow_symlinks=False))
        except FileNotFoundError:
            return False


def _lock(fd: int) -> bool:
    """Take the lock if it is free. flock, because a POSIX record lock would let the same process in twice."""
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _temporary(path: Path) -> Path:
    return path.with_name(f"{path.name}.recorder-tmp")


def _make_folder(folder: Path) -> None:
    if os.path.isdir(folder):
        return
    _make_folder(folder.parent)
    with suppress(FileExistsError):
        os.mkdir(folder)
    _sync_folder(folder.parent)


def _open_plain(path: Path, flags: int) -> int:
    with suppress(FileNotFoundError):  # before it is opened: opening a device can do things
        _check_plain(path, os.stat(path, follow_symlinks=False))
    fd = os.open(path, flags | _PLAIN, _PRIVATE)
    try:
        _check_plain(path, os.fstat(fd))  # and after: it may have been exchanged in between
    except BaseException:
        os.close(fd)
        raise
    return fd


def _check_plain(path: Path, found: os.stat_result) -> None:
    if stat.S_ISREG(found.st_mode):
        return
    kinds = {stat.S_IFLNK: "a symlink", stat.S_IFDIR: "a folder", stat.S_IFIFO: "a FIFO", stat.S_IFSOCK: "a socket"}
    kind = kinds.get(stat.S_IFMT(found.st_mode), "a device")
    raise StoreError(f"{path}: expected a plain file, found {kind}; remove it, or take another name")


def _keep_owner_and_mode(old: int, new: int) -> None:
    wanted, found = os.fstat(old), os.fstat(new)
    if (wanted.st_uid, wanted.st_gid) != (found.st_uid, found.st_gid):
        os.fchown(new, wanted.st_uid, wanted.st_gid)
    os.fchmod(new, stat.S_IMODE(wanted.st_mode))  # after the owner: chown clears the set-id bits


def _write(fd: int, data: bytes) -> None:
    """One write. A short one is a failure like any other: the disk or a limit has room for no more."""
    written = os.write(fd, data)
    if written != len(data):
        raise OSError(
            0, f"only {written} of {len(data)} bytes could be written, the disk is full or a limit is reached"
        )


def _sync(fd: int) -> None:
    """All the way to the disk. fdatasync would save nothing: it must write the new length, too."""
    if sys.platform == "darwin":  # fsync there stops at the drive's cache
        try:
            fcntl.fcntl(fd, fcntl.F_FULLFSYNC)
            return
        except OSError as error:
            if error.errno not in _NO_SUCH_CALL:
                raise
    os.fsync(fd)


def _sync_folder(folder: Path) -> None:
    """Make the names in a folder last: a file's own fsync does not."""
    if sys.platform == "win32":  # folders cannot be opened there, and NTFS keeps a journal of names
        return
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    except OSError as error:
        if error.errno not in _NO_SUCH_CALL:
            raise
    finally:
        os.close(fd)


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


def _stamp(time_ns: int) -> bytes:
    return datetime.fromtimestamp(time_ns // 1_000_000_000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ").encode()


@contextmanager
def _explained(path: Path, doing: str) -> Iterator[None]:
    """Turn what the system says into one line for a person."""
    try:
        yield
    except OSError as error:
        words = _WORDS.get(error.errno or 0) or (error.strerror or str(error)).lower()
        where = f" ({error.filename})" if error.filename and str(error.filename) != str(path) else ""
        raise StoreError(f"{path}: cannot {doing}: {words}{where}") from error
