from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from recorder.simulator.api import Incoming, answer
from recorder.simulator.behaviour import loads
from recorder.simulator.models import dollars
from recorder.simulator.script import Answer
from recorder.simulator.seeded import seeded

Post = Callable[..., Answer]

CHAT = "/api/v1/chat/completions"
BODY = {"model": "x-ai/grok-code-fast-1", "messages": [{"role": "user", "content": "Hi"}]}


def get(path: str, sim: str = "", method: str = "GET") -> Answer:
    path, _, query = path.partition("?")
    request = Incoming(method=method, path=path, query=query, headers={}, body=b"")
    return answer(request, loads(sim), seeded("7", b"", nth=0))


def value(made: Answer) -> Any:
    return json.loads(b"".join(made.events))


@pytest.mark.parametrize(
    ("authorization", "status"),
    [
        ("", 401),
        ("Bearer", 401),
        ("Bearer ", 401),
        ("Basic sk-or-v1-abc", 401),
        ("Bearer sk-proj-abc", 401),
        ("Bearer sk-or-v1-", 401),
        ("Bearer sk-or-v1-abc", 200),
        ("bearer sk-or-v1-abc", 200),
    ],
)
def test_a_key_is_good_if_it_looks_like_openrouter_s(post: Post, authorization: str, status: int) -> None:
    made = post(CHAT, BODY, authorization=authorization)
    assert status == made.status
    if status == 401:
        assert {"message", "code"} == set(value(made)["error"])


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 400),
        (b"\xff", 400),
        (b"[]", 400),
        ({"model": "x-ai/grok-code-fast-1"}, 400),
        ({**BODY, "messages": []}, 400),
        ({**BODY, "messages": ["Hi"]}, 400),
        ({**BODY, "model": "no/such"}, 404),
    ],
)
def test_a_bad_request_is_refused_in_openrouter_s_shape(post: Post, body: Any, status: int) -> None:
    made = post(CHAT, body)
    assert (status, status) == (made.status, value(made)["error"]["code"])


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 408, 429, 500, 502, 503])
def test_any_error_can_be_asked_for(post: Post, status: int) -> None:
    made = post(CHAT, BODY, f"error={status}, retry-after=9")
    error = value(made)["error"]
    assert (status, status) == (made.status, error["code"])
    assert (status in {429, 502}) == ("metadata" in error)
    assert ((b"retry-after", b"9") in made.headers) == (status in {429, 503})


@pytest.mark.parametrize(
    ("path", "keys"),
    [
        ("/v1/chat/completions", {"error"}),
        ("/v1/responses", {"error"}),
        ("/v1/messages", {"type", "error"}),
        ("/v1beta/models/m:generateContent", {"error"}),
    ],
)
def test_each_api_has_its_own_errors_and_wants_a_key(post: Post, path: str, keys: set[str]) -> None:
    made = post(path, BODY, authorization="")
    assert (401, keys) == (made.status, set(value(made)))


@pytest.mark.parametrize(
    ("path", "headers"),
    [("/v1/messages", {"x-api-key": "sk-ant-1"}), ("/v1beta/models/m:generateContent", {"x-goog-api-key": "AIza"})],
)
def test_a_key_may_come_in_the_api_s_own_header(post: Post, path: str, headers: dict[str, str]) -> None:
    assert 400 == post(path, b"{}", authorization="", **headers).status


def test_the_models_are_listed_without_a_key() -> None:
    made = get("/api/v1/models")
    assert 200 == made.status
    assert "x-ai/grok-code-fast-1" in [model["id"] for model in value(made)["data"]]


def test_what_is_not_there_is_404_and_a_wrong_method_405() -> None:
    assert (404, 405) == (get("/api/v1/nothing").status, get(CHAT).status)


def test_an_echo_gives_the_request_back(post: Post) -> None:
    made = value(post("/sim/echo?a=1", b"\xffbody", x_thing="one"))
    assert ("POST", "/sim/echo", "a=1", "�body") == (made["method"], made["path"], made["query"], made["body"])
    assert "one" == made["headers"]["x-thing"]


@pytest.mark.parametrize("size", [0, 1, 65_535, 65_536, 65_537, 3_000_000])
@pytest.mark.parametrize("kind", ["", ", binary"])
def test_bytes_are_as_many_as_asked_for(size: int, kind: str) -> None:
    made = get("/sim/bytes", f"body-bytes={size}{kind}")
    assert size == sum(map(len, made.events))


def test_binary_bytes_are_no_text() -> None:
    with pytest.raises(UnicodeDecodeError):
        b"".join(get("/sim/bytes", "body-bytes=1000, binary").events).decode()


def test_a_body_is_padded_to_the_size_that_was_asked_for(post: Post) -> None:
    made = post(CHAT, BODY, "body-bytes=5000, comments=3")
    assert 5000 == sum(map(len, made.events))
    assert "choices" in value(made)


def test_statuses_and_redirects_have_no_body() -> None:
    assert Answer(status=204, headers=()) == get("/sim/status/204")
    assert 503 == get("/sim/status/503").status
    made = get("/sim/redirect?to=/sim/status/204&status=302")
    assert (302, ((b"location", b"/sim/status/204"),)) == (made.status, made.headers)
    assert 400 == get("/sim/redirect?status=200").status


@pytest.mark.parametrize(
    ("price", "text"),
    [(0, "0"), (1, "0.0000000001"), (15_000, "0.0000015"), (10**10, "1"), (2 * 10**10 + 10**9, "2.1")],
)
def test_money_is_printed_in_full(price: int, text: str) -> None:
    assert text == dollars(price)
