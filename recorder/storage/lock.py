"""`NAME.yaml.lock`: one holder for a cassette, by an flock, which the kernel drops with the process."""

from __future__ import annotations

import os
import re
import sys
import time
from contextlib import suppress
from pathlib import Path

from recorder.errors import LockedError, StoreError
from recorder.storage import disk

if sys.platform != "win32":  # a port needs its own `_lock` and `_alive`
    import fcntl

_HOLDER = re.compile(rb"pid (\d{1,9}) since ([0-9TZ:-]+)\n")
# A fifth of a second for a holder that is just dying (the kernel drops its lock last), or just writing its name.
_TRIES, _PAUSE = 20, 0.01


class Lock:
    """`NAME.yaml.lock`, held by an flock, which ends with the process; what stands in it says who holds it."""

    def __init__(self, path: Path, fd: int) -> None:
        self._path = path
        self._fd = fd

    @classmethod
    def take(cls, held: Path, *, now: int) -> Lock:
        path = held.with_name(f"{held.name}.lock")
        holder = None
        for _ in range(_TRIES):
            lock = cls(path, disk.open_plain(path, os.O_RDWR | os.O_APPEND | os.O_CREAT))
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
            time.sleep(_PAUSE)
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
        disk.write(self._fd, b"pid %d since %b\n" % (os.getpid(), disk.stamp(now)))

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
