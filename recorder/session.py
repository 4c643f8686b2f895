"""A session's name and what follows from it: the paths of its files, and the recorders that are running now.

A recorder at work keeps one small file in the user's state folder and holds a lock on it for as long as it lives.
Whether it lives is asked of the lock, which the kernel frees with the process, and not of the pid, which another may
have got.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import secrets
import signal
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

from recorder.errors import RecorderError, UsageError

APPLICATION = "openrouter-recorder"
SUFFIX = ".yaml"
INCOMPLETE_SUFFIX = ".incomplete.yaml"

# A part of a name becomes a file or a folder, and has to do so on every system that a repository is checked out on.
_NOT_PORTABLE = re.compile(r'[\x00-\x1f\x7f\ud800-\udfff<>:"\\|?*]')
_RESERVED = re.compile(r"(?:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:\..*)?", re.IGNORECASE)
_LONGEST_PART = 200  # bytes: file systems take 255, and the longest name beside a cassette is NAME.incomplete.yaml.lock


def check_name(name: str) -> str:
    """`name` if it can be a session's, else `UsageError`. A `/` makes folders, as in go-vcr's `testdata/T.Name()`."""
    for part in name.split("/"):
        if fault := _fault(part):
            raise UsageError(f"expected a session's name such as weather or TestAgent/weather, found {name!r}: {fault}")
    return name


def _fault(part: str) -> str:
    """What is wrong with one part of a name, "" if nothing is."""
    faults = (
        (not part, "an empty part"),
        (part in (".", ".."), f"{part!r} would lead elsewhere"),
        (_NOT_PORTABLE.search(part), 'one of <>:"\\|?*, a control character, or what is not Unicode'),
        (part != part.strip() or part.endswith("."), "a space or a dot at an end"),
        (part.startswith(("-", "~", "@")), f"a part that starts with {part[:1]!r}"),
        (_RESERVED.fullmatch(part), f"{part!r} is reserved on Windows"),
        (part.lower().endswith((".yaml", ".incomplete")), "its ending, which is added by itself"),
        (len(part.encode(errors="replace")) > _LONGEST_PART, f"a part longer than {_LONGEST_PART} bytes"),
    )
    return next((words for wrong, words in faults if wrong), "")


def name_for(moment: float) -> str:
    """The name of a session that was given none, from its start in seconds since the epoch."""
    return time.strftime("%Y-%m-%dT%H-%M-%S", time.localtime(moment))


def cassette_path(folder: Path, name: str) -> Path:
    return folder / f"{check_name(name)}{SUFFIX}"


def names_in(folder: Path) -> list[str]:
    """The sessions recorded below a folder, sorted."""
    return sorted(
        (Path(root) / file).relative_to(folder).as_posix().removesuffix(SUFFIX)
        for root, _, files in os.walk(folder)
        for file in files
        if file.endswith(SUFFIX) and not file.endswith(INCOMPLETE_SUFFIX)
    )


def state_folder() -> Path:
    if chosen := os.environ.get("RECORDER_STATE_DIR"):
        return Path(chosen)
    return _user_folder("XDG_STATE_HOME", ".local/state")


def data_folder() -> Path:
    return _user_folder("XDG_DATA_HOME", ".local/share")


def _user_folder(variable: str, default: str) -> Path:
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / APPLICATION
    chosen = os.environ.get(variable, "")
    return (Path(chosen) if os.path.isabs(chosen) else Path.home() / default) / APPLICATION  # noqa: PTH117 - XDG: a relative value is ignored


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A recorder at work, as it describes itself.

    `started`: seconds since the epoch. `grace`: seconds. `log`: the file that it prints to, "" for a terminal.
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


class Registration:
    """Keeps a recorder in the list of those running until `close`, or the end of the process, whichever comes first."""

    def __init__(self, running: Running, folder: Path) -> None:
        _make_private(folder)
        self._path = folder / f"{running.pid}-{secrets.token_hex(4)}.json"
        # Locked before it has its name: nobody can see it free and take it for stale.
        draft = self._path.with_suffix(".new")
        descriptor = os.open(draft, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600)
        self._file: IO[str] = os.fdopen(descriptor, "w", encoding="utf-8")
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        json.dump(asdict(running), self._file)
        self._file.flush()
        draft.replace(self._path)

    def close(self) -> None:
        self._path.unlink(missing_ok=True)
        self._file.close()


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
            return Running(**json.load(file))
    except FileNotFoundError:  # it stopped while we looked
        return None
    except (OSError, ValueError, TypeError) as error:
        raise RecorderError(f"expected a running recorder's state in {path}, found {error}; remove the file") from error


def _free(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def find(entries: list[Running], name: str) -> Running:
    """The one recorder that records session `name`; `RecorderError` if there is none, or more than one."""
    matches = [entry for entry in entries if entry.session == name]
    if len(matches) == 1:
        return matches[0]
    if not matches:
        others = ", ".join(entry.session for entry in entries) or "none"
        raise RecorderError(f"expected a running session named {name!r}, found {others}; `recorder status` lists them")
    where = ", ".join(entry.cassette for entry in matches)
    raise RecorderError(
        f"expected one running session named {name!r}, found {len(matches)} ({where}); stop them by pid"
    )


def stop(entry: Running, folder: Path, *, timeout: float) -> bool:
    """Ask a recorder to stop and wait until it has; False if it has not after `timeout` seconds."""
    try:
        os.kill(entry.pid, signal.SIGTERM)
    except ProcessLookupError:
        return True
    except PermissionError as error:
        raise RecorderError(
            f"expected to stop pid {entry.pid} ({entry.session}), found it is another user's"
        ) from error
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        if entry not in running(folder):
            return True
        time.sleep(0.05)
    return False


def _make_private(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise RecorderError(
            f"expected a folder for the state of running recorders at {folder}, found {error}"
        ) from error
