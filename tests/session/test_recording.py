"""A recording: exchanges in, a cassette out; what is told of each, and of all of them."""

from __future__ import annotations

import errno
import json
import os
import threading
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from recorder import cassette
from recorder.errors import BodyError, LockedError, StoreError, UsageError
from recorder.llm.usage import Usage
from recorder.model import Interaction
from recorder.session.recording import Recorded, Recording, Summary
from recorder.session.settings import Settings
from recorder.wire.exchange import Capture, Exchange, WireFields, WireRequest, WireResponse

NOW = 1_700_000_000_000_000_000
KEY = "sk-or-v1-" + "0123456789abcdef" * 4
URL = "https://openrouter.ai/api/v1/chat/completions"
STREAM: WireFields = ((b"Content-Type", b"text/event-stream"),)
AUTHORIZED: WireFields = ((b"Authorization", f"Bearer {KEY}".encode()),)
MILLISECOND = 1_000_000


def sse(*values: Any, done: bool = True) -> bytes:
    events = [f"data: {json.dumps(value)}\n\n" for value in values]
    return "".join([*events, "data: [DONE]\n\n" if done else ""]).encode()


def chat(text: str = "Hi") -> bytes:
    delta = {"model": "x-ai/grok-code-fast-1", "choices": [{"delta": {"content": text}}]}
    return sse(delta, {"model": "x-ai/grok-code-fast-1", "choices": [], "usage": {"total_tokens": 520, "cost": 0.0002}})


def exchange(
    path: str = "",
    *,
    began: int = NOW,
    body: bytes | None = b"{}",
    headers: WireFields = ((b"Content-Type", b"application/json"),),
    broken: str | None = None,
    sent: WireFields = AUTHORIZED,
) -> Exchange:
    """One that took 50 ms; `body` None: no answer had come."""
    request = WireRequest(method="POST", url=URL + path, http_version="HTTP/1.1", headers=sent)
    capture = Capture(request, began=began)
    if body is not None:
        capture.respond(
            WireResponse(code=200, reason="OK", http_version="HTTP/1.1", headers=headers), at=20 * MILLISECOND
        )
        capture.chunk(body, at=30 * MILLISECOND)
    if broken is None:
        return capture.end(at=50 * MILLISECOND)
    return capture.abort(broken, at=50 * MILLISECOND)


def start(folder: Path, environ: dict[str, str] | None = None, session: str = "chat", **changes: Any) -> Recording:
    settings = Settings(cassette_dir=folder, **changes)
    return Recording.start(settings, session, now=NOW, salt=bytes(16), environ=environ or {})


@pytest.fixture
def recording(tmp_path: Path) -> Iterator[Recording]:
    started = start(tmp_path)
    yield started
    started.close()


def held(recording: Recording, *, incomplete: bool = False) -> list[Interaction]:
    path = recording.summary.path
    path = path.with_suffix(".incomplete.yaml") if incomplete else path
    return list(cassette.loads(path.read_bytes(), str(path)).interactions) if path.exists() else []


# Recording


CHUNK = sse({"object": "chat.completion.chunk", "choices": []}, done=False)
JSON: WireFields = ((b"Content-Type", b"application/json"),)


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        (STREAM, CHUNK),
        (STREAM, b'event: message_start\ndata: {"type":"message_start"}\n\n'),
        (STREAM, b'data: {"candidates":[]}\n\ndata: {"candid'),
        (JSON, b'{"object":"chat.comp'),
    ],
)
def test_a_body_that_ends_with_the_connection_is_incomplete_where_its_content_says_so(
    recording: Recording, headers: WireFields, body: bytes
) -> None:
    assert (
        "the connection was closed before the end of the body"
        == recording.record(exchange(body=body, headers=headers)).incomplete
    )
    assert [] == held(recording)
    for framed in ((b"Transfer-Encoding", b"chunked"), (b"Content-Length", b"%d" % len(body))):
        assert "" == recording.record(exchange(body=body, headers=(*headers, framed))).incomplete


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        (STREAM, CHUNK + b"data: [DONE]\n\n"),
        (STREAM, b'data: {"candidates":[]}\n\n'),
        (STREAM, b""),
        (JSON, b""),
        (JSON, b"[1, 2]\n"),
        (((b"Content-Type", b"text/plain"),), b'{"a'),
    ],
)
def test_a_body_that_ends_with_the_connection_is_complete_otherwise(
    recording: Recording, headers: WireFields, body: bytes
) -> None:
    assert "" == recording.record(exchange(body=body, headers=headers)).incomplete
    assert [body] == [each.response.body for each in held(recording)]


