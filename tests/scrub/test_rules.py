from __future__ import annotations

import pytest

from recorder.errors import UsageError
from recorder.scrub import Rule

BODY = b'{"a":{"b":[{"c":"x"},{"c":"y","d":{"e":"z"}}]},"c":1}'


@pytest.mark.parametrize(
    ("path", "values"),
    [
        ("$.a.b[0].c", [b"x"]),
        ("$.a.b[*].c", [b"x", b"y"]),
        ("$['a'].*[1].d", [b"z"]),
        ("$..c", [b"x", b"y", b"1"]),
        ("$.nothing", []),
    ],
)
def test_a_json_path_leads_to_values_and_all_that_is_in_them(path: str, values: list[bytes]) -> None:
    rule = Rule(name="mine", json_path=path)
    assert values == [BODY[value.start : value.end] for value in rule.spans(BODY)]


@pytest.mark.parametrize(
    "fields",
    [
        {"name": "Mine!", "expression": "x"},
        {"name": "mine"},
        {"name": "mine", "expression": "x", "json_path": "$.a"},
        {"name": "mine", "expression": "("},
        {"name": "mine", "json_path": "a.b"},
        {"name": "mine", "json_path": "$.a[?(@.b)]"},
    ],
)
def test_a_rule_that_cannot_be_used_is_refused_in_one_line(fields: dict[str, str]) -> None:
    with pytest.raises(UsageError) as caught:
        Rule(**fields)
    assert "\n" not in str(caught.value)
