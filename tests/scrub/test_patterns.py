from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from recorder.scrub.known_values import Learned
from recorder.scrub.patterns import PATTERNS, Look, Pattern
from recorder.scrub.placeholder import is_kind, placeholder
from recorder.scrub.search import Finder

QUARTER = 1 << 18  # of a megabyte


def _id(row: Pattern) -> str:
    return f"{row.name}-{row.anchors[0].decode()}"


def _found(row: Pattern, text: bytes) -> list[str]:
    return [hit.rule for hit in Finder(Learned(), patterns=[row]).hits(text)]


@pytest.mark.parametrize("row", PATTERNS, ids=_id)
def test_an_example_is_found_alone_and_in_the_middle_of_text(row: Pattern) -> None:
    assert [row.name] == _found(row, row.example)
    assert [row.name] == _found(row, b'{"text": "so: ' + row.example + b' and more"}')


@pytest.mark.parametrize("row", PATTERNS, ids=_id)
def test_a_near_miss_stays(row: Pattern) -> None:
    assert [] == Finder(Learned()).hits(row.near_miss)


@pytest.mark.parametrize("row", PATTERNS, ids=_id)
def test_a_name_can_be_a_placeholders_kind(row: Pattern) -> None:
    assert is_kind(row.name)


@pytest.mark.parametrize("row", PATTERNS, ids=_id)
def test_a_placeholder_in_a_secrets_place_is_no_secret(row: Pattern) -> None:
    hits = Finder(Learned()).hits(row.example)
    redacted = row.example
    for hit in reversed(hits):
        redacted = redacted[: hit.start] + placeholder(hit.rule, hit.secret, bytes(16)) + redacted[hit.end :]
    assert [] == Finder(Learned()).hits(redacted)


def _slow_texts(row: Pattern) -> Iterator[bytes]:
    """Pieces of what the expression begins to match, again and again, and does not."""
    example = row.example.lower() if row.look is Look.FOLDED else row.example
    for anchor in row.anchors:
        yield anchor
        yield anchor + b" "
        yield anchor + b"=,"
        yield b"a" + anchor + b":\n"
        yield anchor + b'": "'
        for run in (b"a" * 200, b"1" * 200, b"a1" * 9, b"a-" * 30 + b"\0", b" " * 200, b"a" * QUARTER):
            yield anchor + run
            yield anchor + b"=" + run + b"!"
    half = len(example) // 2
    yield example[:half]
    yield example[:-1] + b"\0"
    yield example[:half] + b" "
    yield example[: half + half // 2] + b"\n"
    yield example


@pytest.mark.parametrize("row", PATTERNS, ids=_id)
def test_no_text_makes_an_expression_slow(row: Pattern) -> None:
    """A linear expression takes a few milliseconds of CPU, a quadratic one seconds; the promise in between is 100 ms a
    megabyte. Where other processes on the core lengthen it, four times the text must not take eight times as long."""
    for piece in _slow_texts(row):
        text = (piece * (QUARTER // len(piece) + 1))[:QUARTER]
        assert any(_is_quick(row, text) for _ in range(10)), (row.name, piece)


def _is_quick(row: Pattern, text: bytes) -> bool:
    whole = _seconds(row, text)
    return whole < 0.025 or whole < min(0.2, 8 * _seconds(row, text[: len(text) // 4]))


def _seconds(row: Pattern, text: bytes) -> float:
    start = time.process_time()
    for at in range(0, len(text), 1 << 17):
        for _ in row.spans(text[at : at + (1 << 17)]):
            pass
    return time.process_time() - start
