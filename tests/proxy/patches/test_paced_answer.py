"""Answers from a tape as mitmproxy's HTTP layer sends them: what the client gets, and when, without a socket."""

from __future__ import annotations

import pytest
from mitmproxy.options import Options

from recorder.model import Fields, Response
from recorder.proxy import tape_response
from recorder.proxy.patches import held_end, paced_answer
from recorder.replay.cadence import Delivery
from recorder.session.playback import Answer
from tests.proxy import wiring
from tests.proxy.wiring import Wire

SECOND = 1_000_000_000
PIECES = (b"data: 1\n\n", b"data: 2\n\n", b"data: [DONE]\n\n")


def still() -> int:
    return 0


@pytest.fixture(scope="module")
def options() -> Options:
    held_end.install()
    paced_answer.install()
    return wiring.options()


def answer(
    *pieces: bytes,
    kind: str = "text/event-stream",
    at: tuple[int, ...] = (),
    headers: int = 0,
    cut: bool = False,
    code: int = 200,
    length: int = -1,
    body: bytes | None = None,
    **fields: str,
) -> Answer:
    named = {"Content-Type": (kind,), **{name.replace("_", "-"): (value,) for name, value in fields.items()}}
    due = at or (0,) * len(pieces)
    return Answer(
        id=0,
        method="GET",
        url="http://openrouter.ai/",
        response=Response(
            status=f"{code} As Recorded",
            code=code,
            duration=1,
            body=b"".join(pieces) if body is None else body,
            headers=Fields.of(named),
            content_length=length,
        ),
        delivery=Delivery(headers=headers, pieces=tuple(zip(due, pieces, strict=True)), cut=cut),
    )


def played(options: Options, given: Answer, *, method: str = "GET", version: str = "1.1") -> Wire:
    wire = Wire(
        options=options, asked=lambda flow: tape_response.respond(flow, given, clock=still), woken=lambda _: None
    )
    wire.ask(method, version)
    return wire


def sent(wire: Wire) -> tuple[list[bytes], bytes]:
    """The lines of the head, sorted, and what follows it."""
    data = b"".join(piece for piece in wire.seen if isinstance(piece, bytes))
    head, _, body = data.partition(b"\r\n\r\n")
    return head.split(b"\r\n"), body


def test_an_event_stream_goes_out_event_by_event_in_chunks(options: Options) -> None:
    wire = played(options, answer(*PIECES))
    head, body = sent(wire)
    assert [b"HTTP/1.1 200 As Recorded", b"Content-Type: text/event-stream", b"Transfer-Encoding: chunked"] == head
    assert b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in PIECES) + b"0\r\n\r\n" == body
    assert wire.server is None
    assert 5 == len([piece for piece in wire.seen if isinstance(piece, bytes)])  # the head, three events, the end


def test_anything_else_has_its_length(options: Options) -> None:
    head, body = sent(played(options, answer(b'{"a":1}', kind="application/json", length=99, Content_Length="99")))
    assert [b"HTTP/1.1 200 As Recorded", b"Content-Type: application/json", b"Content-Length: 7"] == head
    assert b'{"a":1}' == body


def test_the_connection_serves_the_next_request(options: Options) -> None:
    wire = played(options, answer(*PIECES))
    before = len(wire.seen)
    wire.ask()
    assert wire.seen[:before] == wire.seen[before:]
    assert "client closed" not in wire.seen


def test_headers_of_the_connection_stay_behind_and_others_come_along(options: Options) -> None:
    given = answer(b"{}", kind="application/json", Connection="close", Keep_Alive="5", Trailer="X", X_Kept="a\r\nb: c")
    head, _ = sent(played(options, given))
    assert [b"Content-Type: application/json", b"X-Kept: a  b: c", b"Content-Length: 2"] == head[1:]


def test_a_body_that_was_not_decoded_keeps_its_coding(options: Options) -> None:
    head, body = sent(played(options, answer(b"\x1f\x8b", kind="application/json", Content_Encoding="gzip")))
    assert b"Content-Encoding: gzip" in head
    assert b"\x1f\x8b" == body


