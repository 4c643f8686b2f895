"""What can be made to go wrong in a recorder before it starts. Only forked test recorders load this.

A fault is a mapping, so that it can travel: `{"call": "fsync", "nth": 3, "errno": "EIO"}`. Each fires once, and leaves
a line in the file `fired` that it names.
"""

from __future__ import annotations

import errno
import os
import resource
import signal
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from types import FrameType
from typing import Any


def install(fault: Mapping[str, Any]) -> None:
    installers[fault["kind"]](**{name: value for name, value in fault.items() if name != "kind"})


def limit(*, size: int) -> None:
    """No file may grow beyond `size` bytes: what a full disk is, made by the kernel itself."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


def call(*, name: str, nth: int, error: str, fired: str, about: str = "/cassettes") -> None:
    """The `nth` call of `os.NAME` for a file with `about` in its path fails; a write may be `short` instead."""
    genuine = getattr(os, name)
    lock = threading.Lock()
    count = 0

    def failing(*args: Any, **kwargs: Any) -> Any:
        nonlocal count
        if about not in (path := _path(args)) or path.endswith(".lock"):
            return genuine(*args, **kwargs)
        with lock:
            count += 1
            due = count == nth
        if not due:
            return genuine(*args, **kwargs)
        _note(fired, f"{name} {error}")
        if error == "short":
            return genuine(args[0], args[1][: len(args[1]) // 2])
        raise OSError(getattr(errno, error), os.strerror(getattr(errno, error)))

    setattr(os, name, failing)


def _path(args: tuple[Any, ...]) -> str:
    """The file that a call is about, "" if it is about none."""
    try:
        return str(Path(f"/proc/self/fd/{args[0]}").readlink() if isinstance(args[0], int) else os.fspath(args[0]))
    except (OSError, TypeError, IndexError):
        return ""


def line(*, file: str, number: int, fired: str) -> None:
    """The first time that this line is about to run, it raises instead."""
    pending = True

    def at_line(frame: FrameType, event: str, _: Any) -> Callable[..., Any] | None:
        nonlocal pending
        if pending and event == "line" and frame.f_lineno == number:
            pending = False
            _note(fired, f"{file}:{number}")
            raise RuntimeError(f"made to fail at {file}:{number}")
        return at_line

    _trace(lambda frame: at_line if frame.f_code.co_filename.endswith(file) else None)


def trace(*, files: list[str], into: str) -> None:
    """Note each line of these files that runs: `file:line:function`."""
    seen: set[str] = set()

    def at_line(frame: FrameType, event: str, _: Any) -> Callable[..., Any]:
        if event == "line":
            name = next(file for file in files if frame.f_code.co_filename.endswith(file))
            found = f"{name}:{frame.f_lineno}:{frame.f_code.co_qualname}"
            if found not in seen:
                seen.add(found)
                _note(into, found)
        return at_line

    _trace(lambda frame: at_line if frame.f_code.co_filename.endswith(tuple(files)) else None)


def _trace(choose: Callable[[FrameType], Callable[..., Any] | None]) -> None:
    def entered(frame: FrameType, _: str, __: Any) -> Callable[..., Any] | None:
        return choose(frame)

    sys.settrace(entered)
    threading.settrace(entered)


def _note(path: str, text: str) -> None:
    with Path(path).open("a", encoding="utf-8") as file:
        file.write(f"{text}\n")


installers: Mapping[str, Callable[..., None]] = {"limit": limit, "call": call, "line": line, "trace": trace}
