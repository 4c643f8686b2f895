"""The sessions of one recorder, by name: each with its own cassette, recorded, replayed or both, started when needed.

May be called from several threads at once.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from recorder.replay.matching import Miss
from recorder.replay.policy import OnMiss, Playing
from recorder.session.playback import Answer, Replaying, resolved
from recorder.session.recording import Recording, Summary
from recorder.session.settings import Mode, Settings
from recorder.storage.session_paths import cassette_path
from recorder.wire.exchange import WireRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """What becomes of a request: it is answered, or missed, or goes upstream; `recorded`: and into the cassette.

    A miss may go upstream too, if the user said so.
    """

    answer: Answer | None = None
    missed: bool = False
    upstream: bool = False
    recorded: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """A session that has been started. `mode`: what `once` has become."""

    mode: Mode
    on_miss: OnMiss
    recording: Recording | None
    replaying: Replaying | None
    _summary: Summary = field(repr=False)

    @classmethod
    def start(cls, settings: Settings, name: str, *, now: int, salt: bytes, environ: Mapping[str, str]) -> Started:
        """Errors as of `Recording.start` and `Replaying.start`, whose values these are."""
        mode = resolved(settings, name)
        on_miss = (settings.playing or Playing()).on_miss
        records = mode in (Mode.RECORD, Mode.NEW_EPISODES) or (mode is Mode.REPLAY and on_miss is OnMiss.RECORD)
        recording = replaying = None
        if records:  # first: it repairs what an earlier recorder has left
            recording = Recording.start(settings, name, now=now, salt=salt, environ=environ)
        if mode in (Mode.REPLAY, Mode.NEW_EPISODES):
            try:
                replaying = Replaying.start(settings, name, environ=environ)
            except BaseException:
                if recording is not None:
                    recording.close()
                raise
        path = cassette_path(settings.cassette_dir, name).absolute()
        summary = recording.summary if recording else Summary(session=name, path=path)
        return cls(mode=mode, on_miss=on_miss, recording=recording, replaying=replaying, _summary=summary)

    @property
    def summary(self) -> Summary:
        """What it has come to so far."""
        if self.replaying is not None:
            self._summary.receipt = self.replaying.receipt(
                recorded=self._summary.interactions, upstream_connections=self._summary.connections
            )
        return self._summary

    def ask(self, request: WireRequest) -> Course:
        """What becomes of a request. If it misses, call `missed` too."""
        if self.replaying is None:
            return Course(upstream=True, recorded=self.mode is Mode.RECORD)
        answer = self.replaying.answer(request)
        if answer is not None:
            return Course(answer=answer)
        if self.mode is Mode.NEW_EPISODES:
            return Course(upstream=True, recorded=True)
        return Course(missed=True, upstream=self.on_miss is not OnMiss.ERROR, recorded=self.on_miss is OnMiss.RECORD)

    def missed(self, request: WireRequest) -> Miss:
        """Count a miss, and explain it: of a long cassette that takes a second."""
        assert self.replaying is not None
        return self.replaying.missed(request)

    def connected(self) -> None:
        """A connection to an upstream has been opened for it."""
        self._summary.connections += 1

    def stop(self) -> Summary:
        """Put the cassette in order and let go of it."""
        if self.recording is not None:
            self.recording.stop()
        return self.summary

    def close(self) -> None:
        """Let go of the cassette as it is."""
        if self.recording is not None:
            self.recording.close()


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
        self._started: dict[str, Started] = {}

    def start(self, name: str, mode: Mode | None = None) -> Started:
        """Start a session; one that has been started goes on. `mode`: another than the recorder's own."""
        settings = self._settings if mode is None else replace(self._settings, mode=mode)
        with self._lock:
            if name not in self._started:
                self._started[name] = Started.start(
                    settings, name, now=self._clock(), salt=self._salts(), environ=self._environ
                )
            return self._started[name]

    def names(self) -> list[str]:
        """The sessions that have been started and not stopped."""
        return list(self._started)

    def stop(self, name: str) -> Summary:
        """Put the session's cassette in order and let go of it; a later `start` goes on behind what is there."""
        with self._lock:
            started = self._started.pop(name)
        return started.stop()

    def abandon(self, name: str) -> None:
        """Let go of a session's cassette as it is."""
        with self._lock:
            started = self._started.pop(name, None)
        if started is not None:
            started.close()

    def close(self) -> None:
        """Let go of every cassette as it is. After `stop` there is nothing left to do."""
        for name in self.names():
            self.abandon(name)
