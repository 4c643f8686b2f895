"""Each patch that a promise rests on, held against the mitmproxy that is loaded: in memory, in a few milliseconds.

A release of mitmproxy may rename what a patch replaces; then the patch is never called, and without this test a client
would hang, or lose the end of its answer, while the cassette counts it as whole.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from mitmproxy import http
from mitmproxy.http import HTTPFlow
from mitmproxy.options import Options

from recorder.proxy.patches.http_layer import HttpLayerRig, options
from recorder.proxy.patches.paced_answer import Player
from recorder.proxy.tee import Tee
from recorder.replay.cadence import Delivery
from recorder.wire.event_stream import TerminalWatch
from recorder.wire.exchange import Capture, WireRequest, WireResponse

_TERMINAL = b"data: [DONE]\n\n"
_STREAM = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
_END = b"0\r\n\r\n"


class PatchFailedError(Exception):
    """`str()` says what does not hold, as the end of a sentence that begins with "with it"."""


def run() -> None:
    """PatchFailedError for the first check that does not hold."""
    made = options()
    for words, holds in CHECKS.items():
        try:
            ok = holds(made)
        except Exception as error:
            raise PatchFailedError(f"{words} ({type(error).__name__}: {error})") from error
        if not ok:
            raise PatchFailedError(words)


def _ends_with_length(made: Options) -> bool:
    exchange = _Teed(made, length=4)
    exchange.rig.answer(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nab", b"cd")
    return exchange.before.endswith(b"\r\n\r\nab") and exchange.rig.sent().endswith(b"\r\n\r\nabcd")


def _ends_with_terminal_frame(made: Options) -> bool:
    exchange = _Teed(made)
    exchange.rig.answer(_STREAM, _chunk(b"data: 1\n\n"), _chunk(_TERMINAL), _END)
    held = exchange.before.endswith(_chunk(b"data: 1\n\n"))
    return held and exchange.rig.sent().endswith(_chunk(_TERMINAL) + _END)


def _ends_with_a_break(made: Options) -> bool:
    exchange = _Teed(made)
    exchange.rig.answer(_STREAM, _chunk(_TERMINAL), b"")
    return "error" in exchange.rig.seen and _TERMINAL not in exchange.before and _TERMINAL in exchange.rig.sent()


def _is_woken(made: Options) -> bool:
    exchange = _Teed(made, wakes=True)
    exchange.rig.answer(_STREAM, _chunk(_TERMINAL))  # and then nothing more
    return len(exchange.waits) == 1 and _TERMINAL in exchange.rig.sent()


def _is_paced(made: Options) -> bool:
    before: list[bytes] = []
    pieces = ((0, b"data: 1\n\n"), (2_000_000_000, _TERMINAL))
    now = [0]

    def answer(flow: HTTPFlow) -> None:
        flow.response = http.Response.make(200, b"", {"Content-Type": "text/event-stream"})
        flow.response.headers.pop("Content-Length", None)
        flow.response.headers["Transfer-Encoding"] = "chunked"
        flow.response.stream = Player(Delivery(headers=0, pieces=pieces), clock=lambda: now[0])

    def wake(seconds: float) -> None:
        before.append(rig.sent())
        now[0] += int(seconds * 1_000_000_000)

    rig = HttpLayerRig(options=made, asked=answer, woken=wake)
    rig.ask()
    in_time = len(before) == 1 and _TERMINAL not in before[0] and pieces[0][1] in before[0]
    return in_time and rig.sent().endswith(_chunk(pieces[0][1]) + _chunk(_TERMINAL) + _END)


def _reads_past_interim_answers(made: Options) -> bool:
    exchange = _Teed(made, length=2)
    exchange.rig.answer(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab")
    return b"103" not in exchange.rig.sent() and exchange.rig.sent().endswith(b"\r\n\r\nab")


def _reads_past_trailers(made: Options) -> bool:
    exchange = _Teed(made)
    exchange.rig.answer(_STREAM, _chunk(b"ab") + _chunk(b"cd") + b"0\r\nX-Sum: 1\r\n\r\n")
    return exchange.rig.sent().endswith(_chunk(b"abcd") + _END) and "response" in exchange.rig.seen


CHECKS: dict[str, Callable[[Options], bool]] = {
    "the end of a body with a length does not reach its client, whole, after it is on disk": _ends_with_length,
    "the terminal frame of an event stream does not reach its client after it is on disk": _ends_with_terminal_frame,
    "the terminal frame of an event stream that breaks off does not reach its client": _ends_with_a_break,
    "an event stream that says that it is over, and does not end, keeps its client waiting": _is_woken,
    "a replayed answer does not keep its pace": _is_paced,
    "an interim answer (103) is taken for the answer": _reads_past_interim_answers,
    "chunks and their trailers are not read as they should be": _reads_past_trailers,
}


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


@dataclass(slots=True)
class _Teed:
    """One exchange through a tee. `before`: what the client had been sent at the hook in which it is written."""

    options: Options
    length: int | None = None
    wakes: bool = False
    before: bytes = b""
    waits: list[float] = field(default_factory=list)
    rig: HttpLayerRig = field(init=False)

    def __post_init__(self) -> None:
        self.rig = HttpLayerRig(
            options=self.options,
            answered=self._tee,
            written=self._written,
            woken=self.waits.append if self.wakes else None,
        )
        self.rig.ask()

    def _tee(self, flow: HTTPFlow) -> None:
        assert flow.response is not None
        asked = WireRequest(method="GET", url=flow.request.url, http_version="HTTP/1.1", headers=())
        capture = Capture(asked, began=0)
        capture.respond(WireResponse(code=200, reason="OK", http_version="HTTP/1.1", headers=()), at=0)
        watch = TerminalWatch() if self.length is None else None
        flow.response.stream = Tee(capture, zero=0, length=self.length, watch=watch, failed=_raise)

    def _written(self, _flow: HTTPFlow) -> None:
        self.before = self.rig.sent()


def _raise(error: BaseException) -> None:
    raise error
