"""How long a save takes as a cassette grows: one with few interactions and one with many, in turns."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from statistics import median

from recorder.session.recording import Recording
from recorder.session.settings import Settings
from recorder.wire.exchange import Capture, Exchange, WireRequest, WireResponse

_FEW = 10
_SAVES = 100  # of each cassette in each round; a save is a millisecond or two, and one sync may take ten
_SALT = bytes(16)


def save_times(folder: Path, *, grown: int, rounds: int) -> tuple[list[float], list[float]]:
    """Seconds a save in a cassette of 10 interactions and in one of `grown`, the medians of each round."""
    small: list[float] = []
    large: list[float] = []
    with _recording(folder, "large", grown) as many:
        for number in range(rounds):
            with _recording(folder, f"small-{number}", _FEW) as few:
                times = [(_timed(few), _timed(many)) for _ in range(_SAVES)]
            small.append(median(one for one, _ in times))
            large.append(median(other for _, other in times))
    return small, large


@contextmanager
def _recording(folder: Path, session: str, size: int) -> Iterator[Recording]:
    settings = Settings(cassette_dir=folder)
    recording = Recording.start(settings, session, now=time.time_ns(), salt=_SALT, environ={})
    for _ in range(size):
        recording.record(_exchange())
    try:
        yield recording
    finally:
        recording.close()


def make(folder: Path) -> None:
    """A small cassette there."""
    with _recording(folder, "small", _FEW):
        pass


def _timed(recording: Recording) -> float:
    exchange = _exchange()
    began = time.perf_counter()
    recording.record(exchange)
    return time.perf_counter() - began


_numbers = count()


def _exchange() -> Exchange:
    number = next(_numbers)
    fields = ((b"Content-Type", b"application/json"),)
    body = b'{"id":"gen-%d","choices":[{"message":{"content":"%b"}}]}' % (number, b"It's mild in Florence. " * 40)
    url = "https://openrouter.ai/api/v1/chat/completions"
    request = WireRequest(method="POST", url=url, http_version="HTTP/1.1", headers=fields, body=b'{"stream":false}')
    capture = Capture(request, began=number)
    capture.respond(WireResponse(code=200, reason="OK", http_version="HTTP/1.1", headers=fields), at=1)
    capture.chunk(body, at=2)
    return capture.end(at=3)