@pytest.mark.parametrize(
    ("method", "code", "length", "lines"),
    [("HEAD", 200, 12, [b"Content-Length: 12"]), ("HEAD", 200, -1, []), ("GET", 204, 0, []), ("GET", 304, 0, [])],
)
def test_what_has_no_body_ends_with_its_head(
    options: Options, method: str, code: int, length: int, lines: list[bytes]
) -> None:
    head, body = sent(played(options, answer(code=code, length=length, kind="a/b"), method=method))
    assert [b"Content-Type: a/b", *lines] == head[1:]
    assert b"" == body


def test_an_empty_body_is_told_as_one(options: Options) -> None:
    head, body = sent(played(options, answer(kind="a/b")))
    assert b"Content-Length: 0" in head
    assert b"" == body


@pytest.mark.parametrize("code", [0, 101, 999])
def test_what_is_no_answer_is_refused(options: Options, code: int) -> None:
    head, body = sent(played(options, answer(code=code)))
    assert head[0].startswith(b"HTTP/1.1 502")
    assert b"recorded with status %d" % code in body


def test_an_old_client_gets_no_chunks(options: Options) -> None:
    head, body = sent(played(options, answer(*PIECES), version="1.0"))
    assert b"Content-Length: %d" % sum(map(len, PIECES)) in head
    assert b"".join(PIECES) == body


class Clock:
    """Stands still but for the waits."""

    def __init__(self) -> None:
        self.waits: list[float] = []

    def __call__(self) -> int:
        return int(sum(self.waits) * SECOND)


def test_each_piece_waits_for_its_moment(options: Options) -> None:
    clock = Clock()
    given = answer(*PIECES, headers=SECOND, at=(SECOND, 3 * SECOND, 200 * SECOND))
    wire = Wire(
        options=options, asked=lambda flow: tape_response.respond(flow, given, clock=clock), woken=clock.waits.append
    )
    wire.ask()
    assert [1, 2, 60, 60, 60, 17] == clock.waits
    assert b"0\r\n\r\n" == wire.seen[-1]


def test_a_client_that_leaves_while_it_waits_ends_it(options: Options) -> None:
    given = answer(*PIECES, at=(0, SECOND, SECOND))
    wire = Wire(options=options, asked=lambda flow: tape_response.respond(flow, given, clock=still))
    wire.woken = lambda _: wire.leave()
    wire.ask()
    assert not any(isinstance(piece, bytes) and PIECES[1] in piece for piece in wire.seen)


def test_a_cut_breaks_off_without_an_end(options: Options) -> None:
    wire = played(options, answer(PIECES[0], cut=True, body=b"".join(PIECES)))
    assert "client closed" == wire.seen[-1]
    _, body = sent(wire)
    assert b"%x\r\n%b\r\n" % (len(PIECES[0]), PIECES[0]) == body


def test_a_cut_body_of_a_told_length_is_short(options: Options) -> None:
    head, body = sent(played(options, answer(cut=True, body=b"{}", kind="application/json")))
    assert b"Content-Length: 2" in head
    assert b"" == body


def test_a_reset_comes_before_the_first_byte(options: Options) -> None:
    given = answer()
    broken = Answer(id=0, method="GET", url="", response=given.response, delivery=None)
    wire = played(options, broken)
    assert ["error", "client closed"] == wire.seen


def test_a_long_stream_lets_others_have_their_turn(options: Options) -> None:
    waits: list[float] = []
    wire = Wire(
        options=options,
        asked=lambda flow: tape_response.respond(flow, answer(*[b"data: x\n\n"] * 200), clock=still),
        woken=waits.append,
    )
    wire.ask()
    assert [0.0] * 3 == waits
    assert b"data: x\n\n" * 200 == b"".join(
        piece.partition(b"\r\n")[2][:-2] for piece in wire.seen[2:-1] if isinstance(piece, bytes)
    )
