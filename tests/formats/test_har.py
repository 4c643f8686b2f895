"""HAR: valid, nothing lost on the way there and back, and what browsers write becomes what the recorder would have."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings

from recorder import cassette
from recorder.cassette import go_http
from recorder.errors import CassetteError
from recorder.formats import Session, har
from recorder.model import INT64_MAX, INT64_MIN, Interaction
from recorder.replay.timing import Timing
from recorder.wire.exchange import Exchange
from tests.cassette.strategies import for_interactions, interactions, plain_interaction
from tests.formats.har_schema import HAR

URL = "https://openrouter.ai/api/v1/chat/completions?a=1&b=%20x"
BINARY = bytes(range(256))


def written(*kept: Interaction, name: str = "weather") -> bytes:
    return "".join(har.dumps([Session(name=name, interactions=kept)])).encode()


def valid(data: bytes) -> dict[str, Any]:
    """The log, if the specification has it so."""
    value = json.loads(data)
    jsonschema.Draft202012Validator(HAR).validate(value)
    log: dict[str, Any] = value["log"]
    return log


@settings(for_interactions, max_examples=100)
@given(interactions)
def test_nothing_is_lost_on_the_way_there_and_back(interaction: Interaction) -> None:
    assert [interaction, interaction] == list(har.loads(written(interaction, interaction)))


def test_every_real_cassette_is_a_valid_har(shared: Path) -> None:
    names = sorted((shared / "cassettes").rglob("*.yaml"))
    read = {str(name): cassette.loads(name.read_bytes()).interactions for name in names}
    data = "".join(har.dumps(Session(name=name, interactions=kept) for name, kept in read.items())).encode()
    log = valid(data)
    assert list(read) == [page["id"] for page in log["pages"]]
    assert [each for kept in read.values() for each in kept] == list(har.loads(data))


def test_odd_numbers_and_bodies_are_valid_as_well() -> None:
    one = plain_interaction(BINARY)
    lengths = (INT64_MIN, -2, -1, 0, INT64_MAX)
    kept = [
        replace(one, response=replace(one.response, duration=number, content_length=number)) for number in lengths * 9
    ]
    kept.append(replace(one, request=replace(one.request, body=BINARY)))
    kept.append(replace(one, request=replace(one.request, url="https://[broken?x")))
    valid(written(*kept))
    assert kept == list(har.loads(written(*kept)))


def test_it_says_what_a_browser_shows() -> None:
    one = plain_interaction(b"data: \xc3\xa9\n\n")
    one = replace(one, request=replace(one.request, url=URL))
    log = valid(written(one, plain_interaction(BINARY)))
    first, second = log["entries"]
    assert {"mimeType": "application/json", "text": '{"model":"x"}'} == first["request"]["postData"]
    assert [{"name": "a", "value": "1"}, {"name": "b", "value": " x"}] == first["request"]["queryString"]
    assert {"size": 10, "mimeType": "text/event-stream", "text": "data: é\n\n"} == first["response"]["content"]
    assert (200, "OK", "HTTP/2.0") == tuple(first["response"][name] for name in ("status", "statusText", "httpVersion"))
    assert {"send": 0, "wait": 1476.046083, "receive": 0} == first["timings"]
    assert first["timings"]["wait"] == first["time"]
    assert base64.b64encode(BINARY).decode() == second["response"]["content"]["text"]
    assert "base64" == second["response"]["content"]["encoding"]
    # Nobody knows when: one behind the other.
    assert "1970-01-01T00:00:00.000Z" == first["startedDateTime"]
    assert "1970-01-01T00:00:01.476Z" == second["startedDateTime"]
    assert ["weather"] == [page["title"] for page in log["pages"]]
    assert "weather" == second["pageref"]


def test_a_body_takes_its_time_where_that_was_kept() -> None:
    one = plain_interaction()
    timing = Timing(headers=1_476_046_083, chunks=((1_480_000_000, 3), (2_476_046_083, 2)))
    session = Session(name="weather", interactions=[one, one], timings=[timing, None])
    first, second = valid("".join(har.dumps([session])).encode())["entries"]
    assert {"send": 0, "wait": 1476.046083, "receive": 1000} == first["timings"]
    assert 2476.046083 == first["time"]
    assert "1970-01-01T00:00:02.476Z" == second["startedDateTime"]
    assert 0 == second["timings"]["receive"]


def test_a_log_without_entries_is_valid() -> None:
    assert [] == valid(written())["entries"]
    assert [] == list(har.loads(written()))


# --- what others wrote


def entry(url: str = URL, **changes: Any) -> dict[str, Any]:
    """As Chrome writes it: HTTP/2, names in lower case, a decoded body beside the header of its coding."""
    value: dict[str, Any] = {
        "startedDateTime": "2025-09-24T10:00:00.500Z",
        "time": 1500.5,
        "request": {
            "method": "POST",
            "url": url,
            "httpVersion": "h2",
            "headers": [
                {"name": ":authority", "value": "openrouter.ai"},
                {"name": "authorization", "value": "Bearer sk-or-v1-" + "0" * 64},
                {"name": "content-length", "value": "13"},
                {"name": "content-type", "value": "application/json"},
            ],
            "postData": {"mimeType": "application/json", "text": '{"model":"x"}'},
            "bodySize": 13,
        },
        "response": {
            "status": 200,
            "statusText": "",
            "httpVersion": "h2",
            "headers": [
                {"name": "content-type", "value": "application/json"},
                {"name": "content-encoding", "value": "br"},
            ],
            "content": {"size": 9, "mimeType": "application/json", "text": '{"é":1}'},
            "bodySize": -1,
        },
        "timings": {"blocked": -1, "send": 0.1, "wait": 1234.5, "receive": 3},
    }
    for path, change in changes.items():
        *way, last = path.split("__")
        place = value
        for name in way:
            place = place[name]
        place[last] = change
    return value


def exchanges(*entries: dict[str, Any]) -> list[Exchange]:
    found = list(har.loads(json.dumps({"log": {"entries": entries}}).encode(), now=7))
    assert all(isinstance(each, Exchange) for each in found)
    return [each for each in found if isinstance(each, Exchange)]


def test_what_a_browser_wrote_is_what_go_vcr_would_have_recorded() -> None:
    (found,) = exchanges(entry())
    assert 1_758_708_000_500_000_000 == found.began
    assert (1_234_500_000, 1_500_500_000) == (found.duration, found.ended)
    seen = go_http.interaction(found)
    assert ("POST", URL, "openrouter.ai") == (seen.request.method, seen.request.url, seen.request.host)
    assert (b'{"model":"x"}', 13) == (seen.request.body, seen.request.content_length)
    assert {"a": ("1",), "b": (" x",)} == dict(seen.request.form)
    assert ["Authorization", "Content-Type"] == list(seen.request.headers)
    answer = seen.response
    assert ("200 OK", "HTTP/2.0", 1_234_500_000) == (answer.status, answer.proto, answer.duration)
    assert ('{"é":1}'.encode(), True, -1) == (answer.body, answer.uncompressed, answer.content_length)
    assert ["Content-Type"] == list(answer.headers)


def test_a_body_that_was_not_kept_is_an_incomplete_exchange() -> None:
    (found,) = exchanges(entry(response__content={"size": 100, "mimeType": "text/event-stream"}))
    assert "the file does not hold the body of the answer" == found.broken


def test_an_answer_without_a_body_is_whole() -> None:
    (found,) = exchanges(entry(response__content={"size": 0, "mimeType": "x-unknown"}, response__status=204))
    assert found.broken is None
    assert b"" == go_http.interaction(found).response.body


def test_a_request_that_was_not_answered_has_no_response() -> None:
    (found,) = exchanges(entry(response__status=0))
    assert found.response is None


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ({"mimeType": "a/b", "text": "eA==", "encoding": "base64"}, b"x"),
        ({"mimeType": "a/b", "text": "eA==", "_encoding": "base64"}, b"x"),
        ({"mimeType": "a/b", "params": [{"name": "a b", "value": "&"}, {"name": "c"}]}, b"a+b=%26&c="),
        ({"mimeType": "a/b", "text": "", "params": []}, b""),
        ({"mimeType": "a/b"}, b""),
        (None, b""),
    ],
)
def test_what_was_posted_is_taken_as_it_is_given(data: Any, expected: bytes) -> None:
    (found,) = exchanges(entry(request__postData=data))
    assert expected == found.request.body


def test_what_is_no_http_is_left_out() -> None:
    socket = entry(response__status=101)
    assert [] == exchanges(entry("data:text/plain,x"), entry("blob:https://openrouter.ai/1"), entry("wss://x/"), socket)


@pytest.mark.parametrize("date", ["", "yesterday", None, 12, "0001-01-01T00:00:00+14:00"])
def test_an_entry_without_a_time_has_the_import_s(date: Any) -> None:
    assert [7] == [found.began for found in exchanges(entry(startedDateTime=date))]


@pytest.mark.parametrize(
    ("version", "expected"),
    [("h2", "HTTP/2.0"), ("http/2.0", "HTTP/2.0"), ("HTTP/2", "HTTP/2.0"), ("h3", "HTTP/3.0"), ("http/1.0", "HTTP/1.0"),
     ("HTTP/1.1", "HTTP/1.1"), ("", "HTTP/1.1"), ("unknown", "HTTP/1.1")],
)  # fmt: skip
def test_versions_have_many_spellings(version: str, expected: str) -> None:
    (found,) = exchanges(entry(response__httpVersion=version))
    assert expected == go_http.interaction(found).response.proto


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", "<har>:1: expected JSON, found Expecting value"),
        (b"[]", "<har>: expected a mapping, found a list"),
        (b"\xff", "<har>: expected UTF-8, found other bytes"),
        (b"[" * 100_000, "<har>: expected JSON, found "),
        (b'{"log":1}', "<har>: expected a HAR at log, found a number"),
        (b'{"log":{}}', "<har>: expected a list at log.entries, found nothing"),
        (b'{"log":{"entries":[{"request":{}}]}}', "a text at log.entries[0].request.url, found nothing"),
    ],
)
def test_what_is_no_har_is_one_clear_line(data: bytes, expected: str) -> None:
    with pytest.raises(CassetteError) as raised:
        list(har.loads(data))
    assert expected in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"response__status": 2**70}, "a whole number of 64 bits at log.entries[0].response.status"),
        ({"response__status": "200"}, "a whole number at log.entries[0].response.status"),
        ({"response__headers": [{"name": 1}]}, "a text at log.entries[0].response.headers[0].name"),
        (
            {"response__content": {"size": 1, "text": "é", "encoding": "base64"}},
            "base64 at log.entries[0].response.con",
        ),
        ({"_recorder": {}}, "at log.entries[0]."),
        ({"_recorder": {"request": {"form": [["a"]]}, "response": {}}}, "a name and its values at log.entries[0]._rec"),
        (
            {"_recorder": {"request": {"proto_major": 2**70}, "response": {}}},
            "64 bits at log.entries[0]._recorder.request.proto_major",
        ),
    ],
)
def test_what_is_wrong_in_an_entry_is_named(change: dict[str, Any], expected: str) -> None:
    with pytest.raises(CassetteError, match=r".") as raised:
        exchanges(entry(response__statusText="OK", **change))
    assert expected in str(raised.value)
