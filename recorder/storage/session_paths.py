"""A session's name, and the paths of the files and folders that follow from it."""

from __future__ import annotations

import os
import re
import sys
import time
import unicodedata
from pathlib import Path

from recorder.errors import RecorderError, UsageError

APPLICATION = "openrouter-recorder"
SUFFIX = ".yaml"
INCOMPLETE_SUFFIX = ".incomplete.yaml"

# A part of a name becomes a file or a folder, and has to do so on every system that a repository is checked out on.
_NOT_PORTABLE = re.compile(r'[<>:"\\|?*]')
# Control and format characters (the invisible and those that turn the text around), lone surrogates, line ends.
_UNSEEN = frozenset(("Cc", "Cf", "Cs", "Zl", "Zp"))
# https://learn.microsoft.com/en-us/windows/win32/fileio/naming-a-file: superscript digits count as digits.
_RESERVED = re.compile(r"(?:con|prn|aux|nul|conin\$|conout\$|(?:com|lpt)[0-9¹²³]) *(?:\..*)?", re.IGNORECASE)
_LONGEST_PART = 200  # bytes: file systems take 255, and the longest name beside a cassette is NAME.incomplete.yaml.lock
_LONGEST_NAME = 600  # bytes: macOS takes paths of 1,024, the cassette folder's own included
_SHOWN = 60  # characters of a name that is refused


def check_name(name: str) -> str:
    """`name` if it can be a session's, else `UsageError`. A `/` makes folders, as in go-vcr's `testdata/T.Name()`."""
    too_long = len(_octets(name)) > _LONGEST_NAME
    fault = f"longer than {_LONGEST_NAME} bytes" if too_long else next(filter(None, map(_fault, name.split("/"))), "")
    if fault:
        shown = name if len(name) <= _SHOWN else name[:_SHOWN] + "…"
        raise UsageError(f"expected a session's name such as weather or TestAgent/weather, found {shown!r}: {fault}")
    return name


def _fault(part: str) -> str:
    """What is wrong with one part of a name, "" if nothing is."""
    faults = (
        (not part, "an empty part"),
        (part in (".", ".."), f"{part!r} would lead elsewhere"),
        (_NOT_PORTABLE.search(part), 'one of <>:"\\|?*'),
        (not _UNSEEN.isdisjoint(map(unicodedata.category, part)), "a character that cannot be seen, or no character"),
        (not unicodedata.is_normalized("NFC", part), "letters and accents apart (it is not in Unicode's form NFC)"),
        (part != part.strip() or part.endswith("."), "a space or a dot at an end"),
        (part.startswith(("-", "~", "@")), f"a part that starts with {part[:1]!r}"),
        (_RESERVED.fullmatch(part), f"{part!r} is reserved on Windows"),
        (part.lower().endswith((".yaml", ".incomplete")), "its ending, which is added by itself"),
        (len(_octets(part)) > _LONGEST_PART, f"a part longer than {_LONGEST_PART} bytes"),
    )
    return next((words for wrong, words in faults if wrong), "")


def _octets(text: str) -> bytes:
    return text.encode(errors="surrogatepass")


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
        return Path(chosen).absolute()
    return _user_folder("XDG_STATE_HOME", ".local/state")


def cache_folder() -> Path:
    """For what can be had again at the cost of some time."""
    if chosen := os.environ.get("RECORDER_STATE_DIR"):
        return Path(chosen).absolute() / "cache"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / APPLICATION
    return _user_folder("XDG_CACHE_HOME", ".cache")


def data_folder() -> Path:
    return _user_folder("XDG_DATA_HOME", ".local/share")


def _user_folder(variable: str, default: str) -> Path:
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / APPLICATION
    chosen = os.environ.get(variable, "")
    return (Path(chosen) if os.path.isabs(chosen) else Path.home() / default) / APPLICATION  # noqa: PTH117 - XDG: a relative value is ignored


def make_private(folder: Path) -> None:
    """Make a folder that is the user's alone, if it is not there."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise no_state(folder, error) from error


def no_state(folder: Path, error: OSError) -> RecorderError:
    return RecorderError(f"expected a folder for the state of running recorders at {folder}, found {error}")
