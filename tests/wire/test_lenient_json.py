from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recorder.wire import lenient_json

JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.dictionaries(st.text(), JSON) | st.lists(JSON), st.sampled_from([None, 2]), st.booleans())
def test_objects_and_lists_survive_a_round_trip(value: Any, indent: int | None, ordered: bool) -> None:
    assert value == lenient_json.loads(
        lenient_json.dumps(value, indent, ordered=ordered).encode(errors="surrogatepass")
    )


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.binary(max_size=40) | st.text('{}[]",:0e\\u', max_size=20).map(str.encode))
def test_no_bytes_raise(data: bytes) -> None:
    assert isinstance(lenient_json.loads(data), dict | list | None)


@pytest.mark.parametrize(
    "data", [b"", b"1", b'"text"', b"null", b"[DONE]", b"{", b"[" * 99_999, b'{"a":' + b"1" * 9_999 + b"}"]
)
def test_what_is_neither_is_nothing(data: bytes) -> None:
    assert lenient_json.loads(data) is None


def test_what_is_nested_too_deeply_is_told() -> None:
    for depth in (10, 200, 400, 900, 990):
        value = lenient_json.loads(b"[" * depth + b"]" * depth)
        for indent in (None, 2):
            text = lenient_json.dumps(value, indent)
            assert text == "<nested too deeply>" or json.loads(text) == value


def test_a_path_leads_through_objects_only() -> None:
    assert 1 == lenient_json.at({"a": {"b": 1}}, "a", "b")
    assert lenient_json.at({"a": [{"b": 1}]}, "a", "b") is None
    assert lenient_json.at(None, "a") is None


def test_counts_are_whole_and_not_negative() -> None:
    values: list[Any] = [0, 7, -1, True, 1.0, "1", None]
    assert [0, 7, None, None, None, None, None] == [lenient_json.count(value) for value in values]
