"""JSON paths: what they lead to, and what is left without it."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recorder.errors import UsageError
from recorder.wire import json_paths

BODY = {"a": {"b": [{"c": "x"}, {"c": "y", "d": {"e": "z"}}]}, "c": 1, "x y": None}

KEYS = st.sampled_from(["a", "b", "c"])
VALUES = st.recursive(
    st.integers(0, 3), lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3)
)
STEPS = st.lists(
    st.tuples(st.just("is"), KEYS | st.integers(0, 2)) | st.just(("any", "")) | st.tuples(st.just("anywhere"), KEYS),
    min_size=1,
    max_size=3,
).map(tuple)


def leaves(value: Any, place: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from leaves(inner, (*place, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from leaves(inner, (*place, index))
    else:
        yield place, value


@pytest.mark.parametrize(
    ("path", "left"),
    [
        ("$.c", '{"a":{"b":[{"c":"x"},{"c":"y","d":{"e":"z"}}]},"x y":null}'),
        ("$..c", '{"a":{"b":[{},{"d":{"e":"z"}}]},"x y":null}'),
        ("$.a.b[*].c", '{"a":{"b":[{},{"d":{"e":"z"}}]},"c":1,"x y":null}'),
        ("$.a.b[0]", '{"a":{"b":[{"c":"y","d":{"e":"z"}}]},"c":1,"x y":null}'),
        ("$['x y']", '{"a":{"b":[{"c":"x"},{"c":"y","d":{"e":"z"}}]},"c":1}'),
        ("$.*", "{}"),
        ("$", "null"),
        ("$.nothing.here", json.dumps(BODY, separators=(",", ":"))),
    ],
)
def test_what_a_path_leads_to_is_left_out(path: str, left: str) -> None:
    before = copy.deepcopy(BODY)
    assert left == json.dumps(json_paths.without(BODY, json_paths.parse(path)), separators=(",", ":"))
    assert before == BODY


@given(value=VALUES, steps=STEPS)
def test_what_is_left_is_what_the_path_does_not_lead_to(value: Any, steps: tuple[json_paths.Step, ...]) -> None:
    kept = [leaf for place, leaf in leaves(value) if not json_paths.leads(steps, place)]
    assert kept == [leaf for _, leaf in leaves(json_paths.without(value, steps))]


@pytest.mark.parametrize("path", ["", "a.b", "$a", "$.a[?(@.b)]", "$.a[", "$."])
def test_what_is_no_path_is_refused(path: str) -> None:
    with pytest.raises(UsageError):
        json_paths.parse(path)