def test_what_was_recorded_is_on_disk_and_told(recording: Recording) -> None:
    recorded = recording.record(exchange(body=chat(), headers=STREAM))
    [interaction] = held(recording)
    assert chat() == interaction.response.body
    assert 20 * MILLISECOND == interaction.response.duration
    expected = Recorded(
        session="chat",
        id=0,
        method="POST",
        url=URL,
        code=200,
        usage=recorded.usage,
        first_byte=20 * MILLISECOND,
        first_token=30 * MILLISECOND,
        total=50 * MILLISECOND,
    )
    assert expected == recorded
    assert ("x-ai/grok-code-fast-1", 520, 0.0002) == (
        recorded.usage.model,
        recorded.usage.total_tokens,
        recorded.usage.cost,
    )


def test_a_key_is_kept_out_wherever_it_comes_back(recording: Recording) -> None:
    recorded = recording.record(exchange(f"?key={KEY}", body=chat(f"You said {KEY}"), headers=STREAM))
    assert KEY.encode() not in recording.summary.path.read_bytes()
    assert KEY not in recorded.line()


def test_a_secret_of_the_environment_is_kept_out(tmp_path: Path) -> None:
    secret = "Zm9vYmFyYmF6cXV4MTIzNDU2Nzg5"
    recording = start(tmp_path, {"INTERNAL_API_KEY": secret})
    recording.record(exchange(body=json.dumps({"echo": secret}).encode()))
    recording.close()
    assert secret.encode() not in recording.summary.path.read_bytes()


def test_ids_count_on_in_what_is_there_already(tmp_path: Path) -> None:
    for expected in (0, 1, 2):
        recording = start(tmp_path)
        assert expected == recording.record(exchange()).id
        recording.stop()
    assert 3 == len(held(recording))


def test_the_layout_asked_for_is_the_one_of_a_new_cassette(tmp_path: Path) -> None:
    recording = start(tmp_path, layout=cassette.CHARM)
    recording.record(exchange())
    recording.close()
    assert recording.summary.path.read_text().startswith("---\nversion: 2\ninteractions:\n- id: 0\n  request:\n")


