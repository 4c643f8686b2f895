"""Recorded requests sent again: what goes out, and what counts as a change."""

from __future__ import annotations

import json
from typing import Any

import pytest

from recorder.errors import UsageError
from recorder.model import Fields, Interaction, Request, Response
from recorder.session.refreshed import changes, is_a_recording, resent
from recorder.session.settings import Host

URL = "https://openrouter.ai/api/v1/chat/completions?x=1"
ENVIRON = {"OPENROUTER_API_KEY": "sk-1", "ANTHROPIC_API_KEY": "sk-2", "MINE": "sk-3"}


def request(url: str = URL, body: bytes = b"{}", host: str = "openrouter.ai") -> Request:
    return Request(method="POST", url=url, body=body, host=host, headers=Fields([("Content-Type", "application/json")]))


def answered(body: Any = None, *, status: str = "200 OK", kind: str = "application/json") -> Interaction:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    response = Response(
        status=status, code=int(status[:3]), duration=1, body=raw, headers=Fields([("Content-Type", kind)])
    )
    asked = json.dumps({"messages": [{"role": "user", "content": "hi"}]}).encode()
    return Interaction(request=request(body=asked), response=response)


def said(text: str, *, finish: str = "stop", calls: tuple[tuple[str, dict[str, Any]], ...] = (), **more: Any) -> Any:
    told = [{"id": "1", "type": "function", "function": {"name": n, "arguments": json.dumps(a)}} for n, a in calls]
    message = {"role": "assistant", "content": text} | ({"tool_calls": told} if told else {})
    return {"choices": [{"message": message, "finish_reason": finish}], **more}


def test_a_request_goes_out_as_recorded_with_the_users_key() -> None:
    sent = resent(request(), ENVIRON)
    assert (Host(name="openrouter.ai", port=443, scheme="https"), "POST") == (sent.host, sent.method)
    assert ("/api/v1/chat/completions?x=1", b"{}") == (sent.target, sent.body)
    assert {
        "Content-Type": "application/json",
        "Accept-Encoding": "gzip",
        "Authorization": "Bearer sk-1",
    } == sent.headers
    assert "sk-1" not in repr(sent)


def test_each_provider_has_its_key_in_its_place() -> None:
    sent = resent(request("https://api.anthropic.com/v1/messages"), ENVIRON)
    assert ("sk-2", "2023-06-01") == (sent.headers["X-Api-Key"], sent.headers["Anthropic-Version"])
    assert "Authorization" not in sent.headers
    other = resent(request("http://localhost:8000"), ENVIRON, variable="MINE")
    assert (Host(name="localhost", port=8000, scheme="http"), "/") == (other.host, other.target)
    assert "Bearer sk-3" == other.headers["Authorization"]


def test_a_client_that_left_the_host_empty_is_told_by_its_header() -> None:
    assert "X-Stainless-Lang" in resent(request(host=""), ENVIRON).headers


@pytest.mark.parametrize(
    ("asked", "environ", "why"),
    [
        (request(), {}, "expected the key for openrouter.ai in OPENROUTER_API_KEY"),
        (request("https://example.com/"), ENVIRON, "--key-variable"),
        (request(body=b'"[REDACTED:token:1a2b]"'), ENVIRON, "cannot be put back"),
        (request(f"{URL}&key=%5BREDACTED%3Atoken%3A1a2b%5D"), ENVIRON, "cannot be put back"),
        (request("ftp://openrouter.ai/"), ENVIRON, "expected an http or https URL"),
    ],
)
def test_what_cannot_be_sent_says_why(asked: Request, environ: dict[str, str], why: str) -> None:
    with pytest.raises(UsageError, match=why):
        resent(asked, environ)


def test_other_words_are_no_change() -> None:
    calls = (("weather", {"city": "Rome"}),)
    assert [] == changes(answered(said("It rains.")), answered(said("Rain, today.")))
    assert [] == changes(
        answered(said("", calls=calls)), answered(said("", calls=(("weather", {"city": "Florence"}),)))
    )


def test_what_counts_is_told() -> None:
    old = answered(said("hi", calls=(("weather", {"city": "Rome"}),), system_fingerprint="f"))
    new = answered(said("hi", finish="length", usage={"cost": 1}))
    assert [
        "finish reason: stop → length",
        "tool calls: weather(city) → none",
        "new fields: usage, usage.cost",
    ] == changes(old, new)[:3]
    (gone,) = changes(old, new)[3:]
    assert gone.startswith("fields that are gone: choices.message.tool_calls")
    assert ["status: 200 OK → 404 Not Found"] == changes(answered({}), answered({}, status="404 Not Found"))
    assert ["type: application/json → text/plain"] == changes(answered(b"x"), answered(b"x", kind="text/plain"))


def test_the_events_of_a_stream_are_one_shape() -> None:
    stream = "text/event-stream"
    one = answered(b'data: {"a":1}\n\ndata: {"b":{"c":2}}\n\ndata: [DONE]\n\n', kind=stream)
    other = answered(b': hi\n\ndata: {"b":{"c":3},"a":0}\n\ndata: [DONE]\n\n', kind=stream)
    assert [] == changes(one, other)


@pytest.mark.parametrize(
    ("old", "new", "may"), [(200, 200, True), (200, 404, True), (200, 401, False), (200, 503, False), (429, 429, True)]
)
def test_a_refused_key_or_a_bad_day_takes_no_place_unasked(old: int, new: int, may: bool) -> None:
    responses = [answered({}, status=f"{code} X").response for code in (old, new)]
    assert may == is_a_recording(responses[0], responses[1])
