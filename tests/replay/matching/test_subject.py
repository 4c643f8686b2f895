"""The form in which requests are compared: what is the same request, and what is not."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recorder.model import Fields, Request
from recorder.replay.matching import DEFAULT, Criteria, Subject, parse_criteria

URL = "https://openrouter.ai/api/v1/chat/completions"
JSON = "application/json"

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4)
)


def request(body: bytes = b"", *, url: str = URL, method: str = "POST", kind: str = JSON, **headers: str) -> Request:
    fields = Fields([("Content-Type", kind), *((name.replace("_", "-"), value) for name, value in headers.items())])
    return Request(method=method, url=url, body=body, headers=fields)


def key(asked: Request, criteria: Criteria = DEFAULT) -> bytes:
    return Subject.of(asked, criteria).key


def shuffled(value: Any, random: Any) -> Any:
    """The same JSON value with the keys in another order."""
    if isinstance(value, dict):
        items = [(name, shuffled(inner, random)) for name, inner in value.items()]
        random.shuffle(items)
        return dict(items)
    return [shuffled(inner, random) for inner in value] if isinstance(value, list) else value


@given(value=VALUES, ascii_only=st.booleans(), indent=st.none() | st.integers(0, 3), random=st.randoms())
def test_order_spacing_and_escapes_of_json_do_not_matter(
    value: Any, ascii_only: bool, indent: int | None, random: Any
) -> None:
    spelled = json.dumps(shuffled(value, random), ensure_ascii=ascii_only, indent=indent)
    assert key(request(json.dumps(value).encode())) == key(request(spelled.encode("utf-8", "surrogatepass")))


def normal(value: Any) -> str:
    """JSON's own notion of equality, written down another way: numbers as numbers, never a boolean as one."""
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return f"{type(value).__name__}:{value!r}"
    if isinstance(value, int | float):
        return f"number:{int(value) if math.isfinite(value) and value == int(value) else value!r}"
    if isinstance(value, list):
        return "[" + ",".join(map(normal, value)) + "]"
    return "{" + ",".join(sorted(f"{name!r}:{normal(inner)}" for name, inner in value.items())) + "}"


@given(one=VALUES, other=VALUES)
def test_json_bodies_match_if_and_only_if_they_are_the_same_value(one: Any, other: Any) -> None:
    same = normal(one) == normal(other)
    assert same == (key(request(json.dumps(one).encode())) == key(request(json.dumps(other).encode())))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (b'{"n":1}', b'{"n":true}'),
        (b'{"n":"1"}', b'{"n":1}'),
        (b'{"n":null}', b"{}"),
        (b"[1,2]", b"[2,1]"),
        (b'{"n":1e999}', b'{"n":2e999}'),
        (b'{"n":NaN}', b'{"n": NaN}'),  # no JSON, so bytes
        (b"{} {}", b"{}  {}"),
        (b"[" * 100_000, b" " + b"[" * 100_000),
    ],
)
def test_these_are_different(one: bytes, other: bytes) -> None:
    assert key(request(one)) != key(request(other))


@pytest.mark.parametrize(
    ("one", "other"),
    [(b'{"n":1}', b'{"n":1.0}'), (b'{"n":-0.0}', b'{"n":0}'), (b'{"n":1e2}', b'{"n":100}'), (b'"\\u0041"', b'"A"')],
)
def test_these_are_the_same(one: bytes, other: bytes) -> None:
    assert key(request(one)) == key(request(other))


def test_an_object_is_json_whatever_its_type_says_and_a_text_is_not() -> None:
    assert key(request(b'{"a": 1}', kind="text/plain")) == key(request(b'{"a":1}', kind="text/plain"))
    assert key(request(b" 1", kind="text/plain")) != key(request(b"1", kind="text/plain"))


def multipart(boundary: str, content: bytes, *, quoted: bool = False) -> Request:
    marker = b"--" + boundary.encode()
    body = (
        marker
        + b'\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\nContent-Type: text/plain\r\n\r\n'
        + content
        + b"\r\n"
        + marker
        + b'\r\nContent-Disposition: form-data; name="model"\r\n\r\nwhisper\r\n'
        + marker
        + b"--\r\n"
    )
    value = f'"{boundary}"' if quoted else boundary
    return request(body, kind=f"multipart/form-data; boundary={value}")


