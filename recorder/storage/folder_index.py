"""What the cassettes of a folder hold, in short: counts, models, tokens and cost, without reading again what was read.

What was read of a file is kept under its path, size and times in the user's cache folder, never beside the cassettes.
The cache is a convenience: one that is damaged, foreign or cannot be written is as good as none. As git does with its
index, a file that was changed only just now is not kept: it may change again without a trace in its times.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
import signal
import stat
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, TypeVar

from recorder.errors import CassetteError
from recorder.storage import session_paths

Item = TypeVar("Item")
Result = TypeVar("Result")

_VERSION = 1  # of what is kept; raised when `Contents` or the reading of it changes
_JUST_NOW = 2_000_000_000  # nanoseconds; the coarsest times of a file system in use (FAT) are 2 s apart
_WORTH_A_POOL = 16_000_000  # bytes to be read; starting processes takes about as long as reading 5 MB


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """What one cassette holds. `state`: `whole`, `torn`, `empty`, or `damaged: …` and `unreadable: …` with the reason.

    `interactions`: None where it is not known. `models`: those that answered, most often first. Tokens and `cost`: the
    sums of what was told, None if nothing was. `untold`: answers of models that did not tell their tokens.
    """

    state: str
    interactions: int | None = None
    models: tuple[str, ...] = ()
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    cost: float | None = None
    untold: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A session as it lies in its folder. `size`: bytes, `modified`: seconds since the epoch; None if unreadable."""

    session: str
    path: Path
    size: int | None
    modified: float | None
    contents: Contents


def entries(folder: Path, *, cache: Path, now: int) -> list[Entry]:
    """Every cassette below `folder`, sorted by session. `cache`: the folder of the cache; `now`: ns since the epoch."""
    names = session_paths.names_in(folder)
    paths = [folder / f"{name}{session_paths.SUFFIX}" for name in names]
    found = [_look_at(path) for path in paths]
    kept = _Kept(folder, cache)
    contents: list[Contents | None] = [
        each if isinstance(each, Contents) else kept.get(name, _stamp(each))
        for name, each in zip(names, found, strict=True)
    ]
    missing = [place for place, known in enumerate(contents) if known is None]
    unread = [paths[place] for place in missing]
    for place, fresh in zip(missing, each(read, unread, unread), strict=True):
        contents[place] = fresh
        status = found[place]
        if isinstance(status, os.stat_result) and now - max(status.st_mtime_ns, status.st_ctime_ns) > _JUST_NOW:
            kept.put(names[place], _stamp(status), fresh)
    kept.save(names)
    return [
        _entry(name, path, each, known)
        for name, path, each, known in zip(names, paths, found, contents, strict=True)
        if known is not None
    ]


def _entry(name: str, path: Path, found: os.stat_result | Contents, contents: Contents) -> Entry:
    if isinstance(found, Contents):
        return Entry(session=name, path=path, size=None, modified=None, contents=contents)
    return Entry(session=name, path=path, size=found.st_size, modified=found.st_mtime, contents=contents)


def _look_at(path: Path) -> os.stat_result | Contents:
    """What the file system says of it; contents if that is all there will be."""
    try:
        return path.stat()
    except OSError as error:
        return Contents(state=f"unreadable: {error.strerror}")


# --- reading


def each(work: Callable[[Item], Result], items: Sequence[Item], paths: Iterable[Path]) -> Iterable[Result]:
    """`work` done on each item, in order; if the files at `paths` are much to read, on every processor."""
    workers = min(len(items), os.cpu_count() or 1)
    if workers < 2 or sum(map(_size, paths)) < _WORTH_A_POOL:
        return map(work, items)
    return _in_parallel(work, items, workers)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:  # it will be told when it is read
        return 0


