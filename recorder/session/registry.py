"""The recorders that are running now.

A recorder at work keeps one small file in the user's state folder and holds a lock on it for as long as it lives.
Whether it lives is asked of the lock, which the kernel frees with the process, and not of the pid, which another may
have got.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import signal
import time
from contextlib import ExitStack
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import IO, Any

from recorder.errors import RecorderError
from recorder.storage.session_paths import make_private, no_state


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A recorder at work, as it describes itself.

    `session`: "" if each request names its own; then `cassette` is the folder of the cassettes. `started`: seconds
    since the epoch. `grace`: seconds. `log`: the file that it prints to, "" for a terminal. `host`: the one behind the
    base URL. `hosts`: all that it records, as `--host` takes them, parted by spaces.
    """

    session: str
    cassette: str
    pid: int
    started: float
    port: int
    base_url_port: int
    host: str
    bundle: str
    grace: float = 0.0
    log: str = ""
    hosts: str = ""

    @property
    def title(self) -> str:
        return self.session or f"the recorder on port {self.port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a recorder ended. `status`: its exit status, None if it was killed. `said`: its last words."""

    status: int | None
    said: str


class Registration:
    """Keeps a recorder in the list of those running until `close`, or the end of the process, whichever comes first."""

    def __init__(self, running: Running, folder: Path) -> None:
        self._path = folder / f"{running.pid}-{secrets.token_hex(4)}.json"
        # Locked before it has its name: nobody can see it free and take it for stale.
        draft = self._path.with_suffix(".new")
        make_private(folder)
        try:
            descriptor = os.open(draft, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600)
            self._file: IO[str] = os.fdopen(descriptor, "w", encoding="utf-8")
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            self._write(asdict(running))
            draft.replace(self._path)
        except OSError as error:
            raise no_state(folder, error) from error

    def close(self, ended: Ended) -> None:
        """Leave the list. Whoever waits in `stop` holds the file open, and reads there how it ended."""
        self._path.unlink(missing_ok=True)  # first, so that nobody looks in while it is being written
        with self._file:
            self._write(asdict(ended))

    def _write(self, content: dict[str, Any]) -> None:
        self._file.seek(0)
        self._file.truncate()
        json.dump(content, self._file)
        self._file.flush()


def running(folder: Path) -> list[Running]:
    """The recorders at work, oldest first; what a dead one left is cleaned up."""
    found = [entry for path in sorted(folder.glob("*.json")) if (entry := _read(path))]
    return sorted(found, key=lambda entry: entry.started)


def _read(path: Path) -> Running | None:
    try:
        with path.open(encoding="utf-8") as file:
            if _free(file):
                path.unlink(missing_ok=True)
                return None
            content = json.load(file)
            # Another version of the recorder may know more.
            return Running(**{known.name: content[known.name] for known in fields(Running) if known.name in content})
    except FileNotFoundError:  # it stopped while we looked
        return None
    except (OSError, ValueError, TypeError) as error:
        if not path.exists():  # it stopped while we read
            return None
        raise RecorderError(f"expected a running recorder's state in {path}, found {error}; remove the file") from error


def _free(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def find(entries: list[Running], name: str) -> Running:
    """The one recorder that records session `name`; `RecorderError` if there is none, or more than one."""
    matches = [entry for entry in entries if entry.session == name]
    if len(matches) == 1:
        return matches[0]
    if not matches:
        others = ", ".join(entry.title for entry in entries) or "none"
        raise RecorderError(f"expected a running session named {name!r}, found {others}; `recorder status` lists them")
    where = ", ".join(entry.cassette for entry in matches)
    raise RecorderError(
        f"expected one running session named {name!r}, found {len(matches)} ({where}); stop them by pid"
    )


def stop(entry: Running, folder: Path, *, timeout: float) -> Ended | None:
    """Ask a recorder to stop and wait until it has; None if it has not after `timeout` seconds."""
    with ExitStack() as files:
        # Opened first: the file loses its name when the recorder ends, and tells how it did.
        opened = [files.enter_context(path.open(encoding="utf-8")) for path in folder.glob(f"{entry.pid}-*.json")]
        if not all(map(_free, opened)):  # it lives, so the pid is still its own
            _terminate(entry)
        deadline = time.monotonic() + timeout
        while not all(map(_free, opened)):
            if time.monotonic() > deadline:
                return None
            time.sleep(0.02)
        return next(filter(None, map(_ended, opened)), Ended(status=None, said=""))


def _terminate(entry: Running) -> None:
    try:
        os.kill(entry.pid, signal.SIGTERM)
    except ProcessLookupError:
        return
    except PermissionError as error:
        raise RecorderError(f"expected to stop pid {entry.pid} ({entry.title}), found it is another user's") from error


def _ended(file: IO[str]) -> Ended | None:
    try:
        return Ended(**json.load(file))
    except (ValueError, TypeError):  # what it wrote while it ran: it was killed
        return None