@given(content=st.binary(max_size=200), one=st.from_regex(r"[a-z]{8,20}", fullmatch=True))
def test_the_boundary_of_multipart_does_not_matter(content: bytes, one: str) -> None:
    other = "----WebKitFormBoundary7MA4YWxkTrZu0gW"
    if one.encode() in content:
        return
    assert key(multipart(one, content)) == key(multipart(other, content, quoted=True))
    assert key(multipart(one, content)) != key(multipart(one, content + b"!"))


def test_a_multipart_body_that_is_cut_is_compared_as_bytes() -> None:
    whole = multipart("abc", b"content")
    cut = Request(method="POST", url=URL, body=whole.body[:-20], headers=whole.headers)
    shorter = Request(method="POST", url=URL, body=whole.body[:-24], headers=whole.headers)
    assert key(cut) != key(shorter)


def test_the_body_of_a_form_is_compared_as_bytes() -> None:
    kind = "application/x-www-form-urlencoded"
    assert key(request(b"a=1&b=2", kind=kind)) != key(request(b"b=2&a=1", kind=kind))


def test_the_raw_body_is_compared_as_it_is() -> None:
    raw = parse_criteria(["method,url,raw-body"])
    assert key(request(b'{"a":1}'), raw) != key(request(b'{"a": 1}'), raw)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("https://openrouter.ai/a", "https://OpenRouter.ai:443/a", True),
        ("http://openrouter.ai:80/a", "http://openrouter.ai/a", True),
        ("https://openrouter.ai:80/a", "https://openrouter.ai/a", False),
        ("https://openrouter.ai", "https://openrouter.ai/", True),
        ("https://openrouter.ai/a#x", "https://openrouter.ai/a", True),
        ("https://openrouter.ai/a?x=1&y=2", "https://openrouter.ai/a?y=2&x=1", False),
        ("https://openrouter.ai/a", "https://openrouter.ai/A", False),
        ("https://openrouter.ai/a", "http://openrouter.ai/a", False),
        ("not a url", "not  a url", False),
    ],
)
def test_urls(one: str, other: str, same: bool) -> None:
    assert same == (key(request(url=one)) == key(request(url=other)))


def test_the_query_alone_is_compared_without_the_order_of_its_names() -> None:
    query = parse_criteria(["path,query"])
    base = "https://openrouter.ai/a"
    assert key(request(url=f"{base}?x=1&y=2&x=0"), query) == key(request(url=f"{base}?y=2&x=1&x=0"), query)
    assert key(request(url=f"{base}?x=1&x=0"), query) != key(request(url=f"{base}?x=0&x=1"), query)
    assert key(request(url=f"{base}?x=1"), query) == key(request(url="http://elsewhere/a?x=1"), query)


def test_named_headers_count_and_others_do_not() -> None:
    titled = parse_criteria(["header:x-title"])
    assert key(request(X_Title="a", X_Other="1"), titled) == key(request(X_Title="a", X_Other="2"), titled)
    assert key(request(X_Title="a"), titled) != key(request(X_Title="b"), titled)
    assert key(request(X_Title="a")) == key(request(X_Title="b"))


def test_ignored_fields_do_not_count_wherever_they_are_missing() -> None:
    ignoring = parse_criteria([], ["$.metadata.request_id", "$.messages[*].id"])
    one = b'{"metadata":{"request_id":"a","x":1},"messages":[{"id":1,"content":"hi"}]}'
    other = b'{"metadata":{"x":1},"messages":[{"id":2,"content":"hi"}]}'
    third = b'{"metadata":{"x":2},"messages":[{"id":2,"content":"hi"}]}'
    assert key(request(one), ignoring) == key(request(other), ignoring)
    assert key(request(one), ignoring) != key(request(third), ignoring)


def test_secrets_of_another_kind_or_digest_are_the_same() -> None:
    one = request(b'{"key":"[REDACTED:openrouter-key:1a2b]"}', url=f"{URL}?key=%5BREDACTED%3Aapi-key%3A0000%5D")
    other = request(b'{"key":"[REDACTED:credential:ffff0000]"}', url=f"{URL}?key=%5BREDACTED%3Atoken%3A1111%5D")
    assert key(one) == key(other)