def _in_parallel(work: Callable[[Item], Result], items: Sequence[Item], workers: int) -> Iterator[Result]:
    from concurrent.futures import ProcessPoolExecutor  # noqa: PLC0415 - only where there is much to read

    # Small portions: files differ in size, and no processor should be left with the large ones.
    portion = max(1, len(items) // (workers * 16))
    try:
        pool = ProcessPoolExecutor(workers, initializer=_leave_interrupts)
    except (OSError, ImportError, NotImplementedError):  # a sandbox without shared memory for its locks
        yield from map(work, items)
        return
    with pool:
        yield from pool.map(work, items, chunksize=portion)


def _leave_interrupts() -> None:
    """Ctrl-C goes to all processes of a terminal; the first one stops the others, which say nothing."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def read(path: Path) -> Contents:
    """One cassette, strictly. Whatever is wrong with it is its state."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # a pipe would be waited for
            return Contents(state="unreadable: not a file")
        data = path.read_bytes()
    except OSError as error:
        return Contents(state=f"unreadable: {error.strerror}")
    return contents(data, str(path))


def contents(data: bytes, name: str) -> Contents:
    """The same of a cassette's text; `name` is the file's, for errors."""
    from recorder import cassette  # noqa: PLC0415 - the same
    from recorder.llm import conversation  # noqa: PLC0415 - not needed for what the cache has

    told = []
    torn = False
    try:
        for interaction in cassette.interactions(data, name):
            told.append((interaction.response.code, conversation.usage_of(interaction)))  # noqa: PERF401 - kept where it ends early
    except CassetteError:
        try:
            torn = cassette.survey(data, name).torn
        except CassetteError as damage:
            return Contents(state=f"damaged: {damage}")
    models = Counter(usage.model for _, usage in told if usage.model)
    return Contents(
        state="torn" if torn else "whole" if told else "empty",
        interactions=len(told),
        models=tuple(model for model, _ in models.most_common()),
        prompt_tokens=_sum(usage.prompt_tokens for _, usage in told),
        completion_tokens=_sum(usage.completion_tokens for _, usage in told),
        cost=_sum(usage.cost for _, usage in told),
        untold=sum(code < 400 and usage.model is not None and usage.total_tokens is None for code, usage in told),
    )


def _sum(numbers: Iterable[Any]) -> Any:
    known = [number for number in numbers if number is not None]
    return sum(known) if known else None


# --- what is kept


def _stamp(status: os.stat_result) -> tuple[int, ...]:
    """What changes with a file: `mv` and `cp -p` keep the time of a change, but not the inode or that of the inode."""
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino


class _Kept:
    """The cache of one folder: a file of JSON, read once and replaced as a whole where anything has changed."""

    def __init__(self, folder: Path, cache: Path) -> None:
        whole = os.fsencode(folder.resolve())
        self._path = cache / f"list-{hashlib.sha256(whole).hexdigest()[:16]}.json"
        self._known = self._load()
        self._changed = False

    def _load(self) -> dict[str, Any]:
        try:
            value = json.loads(self._path.read_bytes())
        except (OSError, ValueError, RecursionError):
            return {}
        if not isinstance(value, dict) or value.get("version") != _VERSION or not isinstance(value.get("files"), dict):
            return {}
        return dict(value["files"])

    def get(self, name: str, stamp: tuple[int, ...]) -> Contents | None:
        entry = self._known.get(name)
        if not isinstance(entry, dict) or entry.get("stamp") != list(stamp):
            return None
        try:
            return _loads(entry["contents"])
        except (KeyError, TypeError, ValueError):
            return None

    def put(self, name: str, stamp: tuple[int, ...], contents: Contents) -> None:
        self._known[name] = {"stamp": stamp, "contents": asdict(contents)}
        self._changed = True

    def save(self, names: Iterable[str]) -> None:
        """Only of the sessions that are still there."""
        kept = {name: self._known[name] for name in names if name in self._known}
        if not self._changed and len(kept) == len(self._known):
            return
        draft = self._path.with_suffix(f".{secrets.token_hex(4)}")
        with contextlib.suppress(OSError):
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
            try:
                with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                    json.dump({"version": _VERSION, "files": kept}, file)
                draft.replace(self._path)
            except OSError:
                draft.unlink(missing_ok=True)
                raise


def _loads(value: Any) -> Contents:
    """What was kept, if it is what could have been kept."""
    given = {known.name: value[known.name] for known in fields(Contents)}
    counts = (given["interactions"], given["prompt_tokens"], given["completion_tokens"])
    if not (
        isinstance(given["state"], str)
        and all(count is None or isinstance(count, int) for count in counts)
        and (given["cost"] is None or isinstance(given["cost"], int | float))
        and isinstance(given["untold"], int)
        and isinstance(given["models"], list)
        and all(isinstance(model, str) for model in given["models"])
    ):
        raise ValueError("expected the contents of a cassette")
    return Contents(**{**given, "models": tuple(given["models"])})
