"""YAML of other programs: read as PyYAML reads what it can mean, and never more than text."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from recorder.cassette import plain_yaml
from recorder.errors import CassetteError
from tests.cassette.strategies import for_interactions
from tests.cassette.strategies import texts as any_text

texts = any_text.filter(lambda text: text.isascii() or text == text.encode("utf-8", "replace").decode())
values = st.recursive(
    texts | st.binary(max_size=40) | st.integers(-(10**18), 10**18) | st.booleans() | st.none(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)


@for_interactions
@given(values)
def test_what_is_written_is_read_by_us_and_by_pyyaml(value: Any) -> None:
    text = plain_yaml.dumps(value)
    assert value == plain_yaml.loads(text.encode(), "<yaml>")
    assert value == yaml.safe_load(text)


def test_aliases_stand_for_what_they_name() -> None:
    assert {"a": ["x"], "b": ["x"]} == plain_yaml.loads(b"a: &n [x]\nb: *n\n", "<yaml>")


def test_no_tag_makes_an_object() -> None:
    text = b"!!python/object/apply:os.system [exit 1]\n"
    assert ["exit 1"] == plain_yaml.loads(text, "<yaml>")


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"[" * 100, "no more than 32 levels"),
        (b"[" * 100_000, "<yaml>:1: expected "),  # newer libyamls have a limit of their own, and words for it
        (b"a: &a [x,x,x,x,x,x,x,x,x,x]\n" + b"".join(
            b"%c: &%c [%b]\n" % (code, code, b",".join([b"*%c" % (code - 1)] * 10)) for code in range(98, 110)
        ), "aliases that add up to more"),
        (b"a: *b\n", "an alias of something before it, found *b"),
        (b"&a [*a]\n", "an alias of something before it, found *a"),
        (b"a: !!binary x\n", "<yaml>:1: expected base64"),
        (b"a\n---\nb\n", "one document, found another one"),
        (b"? [a]\n: b\n", "a name, found a list or a mapping"),
        (b"a: \xff\n", "<yaml>"),
        (b"a: [\n", "<yaml>"),
    ],
)  # fmt: skip
def test_hostile_text_is_one_clear_line(data: bytes, expected: str) -> None:
    with pytest.raises(CassetteError) as raised:
        plain_yaml.loads(data, "<yaml>")
    assert expected in str(raised.value)
    assert "\n" not in str(raised.value)


def test_too_much_is_refused_before_it_is_read() -> None:
    with pytest.raises(CassetteError, match="no more than 64 MiB, found 64 MiB"):
        plain_yaml.loads(b" " * (plain_yaml.LARGEST + 1), "<yaml>")
