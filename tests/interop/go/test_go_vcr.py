"""go-vcr loads what we write, and writes what we write: the format's judge, for real."""

from __future__ import annotations

import base64
import random
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recorder.cassette import (
    CHARM,
    GO_VCR,
    LAYOUTS,
    SEED,
    Cassette,
    Layout,
    dumps,
    format_duration,
    loads,
    parse_duration,
)
from recorder.model import INT64_MAX, INT64_MIN, Fields, Interaction
from tests.cassette.strategies import CASES, bodies, for_interactions, for_strings, interactions, plain_interaction
from tests.cassette.strategies import texts as any_text
from tests.interop.go.conftest import Oracle

layouts = st.sampled_from(tuple(LAYOUTS.values()))


def _dialect(layout: Layout, oracle: Oracle) -> Layout:
    return replace(layout, candidate=oracle.candidate)


def _same(oracle: Oracle, written: list[tuple[Interaction, ...]], layout: Layout) -> None:
    """go-vcr reads ours unchanged; and its own spelling is ours wherever it reads that unchanged itself."""
    ours = [dumps(Cassette(interactions=cassette, layout=layout)) for cassette in written]
    theirs = oracle.dumps(written, layout)
    for cassette, our, our_loaded, their, their_loaded in zip(
        written, ours, oracle.loads(ours), theirs, oracle.loads(theirs), strict=True
    ):
        assert cassette == our_loaded
        assert their_loaded != cassette or their == our
        if their == our:
            assert cassette == loads(their).interactions


@for_strings
@given(bodies, layouts)
def test_every_body_is_spelled_as_go_vcr_spells_it(oracle: Oracle, body: bytes, layout: Layout) -> None:
    _same(oracle, [(plain_interaction(body),)], _dialect(layout, oracle))


@for_interactions
@given(interactions, layouts)
def test_every_interaction_is_spelled_as_go_vcr_spells_it(
    oracle: Oracle, interaction: Interaction, layout: Layout
) -> None:
    _same(oracle, [(interaction,)], _dialect(layout, oracle))


@for_interactions
@given(st.dictionaries(any_text | st.from_regex(r"[ab019_-]{0,6}", fullmatch=True), st.just(("1",)), max_size=2))
def test_two_names_are_sorted_as_go_yaml_sorts_them(oracle: Oracle, names: dict[str, tuple[str, ...]]) -> None:
    # Of three, go-yaml's order may be a circle, and then chance decides.
    one = plain_interaction()
    interaction = replace(one, response=replace(one.response, headers=Fields.of(names)))
    _same(oracle, [(interaction,)], _dialect(GO_VCR, oracle))


def test_whole_cassettes_are_spelled_as_go_vcr_spells_them(oracle: Oracle) -> None:
    cassettes = [(), (plain_interaction(),), tuple(plain_interaction(b"data: %d\n\n" % i, X="y") for i in range(3))]
    for layout in LAYOUTS.values():
        _same(oracle, cassettes, _dialect(layout, oracle))


def test_go_vcr_reads_every_real_cassette_as_we_do(oracle: Oracle, shared: Path) -> None:
    files = sorted((shared / "cassettes").rglob("*.yaml"))
    texts = [file.read_bytes() for file in files]
    ours = [loads(text) for text in texts]
    assert [cassette.interactions for cassette in ours] == oracle.loads(texts)
    for layout in (CHARM, SEED):
        recorded = [(text, cassette) for text, cassette in zip(texts, ours, strict=True) if cassette.layout == layout]
        assert recorded
        assert [text for text, _ in recorded] == oracle.dumps(
            (cassette.interactions for _, cassette in recorded), layout
        )


def _durations() -> list[int]:
    chance = random.Random(5)
    edges = [sign * 10**power + offset for power in range(19) for sign in (1, -1) for offset in (-1, 0, 1)]
    minutes = [60 * 10**9 * factor + offset for factor in (1, 59, 60, 61, 10**6) for offset in (-1, 0, 1)]
    wide = [chance.randint(INT64_MIN, INT64_MAX) >> chance.randrange(63) for _ in range(CASES)]
    return [INT64_MIN, INT64_MAX, *edges, *minutes, *wide]


def test_durations_are_written_as_go_writes_them(oracle: Oracle) -> None:
    asked = _durations()
    answers = oracle.ask({"do": "format_duration", "nanoseconds": nanoseconds} for nanoseconds in asked)
    written = [base64.b64decode(answer["text"]).decode() for answer in answers]
    assert written == [format_duration(nanoseconds) for nanoseconds in asked]


def _parsed(text: str) -> int | None:
    try:
        return parse_duration(text)
    except ValueError:
        return None


def _spellings() -> list[str]:
    chance = random.Random(6)
    units = ("ns", "us", "µs", "μs", "ms", "s", "m", "h", "", "d", ".", "-")

    def number() -> str:
        digits = "".join(chance.choices("0123456789", k=chance.choice((0, 1, 2, 9, 19, 20, 25))))
        return digits[: len(digits) // 2] + "." + digits[len(digits) // 2 :] if chance.random() < 0.6 else digits

    return [
        chance.choice(("", "", "-", "+"))
        + "".join(number() + chance.choice(units) for _ in range(chance.randint(1, 3)))
        for _ in range(CASES)
    ]


def test_durations_are_read_as_go_reads_them(oracle: Oracle) -> None:
    spellings = _spellings()
    questions = ({"do": "parse_duration", "text": base64.b64encode(text.encode()).decode()} for text in spellings)
    answers = [None if "error" in answer else answer.get("nanoseconds", 0) for answer in oracle.ask(questions)]
    assert answers == [_parsed(text) for text in spellings]
    assert any(answer is not None for answer in answers)


def test_we_refuse_the_cuts_that_go_vcr_takes(oracle: Oracle) -> None:
    """go-vcr loads most cut cassettes without complaint, the last interaction by half."""
    text = dumps(Cassette(interactions=(plain_interaction(b"data: a\n\ndata: b\n\n"), plain_interaction())))
    cuts = [text[:cut] for cut in range(len(text)) if cut % 7 == 0]
    whole = loads(text).interactions
    taken = [found for found in oracle.loads(cuts) if not isinstance(found, str)]
    assert any(found and found != whole[: len(found)] for found in taken)


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=lambda layout: layout.name)
def test_go_vcr_s_own_files_are_read_and_written_byte_for_byte(oracle: Oracle, layout: Layout) -> None:
    cassette = tuple(plain_interaction(body, X=word) for body in (b"\na\nb\n", b"a\n\n") for word in ("y", "1:30", "x"))
    (text,) = oracle.dumps([cassette], layout)
    assert text == dumps(loads(text))