def test_threads_may_record_at_once(recording: Recording) -> None:
    told: list[Recorded] = []
    threads = [
        threading.Thread(target=lambda number=number: told.append(recording.record(exchange(f"?{number}"))))
        for number in range(24)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    interactions = held(recording)
    assert list(range(24)) == sorted(recorded.id for recorded in told)
    assert {recorded.id: recorded.url for recorded in told} == {
        number: interaction.request.url for number, interaction in enumerate(interactions)
    }
    assert 24 == recording.summary.interactions


# Redirects


def hop(
    url: str, *, location: str = "", referer: str = "", code: int = 302, began: int = NOW, method: str = "GET"
) -> Exchange:
    sent = ((b"Referer", referer.encode()),) if referer else ()
    answered = ((b"Location", location.encode()),) if location else ()
    capture = Capture(WireRequest(method=method, url=url, http_version="HTTP/1.1", headers=sent), began=began)
    head = WireResponse(code=code if location else 200, reason="", http_version="HTTP/1.1", headers=answered)
    capture.respond(head, at=MILLISECOND)
    return capture.end(at=MILLISECOND)


def protos(recording: Recording) -> list[str]:
    return [interaction.request.proto for interaction in held(recording)]


A, B, C = (f"https://openrouter.ai/{name}" for name in "abc")


def test_what_a_go_client_asks_for_by_itself_has_no_proto_as_go_vcr_has_it(recording: Recording) -> None:
    for each in (hop(A, location="/b"), hop(B, location=C, referer=A), hop(C, referer=B)):
        recording.record(each)
    assert ["HTTP/1.1", "", ""] == protos(recording)
    assert ["openrouter.ai", "", ""] == [interaction.request.host for interaction in held(recording)]


def test_a_redirect_is_followed_once(recording: Recording) -> None:
    for each in (hop(A, location="/b"), hop(B, referer=A), hop(B, referer=A)):
        recording.record(each)
    assert ["HTTP/1.1", "", "HTTP/1.1"] == protos(recording)


@pytest.mark.parametrize("sent", [{"url": B}, {"url": C, "referer": A}, {"url": B, "referer": A, "method": "POST"}])
def test_what_only_looks_like_a_follow_up_is_none(recording: Recording, sent: dict[str, str]) -> None:
    """Clients in other languages send no Referer; and a program may go from one page to any other."""
    recording.record(hop(A, location="/b"))
    recording.record(hop(**sent))  # type: ignore[arg-type]  # the words are the parameters'
    assert ["HTTP/1.1", "HTTP/1.1"] == protos(recording)


def test_redirects_that_nobody_follows_are_forgotten(recording: Recording) -> None:
    for number in range(200):
        recording.record(hop(A, location=f"/{number}"))
    recording.record(hop("https://openrouter.ai/0", referer=A))
    recording.record(hop("https://openrouter.ai/199", referer=A))
    assert ["HTTP/1.1", ""] == protos(recording)[-2:]


# What counts as whole


@pytest.mark.parametrize(
    ("body", "headers", "whole"),
    [
        (chat(), STREAM, True),
        (sse({}, done=False), STREAM, False),
        (b"data: [DONE]\n\n", ((b"Content-Type", b"application/json"),), False),
        (b'{"a":1}', ((b"Content-Type", b"application/json"),), False),
        (None, (), False),
    ],
)
def test_what_broke_off_is_whole_only_behind_its_terminal_frame(
    recording: Recording, body: bytes | None, headers: WireFields, whole: bool
) -> None:
    recorded = recording.record(exchange(body=body, headers=headers, broken="the client left"))
    assert ("" if whole else "the client left") == recorded.incomplete
    assert (int(whole), int(not whole)) == (len(held(recording)), len(held(recording, incomplete=True)))


def test_no_answer_at_all_is_incomplete_though_nothing_broke(recording: Recording) -> None:
    recorded = recording.record(exchange(body=None))
    assert ("no response", None, 0) == (recorded.incomplete, recorded.first_byte, recorded.code)


def test_the_terminal_frame_of_a_compressed_stream_counts(recording: Recording) -> None:
    made = zlib.compressobj(wbits=31)
    cut = made.compress(chat()) + made.flush(zlib.Z_SYNC_FLUSH)  # without gzip's own end
    recorded = recording.record(exchange(body=cut, headers=(*STREAM, (b"Content-Encoding", b"gzip")), broken="gone"))
    assert "" == recorded.incomplete
    assert [chat()] == [interaction.response.body for interaction in held(recording)]


# Failing


def test_a_body_that_cannot_be_decoded_is_an_error_and_writes_nothing(recording: Recording) -> None:
    broken: WireFields = ((b"Content-Type", b"text/plain"), (b"Content-Encoding", b"gzip"))
    with pytest.raises(BodyError):
        recording.record(exchange(body=b"no gzip", headers=broken))
    assert [] == held(recording)
    assert 0 == recording.summary.interactions


def test_a_disk_that_fails_is_an_error_and_counts_nothing(recording: Recording) -> None:
    recording.record(exchange())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("recorder.storage.disk.os.fsync", failing)
        with pytest.raises(StoreError, match="input/output error"):
            recording.record(exchange())
    assert 1 == recording.summary.interactions
    with pytest.raises(StoreError):  # the first failure is the last
        recording.record(exchange())


def failing(_descriptor: int) -> None:
    raise OSError(errno.EIO, os.strerror(errno.EIO))


def test_a_session_is_recorded_by_one_at_a_time(tmp_path: Path, recording: Recording) -> None:
    with pytest.raises(LockedError):
        start(tmp_path)
    recording.stop()
    start(tmp_path).stop()


def test_a_name_that_leads_elsewhere_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        start(tmp_path / "cassettes", session="../chat")
    assert [] == list(tmp_path.iterdir())


# The end


def test_stopping_puts_the_requests_in_the_order_in_which_they_began(recording: Recording) -> None:
    for second in (3, 1, 2):
        recording.record(exchange(f"?{second}", began=NOW + second))
    summary = recording.stop()
    assert [f"{URL}?{second}" for second in (1, 2, 3)] == [one.request.url for one in held(recording)]
    assert 3 == summary.interactions


def test_closing_leaves_the_order_and_lets_go(tmp_path: Path, recording: Recording) -> None:
    for second in (2, 1):
        recording.record(exchange(f"?{second}", began=NOW + second))
    recording.close()
    recording.close()
    assert [f"{URL}?2", f"{URL}?1"] == [one.request.url for one in held(recording)]
    start(tmp_path).close()


def test_a_torn_tail_that_was_cut_off_is_noted(tmp_path: Path) -> None:
    recording = start(tmp_path)
    for _ in range(2):
        recording.record(exchange())
    recording.close()
    path = recording.summary.path
    path.write_bytes(path.read_bytes()[:-10])
    recording = start(tmp_path)
    [note] = recording.summary.notes
    assert note.startswith(f"{path}: an earlier recorder died while it wrote; 1 whole")
    recording.close()


# What is told


def recorded(**changes: Any) -> Recorded:
    return Recorded(
        **{
            "session": "chat",
            "id": 7,
            "method": "POST",
            "url": URL,
            "code": 200,
            "usage": Usage(model="x-ai/grok-code-fast-1", total_tokens=520, cost=0.0002),
            "first_byte": 20 * MILLISECOND,
            "first_token": None,
            "total": 1_200 * MILLISECOND,
            **changes,
        }
    )


def test_a_line_tells_what_was_asked_what_came_and_how_long_it_took() -> None:
    expected = f"#7  POST  {URL}  200  x-ai/grok-code-fast-1  520 tokens  $0.0002  first byte 20 ms  total 1.2 s"
    assert expected == recorded().line()


def test_a_line_of_what_is_incomplete_says_why() -> None:
    told = recorded(code=0, usage=Usage(), first_byte=None, incomplete="the client left")
    assert f"incomplete  POST  {URL}  -  total 1.2 s  (the client left)" == told.line()


@pytest.mark.parametrize("hostile", ["\x1b[2J", "a\nb", "a\rb", "\x9b2J", "\u202e", "\ud800"])
def test_a_line_is_one_line_whatever_the_upstream_calls_its_model(recording: Recording, hostile: str) -> None:
    """It goes to a terminal, which obeys what an upstream sends."""
    told = recording.record(exchange(body=json.dumps({"model": hostile, "choices": []}).encode()))
    assert hostile == told.usage.model
    assert told.line().isprintable()


def test_the_summary_adds_up_what_was_told() -> None:
    summary = Summary(session="chat", path=Path("chat.yaml"))
    for usage in (Usage(), Usage(total_tokens=500), Usage(total_tokens=520, cost=0.5), Usage(cost=0.25)):
        summary.count(recorded(usage=usage))
    summary.count(recorded(usage=Usage(total_tokens=9, cost=9.0), incomplete="the client left"))
    assert (4, 1, 1020, 0.75) == (summary.interactions, summary.incomplete, summary.tokens, summary.cost)
    summary.notes.append("a note")
    assert "4 interactions, 1 incomplete, 1,020 tokens, $0.75, a note" == summary.line()


def test_a_summary_of_nothing_is_short() -> None:
    assert "0 interactions" == Summary(session="chat", path=Path("chat.yaml")).line()


def test_a_credential_too_common_to_be_searched_for_is_told_once(
    recording: Recording, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(3):
        recording.record(exchange(sent=((b"Authorization", b"Bearer x"),)))
    assert 1 == len([message for message in caplog.messages if "too short or too common" in message])


def test_a_reason_that_quotes_a_key_is_told_without_it(recording: Recording) -> None:
    recorded = recording.record(exchange(broken=f"expected a header, found b'{KEY}'"))
    assert KEY not in recorded.line()
    assert "expected a header, found b'[REDACTED:openrouter-key:" in recorded.line()
    path = recording.summary.path.with_suffix(".incomplete.yaml")
    assert KEY not in path.read_text()


def test_an_error_does_not_quote_an_encoding_that_may_be_a_key(recording: Recording) -> None:
    with pytest.raises(BodyError, match="found an encoding of 73 characters"):
        recording.record(exchange(headers=((b"Content-Encoding", KEY.encode()),)))
