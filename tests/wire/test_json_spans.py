from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recorder.wire import json_spans

_SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
_JSON = st.recursive(
    _SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4)
)


def _leaves(node: Any, path: json_spans.Path = ()) -> list[tuple[json_spans.Path, Any]]:
    if isinstance(node, dict):
        return [leaf for key, value in node.items() for leaf in _leaves(value, (*path, key))]
    if isinstance(node, list):
        return [leaf for index, value in enumerate(node) for leaf in _leaves(value, (*path, index))]
    return [(path, node)]


@settings(derandomize=True)
@given(node=_JSON, ascii_only=st.booleans(), indent=st.sampled_from([None, 2]))
def test_every_value_is_found_where_it_stands(node: Any, ascii_only: bool, indent: int | None) -> None:
    text = json.dumps(node, ensure_ascii=ascii_only, indent=indent).encode("utf-8", "surrogatepass")
    found = json_spans.values(text)
    assert _leaves(node) == [(value.path, _read(text, value)) for value in found]


def _read(text: bytes, value: json_spans.Value) -> Any:
    raw = text[value.start : value.end]
    return json.loads(b'"%s"' % raw if value.is_string else raw)


@pytest.mark.parametrize("text", [b"", b"{", b'{"a":', b'{"a":x}', b"[1}", b"[1] 2", b"nul", b'"open', b'{"a":"b'])
def test_what_is_no_json_is_named_so(text: bytes) -> None:
    with pytest.raises(json_spans.NotJsonError):
        json_spans.values(text)


def test_of_cut_json_the_beginning_is_told_and_the_cut_string_too() -> None:
    with pytest.raises(json_spans.NotJsonError) as caught:
        json_spans.values(b'{"a":"x","b":[1,"cu')
    assert [("a",), ("b", 0), ("b", 1)] == [value.path for value in caught.value.found]
