"""The disk calls of the store: plain files, whole writes, all the way to the disk; and what failed, in plain words.

They are plain attributes of `os`, so that the tests can make each one fail in turn and model what a power cut leaves.
"""

from __future__ import annotations

import errno
import os
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from recorder.errors import StoreError

if sys.platform != "win32":  # a port needs its own `sync`
    import fcntl

_PRIVATE = 0o600
# A symlink is not followed, a FIFO does not make us wait, a terminal does not become ours. Windows has none of these.
_PLAIN = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0)
_NO_SUCH_CALL = (errno.EINVAL, errno.ENOTSUP)  # what some network and FUSE file systems answer to a sync

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


def make_folder(folder: Path) -> None:
    if os.path.isdir(folder):
        return
    make_folder(folder.parent)
    with suppress(FileExistsError):
        os.mkdir(folder)
    sync_folder(folder.parent)


def open_plain(path: Path, flags: int) -> int:
    with suppress(FileNotFoundError):  # before it is opened: opening a device can do things
        check_plain(path, os.stat(path, follow_symlinks=False))
    fd = os.open(path, flags | _PLAIN, _PRIVATE)
    try:
        check_plain(path, os.fstat(fd))  # and after: it may have been exchanged in between
    except BaseException:
        os.close(fd)
        raise
    return fd


def check_plain(path: Path, found: os.stat_result) -> None:
    if stat.S_ISREG(found.st_mode):
        return
    kinds = {stat.S_IFLNK: "a symlink", stat.S_IFDIR: "a folder", stat.S_IFIFO: "a FIFO", stat.S_IFSOCK: "a socket"}
    kind = kinds.get(stat.S_IFMT(found.st_mode), "a device")
    raise StoreError(f"{path}: expected a plain file, found {kind}; remove it, or take another name")


def keep_owner_and_mode(old: int, new: int) -> None:
    wanted, found = os.fstat(old), os.fstat(new)
    if (wanted.st_uid, wanted.st_gid) != (found.st_uid, found.st_gid):
        os.fchown(new, wanted.st_uid, wanted.st_gid)
    os.fchmod(new, stat.S_IMODE(wanted.st_mode))  # after the owner: chown clears the set-id bits


def write(fd: int, data: bytes) -> None:
    """One write. A short one is a failure like any other: the disk or a limit has room for no more."""
    written = os.write(fd, data)
    if written != len(data):
        raise OSError(
            0, f"only {written} of {len(data)} bytes could be written, the disk is full or a limit is reached"
        )


def sync(fd: int) -> None:
    """All the way to the disk. fdatasync would save nothing: it must write the new length, too."""
    if sys.platform == "darwin":  # fsync there stops at the drive's cache
        try:
            fcntl.fcntl(fd, fcntl.F_FULLFSYNC)
            return
        except OSError as error:
            if error.errno not in _NO_SUCH_CALL:
                raise
    os.fsync(fd)


def sync_folder(folder: Path) -> None:
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


def stamp(time_ns: int) -> bytes:
    return datetime.fromtimestamp(time_ns // 1_000_000_000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ").encode()


@contextmanager
def explained(path: Path, doing: str) -> Iterator[None]:
    """Turn what the system says into one line for a person."""
    try:
        yield
    except OSError as error:
        words = _WORDS.get(error.errno or 0) or (error.strerror or str(error)).lower()
        where = f" ({error.filename})" if error.filename and str(error.filename) != str(path) else ""
        raise StoreError(f"{path}: cannot {doing}: {words}{where}") from error
