"""The sessions of one recorder, by name: each with its own cassette, scrubber and lock, and started when it is needed.

May be called from several threads at once.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping

from recorder.recording import Recording, Summary
from recorder.settings import Settings


class Recordings:
    """`clock`: nanoseconds since the epoch. `salts`: new random bytes at each call. `environ`: our variables."""

    def __init__(
        self, settings: Settings, *, clock: Callable[[], int], salts: Callable[[], bytes], environ: Mapping[str, str]
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._salts = salts
        self._environ = environ
        self._lock = threading.Lock()
        self._started: dict[str, Recording] = {}

    def start(self, name: str) -> Recording:
        """Start a session; one that has been started goes on. Errors as of `Recording.start`."""
        with self._lock:
            if name not in self._started:
                self._started[name] = Recording.start(
                    self._settings, name, now=self._clock(), salt=self._salts(), environ=self._environ
                )
            return self._started[name]

    def names(self) -> list[str]:
        """The sessions that have been started and not stopped."""
        return list(self._started)

    def stop(self, name: str) -> Summary:
        """Put the session's cassette in order and let go of it; a later `start` goes on behind what is there."""
        with self._lock:
            recording = self._started.pop(name)
        return recording.stop()

    def abandon(self, name: str) -> None:
        """Let go of a session's cassette as it is."""
        with self._lock:
            recording = self._started.pop(name, None)
        if recording is not None:
            recording.close()

    def close(self) -> None:
        """Let go of every cassette as it is. After `stop` there is nothing left to do."""
        for name in self.names():
            self.abandon(name)
