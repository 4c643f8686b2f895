"""vcrpy's cassettes: nothing lost there and back, all of their shapes read; vcrpy itself is in tests/interop."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from hypothesis import given, settings

from recorder.cassette import Cassette, dumps, go_http
from recorder.errors import CassetteError
from recorder.formats import vcrpy
from recorder.model import Interaction
from recorder.wire.exchange import Exchange
from tests.cassette.strategies import for_interactions, interactions, plain_interaction

URL = "https://openrouter.ai/api/v1/chat/completions"


def written(*kept: Interaction) -> bytes:
    return "".join(vcrpy.dumps(kept)).encode()


@settings(for_interactions, max_examples=100)
@given(interactions)
def test_nothing_is_lost_on_the_way_there_and_back(interaction: Interaction) -> None:
    assert [interaction, interaction] == list(vcrpy.loads(written(interaction, interaction)))


def test_it_is_laid_out_as_vcrpy_does_it() -> None:
    kept = (plain_interaction(), plain_interaction(b"\xff"))
    value = yaml.safe_load(written(*kept))
    assert {"version": 1, "interactions": value["interactions"]} == value
    assert yaml.dump(value, Dumper=yaml.CDumper).encode() == written(*kept)
    assert b"interactions: []\nversion: 1\n" == written()
    assert [] == list(vcrpy.loads(written()))


def recorded(**changes: Any) -> dict[str, Any]:
    return {
        "request": {"method": "POST", "uri": URL, "body": '{"model":"x"}', "headers": {"content-type": ["a/b"]}},
        "response": {"status": {"code": 200, "message": "OK"}, "headers": {}, "body": {"string": "é"}},
        **changes,
    }


def exchanges(*each: dict[str, Any], as_json: bool = False) -> Iterator[Exchange]:
    value = {"version": 1, "interactions": list(each)}
    text = json.dumps(value) if as_json else yaml.dump(value)
    for found in vcrpy.loads(text.encode(), now=7):
        assert isinstance(found, Exchange)
        yield found


@pytest.mark.parametrize("as_json", [False, True])
def test_what_vcrpy_wrote_is_what_go_vcr_would_have_recorded(as_json: bool) -> None:
    (found,) = exchanges(recorded(), as_json=as_json)
    assert 7 == found.began
    seen = go_http.interaction(found)
    assert ("POST", URL, "openrouter.ai") == (seen.request.method, seen.request.url, seen.request.host)
    assert (b'{"model":"x"}', 13) == (seen.request.body, seen.request.content_length)
    assert ("a/b",) == seen.request.headers["Content-Type"]
    assert ("200 OK", "é".encode(), 2) == (seen.response.status, seen.response.body, seen.response.content_length)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"string": b"\xff\x00"}, b"\xff\x00"),
        ({"string": None}, b""),
        ({"string": 12}, b"12"),
        ({"base64_string": base64.b64encode(b"\xff").decode()}, b"\xff"),
        ("text", b"text"),
        (None, b""),
    ],
)
def test_an_answer_s_body_has_many_shapes(body: Any, expected: bytes) -> None:
    response = {"status": {"code": 200, "message": None}, "headers": None, "body": body}
    (found,) = exchanges(recorded(response=response))
    assert found.response is not None
    assert expected == found.response.body


def test_old_cassettes_of_httpx_are_read() -> None:
    response = {"status_code": 201, "http_version": "HTTP/2", "headers": {"content-type": "a/b"}, "content": "x"}
    (found,) = exchanges(recorded(response=response))
    answer = go_http.interaction(found).response
    assert ("201 Created", "HTTP/2.0", b"x") == (answer.status, answer.proto, answer.body)
    assert ("a/b",) == answer.headers["Content-Type"]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("!!python/object/new:_io.BytesIO\n      state: !!python/tuple [!!binary eA==, 0, null]", b"x"),
        ("!!python/object/apply:builtins.iter\n      args: [[!!binary eA==, y]]", b"xy"),
        ("!!python/unicode 'true'", b"true"),
        ("true", b"true"),
        ("~", b""),
        ("0x1F", b"0x1F"),
        ("&a x", b"x"),
    ],
)
def test_a_request_s_body_may_be_what_python_pickled(body: str, expected: bytes) -> None:
    text = (
        "interactions:\n- request:\n    method: POST\n    uri: https://openrouter.ai/\n    headers: {}\n"
        f"    body: {body}\n  response: {{status: {{code: 200, message: OK}}, headers: {{}}, body: {{string: ''}}}}\n"
    )
    (found,) = vcrpy.loads(text.encode())
    assert expected == found.request.body


def test_a_body_that_was_decoded_beside_its_coding_s_header_is_known() -> None:
    response = recorded()["response"] | {"headers": {"content-encoding": ["br"], "content-length": ["3"]}}
    (found,) = exchanges(recorded(response=response))
    answer = go_http.interaction(found).response
    assert ("é".encode(), True, -1) == (answer.body, answer.uncompressed, answer.content_length)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", "<vcrpy>: expected a cassette of vcrpy's (version: 1, and interactions), found nothing"),
        (b"{", "<vcrpy>:1: expected JSON"),
        (b"- 1\n", "expected a cassette of vcrpy's (version: 1, and interactions), found a list"),
        (b"a: [", "<vcrpy>:"),
        (b"interactions:\n- 1\n", "expected a mapping at interactions[0], found a number"),
        (b"interactions:\n- request: {}\n", "expected a text at interactions[0].request.method, found nothing"),
        (dumps(Cassette(interactions=(plain_interaction(),))), "found one of go-vcr's, which needs no import"),
    ],
)
def test_what_is_no_cassette_is_one_clear_line(data: bytes, expected: str) -> None:
    with pytest.raises(CassetteError) as raised:
        list(vcrpy.loads(data))
    assert expected in str(raised.value)
    assert "\n" not in str(raised.value)
