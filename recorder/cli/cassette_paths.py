"""The cassettes that paths on the command line mean, and how they are read and searched: of `verify` and `scrub`."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator
from pathlib import Path

from recorder.errors import RecorderError, UsageError
from recorder.scrub import Rule, Scrubber
from recorder.storage.session_paths import SUFFIX


def cassettes(paths: Iterable[Path]) -> Iterator[Path]:
    """The files that are named, and those below the folders that are."""
    for path in paths:
        if not path.is_dir():
            yield path
            continue
        below = sorted(path.rglob(f"*{SUFFIX}"))
        if not below:
            raise UsageError(f"expected cassettes (*{SUFFIX}) below {path}, found none")
        yield from below


def scrubber(rules: Iterable[Rule]) -> Scrubber:
    # Each file its own salt, as each recording has: equal placeholders mean equal secrets within a cassette only. What
    # cannot be read is there already, and was allowed to whoever recorded it.
    return Scrubber(salt=secrets.token_bytes(16), rules=rules, allow_opaque=True)


def read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise RecorderError(f"{path}: expected a cassette, found {error.strerror or error}") from error
