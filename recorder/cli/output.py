"""What goes to standard output: plain where it is piped; on a terminal in colour and through a pager, as git has it.

The pager is `RECORDER_PAGER`, else `PAGER`, else `less`; `cat` or nothing is none. `less` gets `FRX` unless `LESS` says
something else: it ends by itself where all fits on the screen, and leaves it there.
"""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any, Literal

from recorder import humanize
from recorder.views.terminal import style

Colour = Literal["auto", "always", "never"]

_NOT_FOUND = 127  # a shell's exit status for a command that is not there


def show(rows: Iterable[style.Line], *, colour: Colour = "auto", paged: bool = True) -> None:
    terminal = sys.stdout.isatty()
    painted = style.paint(rows, colour=_coloured(colour, terminal=terminal))
    pager = _pager() if terminal and paged else ""
    if not pager:
        write(painted)
        return
    text = "".join(painted)
    if not _paged(text, pager):
        write([text])


def write(text: Iterable[str]) -> None:
    """To standard output. Whoever reads it may stop reading, as `head` does; that ends it, and is no failure."""
    encoding = sys.stdout.encoding or "utf-8"
    write_bytes(piece.encode(encoding, "backslashreplace") for piece in text)


def write_bytes(data: Iterable[bytes]) -> None:
    with _readers_may_leave():
        for piece in data:
            sys.stdout.buffer.write(piece)


def to_stdout(write: Callable[[IO[bytes]], None]) -> None:
    """What `write` puts into a file: to standard output; a terminal, which would obey it, sees it spelled out."""
    with _readers_may_leave():
        file: Any = _Visible() if sys.stdout.isatty() else sys.stdout.buffer
        write(file)


def to_file(target: Path, write: Callable[[IO[bytes]], None]) -> None:
    """The same into a file, which is there when all of it is, or stays as it was."""
    descriptor, draft = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name[:100]}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            write(file)
            os.fchmod(file.fileno(), _mode(target))
        Path(draft).replace(target)
    except BaseException:
        Path(draft).unlink(missing_ok=True)
        raise


def _mode(target: Path) -> int:
    """Of the file that is there; of a new one what the user has set: a draft is private."""
    try:
        return stat.S_IMODE(target.stat().st_mode)
    except FileNotFoundError:
        mask = os.umask(0)
        os.umask(mask)
        return 0o666 & ~mask


class _Visible(io.RawIOBase):
    """A terminal that is shown lines of UTF-8. What it is given are whole lines."""

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        lines = bytes(data).decode("utf-8", "backslashreplace").split("\n")
        sys.stdout.write("\n".join(map(humanize.visible, lines)))
        return len(data)


@contextlib.contextmanager
def _readers_may_leave() -> Iterator[None]:
    try:
        sys.stdout.flush()
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        # Python flushes once more as it ends, and that is not to fail, either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _coloured(colour: Colour, *, terminal: bool) -> bool:
    if colour != "auto":
        return colour == "always"
    return terminal and not os.environ.get("NO_COLOR") and os.environ.get("TERM", "dumb") != "dumb"


def _pager() -> str:
    """The command; "" for none."""
    for variable in ("RECORDER_PAGER", "PAGER"):
        chosen = os.environ.get(variable)
        if chosen is not None:
            return "" if chosen.strip() in ("", "cat") else chosen
    return "less" if shutil.which("less") else ""


def _paged(text: str, pager: str) -> bool:
    """Whether the pager took it. It is a shell's command line, as git and man take it."""
    environment = {"LESS": "FRX", "LV": "-c", **os.environ}
    with _interrupts_left_to_the_pager():
        process = subprocess.Popen(["sh", "-c", pager], stdin=subprocess.PIPE, env=environment)
        assert process.stdin is not None
        with contextlib.suppress(BrokenPipeError), process.stdin as pipe:
            pipe.write(text.encode("utf-8", "backslashreplace"))
        return process.wait() != _NOT_FOUND


@contextlib.contextmanager
def _interrupts_left_to_the_pager() -> Iterator[None]:
    """In `less`, Ctrl-C stops a search; the terminal sends it to us as well."""

    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns as wide as their widest cell; the last one is ragged."""
    widths = [max(len(row[column]) for row in (heads, *rows)) for column in range(len(heads))]
    return "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in (heads, *rows))
