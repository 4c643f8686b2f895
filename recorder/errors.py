"""What can go wrong, as one tree; each class knows the exit status that it ends a command with.

RecorderError            1  anything below; catch this to catch all
├── UsageError           2  an option, a name or a setting that cannot be used
├── CassetteError        1  a cassette that is damaged, or is none
├── StoreError           1  a cassette that could not be locked, opened or written
│   └── LockedError      1  another recorder holds it
├── BodyError            1  a body that could not be decoded
├── ProxyError           1  the proxy could not start, or had to stop serving
├── UpstreamError        1  the simulated OpenRouter could not start, or has ended
└── SecretError          3  a secret was found where none may be

A message is one line: what was expected, what was found, where, what to do. It never holds a secret.
"""

from __future__ import annotations

from typing import ClassVar


class RecorderError(Exception):
    """The root of the tree."""

    exit_code: ClassVar[int] = 1


class UsageError(RecorderError):
    exit_code = 2


class CassetteError(RecorderError):
    """A cassette that is damaged, or is none.

    `name` is the file as the caller named it, `line` counts from 1 (0: the file as a whole).
    """

    def __init__(self, *, name: str, line: int, expected: str, found: str, advice: str = "") -> None:
        self.name = name
        self.line = line
        self.expected = expected
        self.found = found
        self.advice = advice
        where = f"{name}:{line}" if line else name
        super().__init__(f"{where}: expected {expected}, found {found}" + (f"; {advice}" if advice else ""))


class StoreError(RecorderError):
    pass


class LockedError(StoreError):
    pass


class BodyError(RecorderError):
    pass


class ProxyError(RecorderError):
    pass


class UpstreamError(RecorderError):
    pass


class SecretError(RecorderError):
    exit_code = 3
