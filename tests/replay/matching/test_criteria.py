"""What is compared, from the words of the command line."""

from __future__ import annotations

import pytest

from recorder.errors import UsageError
from recorder.replay.matching import DEFAULT, parse_criteria


def test_by_default_method_url_and_body() -> None:
    assert DEFAULT == parse_criteria()
    assert frozenset(("method", "url", "body")) == DEFAULT.parts


def test_parts_come_in_one_text_or_in_several() -> None:
    assert parse_criteria(["method,path", "query body"]) == parse_criteria(["body", "query", "path", "method"])


def test_named_headers_are_beside_the_parts() -> None:
    found = parse_criteria(["header:x-title"])
    assert ("X-Title",) == found.headers
    assert found.parts == DEFAULT.parts


def test_the_raw_body_takes_the_place_of_the_body() -> None:
    assert frozenset(("raw-body", "method")) == parse_criteria(["method,body,raw-body"]).parts


@pytest.mark.parametrize("word", ["headers", "bodies", "header:", "header:a b:c"])
def test_another_word_is_refused(word: str) -> None:
    with pytest.raises(UsageError, match="expected something to match"):
        parse_criteria([word])


def test_a_path_that_is_none_is_refused_by_its_option() -> None:
    with pytest.raises(UsageError, match="--ignore-json messages"):
        parse_criteria([], ["messages"])
