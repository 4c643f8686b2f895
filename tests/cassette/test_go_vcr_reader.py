from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recorder.cassette import CHARM, GO_VCR, LAYOUTS, Cassette, Layout, dumps, header, interactions, render, yaml_reader
from recorder.cassette.go_vcr_reader import DirectReader, TornError, _UnusualError
from recorder.cassette.scalar_reader import ForeignError
from recorder.errors import CassetteError
from recorder.model import Interaction
from tests.cassette import strategies
from tests.cassette.strategies import for_interactions, layouts, plain_interaction

TEXT = render(plain_interaction(b"data: a\n\ndata: b\n\n", Date="Mon, 01 Jan"), 0, GO_VCR)
# All that `head_patterns.py` knows: values in both quotes, several of one name, what is left out or empty.
RICH = (
    render(plain_interaction(b"event: a\ndata: b\n\n", A="*", B="12", C="a: b", D="W/1", E="a"), 0, CHARM)
    .replace(b"E:\n      - a\n", b"E:\n      - a\n      - 'y'\n")
    .replace(b"content_length: 13\n", b"content_length: 13\n    transfer_encoding: []\n    trailer: {}\n")
    .replace(b"    content_length: -1\n", b"    transfer_encoding:\n    - chunked\n    content_length: -1\n")
    .replace(b"    body: |\n", b"    uncompressed: false\n    body: |\n")
)


def _direct(text: bytes, layout: Layout = GO_VCR) -> Interaction | None:
    """What the direct path makes of one interaction; None if it is not spelled as go-vcr spells it."""
    try:
        interaction, end = DirectReader(text, layout).interaction(0)
    except ForeignError:
        return None
    assert end == len(text)
    return interaction


@for_interactions
@given(strategies.interactions, layouts)
def test_both_paths_read_the_same(interaction: Interaction, layout: Layout) -> None:
    text = render(interaction, 0, layout)
    assert yaml_reader.interaction(text, "", 1) == interaction
    assert _direct(text, layout) in (interaction, None)


@for_interactions
@given(st.lists(st.text(st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="\u2028\u2029\ufeff"))))
def test_the_direct_path_takes_all_everyday_text(lines: list[str]) -> None:
    interaction = plain_interaction("\n".join(lines).encode())
    assert interaction == _direct(render(interaction, 0, GO_VCR))


@pytest.mark.parametrize(("source", "layout"), [(TEXT, GO_VCR), (RICH, CHARM)], ids=["text", "rich"])
@for_interactions
@given(st.data())
def test_what_the_direct_path_takes_is_what_yaml_says_it_is(source: bytes, layout: Layout, data: st.DataObject) -> None:
    """One byte is put in, taken out or changed."""
    position = data.draw(st.integers(0, len(source) - 1))
    byte = data.draw(st.sampled_from([bytes([b]) for b in b" \n\t:-'\"|#&*!?[{\\\0\x80a1~"]) | st.just(b""))
    text = source[:position] + byte + source[position + data.draw(st.integers(0, 1)) :]
    try:
        found, end = DirectReader(text, layout).interaction(0)
    except (ForeignError, TornError):
        return
    if end == len(text):
        assert yaml_reader.interaction(text, "", 1) == found


# Nearly every interaction and stream goes the short ways, and they give what the long ones give.


@pytest.mark.parametrize(("source", "layout"), [(TEXT, GO_VCR), (RICH, CHARM)], ids=["text", "rich"])
def test_three_patterns_take_an_interaction_as_its_lines_do(source: bytes, layout: Layout) -> None:
    patterns, lines = DirectReader(source, layout), DirectReader(source, layout)
    assert lines._by_lines(0) == patterns._usual(0)
    assert lines.candidate == patterns.candidate


def test_three_patterns_take_nearly_every_real_interaction(shared: Path) -> None:
    files = [file.read_bytes() for file in sorted((shared / "cassettes").rglob("Test*/**/*.yaml"))]
    recorded = [interaction for file in files for interaction in interactions(file)]
    taken = [interaction for interaction in recorded if _usual(interaction) == interaction]
    assert len(taken) > 0.9 * len(recorded)


def _usual(interaction: Interaction) -> Interaction | None:
    try:
        return DirectReader(render(interaction, 0, CHARM), CHARM)._usual(0)[0]
    except _UnusualError:
        return None


_stream_lines = st.lists(
    st.sampled_from((
        "data: a", ": ping", "event: x", "   data", "é 中", "\ta", "a\tb", "x" * 300, "            data: [DONE]",
        "headers:", "    headers:",
    )),
    min_size=1,
)  # fmt: skip
_line_ends = st.sampled_from(("\n\n", "\n\n", "\n\n", "\n", "\n\n\n"))


@for_interactions
@given(
    _stream_lines.flatmap(lambda lines: st.tuples(*(st.tuples(st.just(line), _line_ends) for line in lines))), layouts
)
def test_an_event_stream_is_taken_out_of_its_block(lines: tuple[tuple[str, str], ...], layout: Layout) -> None:
    body = "".join(line + end for line, end in lines).encode()
    interaction = plain_interaction(body, Date="Mon, 01 Jan")
    text = render(interaction, 0, layout)
    assert interaction == _direct(text, layout)
    assert interaction == yaml_reader.interaction(text, "", 1)


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=lambda layout: layout.name)
@pytest.mark.parametrize("line", [b"", b"x", b" ", b"\tx", b"# x", b"\x07"])
def test_a_line_of_a_stream_that_is_not_indented_is_left_to_yaml(layout: Layout, line: bytes) -> None:
    interaction = plain_interaction(b"data: a\n\ndata: b\n\ndata: c\n\n", Date="x")
    text = render(interaction, 0, layout)
    broken = text.replace(b"data: b\n", b"data: b\n" + line + b"\n")
    for depth in range(layout.step(layout.step(layout.dash(0) + 2))):
        moved = broken.replace(b"\n" + line + b"\n", b"\n" + b" " * depth + line + b"\n", 1)
        found = _direct(moved, layout)
        assert found is None or found == yaml_reader.interaction(moved, "", 1)


def test_the_same_name_twice_is_left_to_yaml() -> None:
    assert _direct(RICH.replace(b"      B:\n", b"      A:\n"), CHARM) is None


def test_what_most_headers_say_is_held_once() -> None:
    both = header(GO_VCR) + TEXT + TEXT
    first, second = interactions(both)
    assert first.response.headers["Date"] is second.response.headers["Date"]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"method: POST", b"method: null"),
        (b"method: POST", b"method:  POST"),
        (b"method: POST", b"method: POST # by hand"),
        (b"method: POST", b"method: &a POST"),
        (b"method: POST", b"method: 'PO'ST'"),
        (b"method: POST", b'method: "PO"ST"'),
        (b"method: POST", b'method: "\\q"'),
        (b"method: POST", b'method: "\\x4"'),
        (b"method: POST", b'method: "POST\\"'),
        (b"method: POST", b'method: "\\ud800"'),
        (b"method: POST", b"method: a: b"),
        (b"method: POST", b"method: !!binary !"),
        (b"method: POST", b"method: \xc2\x85"),
        (b"method: POST", b"method: \xff"),
        (b"method: POST", b"method: POST\n        method: POST"),
        (b"code: 200", b"code: 0200"),
        (b"code: 200", b"code: 9223372036854775808"),
        (b"code: 200", b"code: '200'"),
        (b"duration: 1.476046083s", b"duration: 1"),
        (b"duration: 1.476046083s", b"duration: 0"),
        (b"content_length: -1", b"content_length: -0"),
        (b"data: a", b" data: a"),
        (b"data: a", b"\tdata: a"),
        (b"data: b", b"data\r: b"),
        (b"|+", b"|3+"),
        (b"|+", b">"),
        (b"|+\n", b"|+ # by hand\n"),
        (b"Date:", b"Content-Type:"),
        (b"Date:", b"<<:"),
        (b"Date:", b"null:"),
        (b"        proto: HTTP/2.0\n", b""),
        (b"request:", b"request: {}"),
        (b"        headers:\n", b"        headers\n"),
        (b"Date:", b"Date"),
        (b"id: 0", b"id: x"),
        (b"id: 0", b"id: 00"),
        (b"        headers:\n            Content-Type:\n                - text", b"        headers: {\n - text"),
    ],
)
def test_another_spelling_is_left_to_yaml(old: bytes, new: bytes) -> None:
    assert old in TEXT
    assert _direct(TEXT.replace(old, new)) is None


@pytest.mark.parametrize("end", range(len(TEXT)))
def test_every_cut_is_torn(end: int) -> None:
    with pytest.raises(TornError):
        DirectReader(TEXT[:end], GO_VCR).interaction(0)


def test_what_follows_an_interaction_does_not_matter_to_it() -> None:
    text = header(GO_VCR) + TEXT
    _, end = DirectReader(text + b"# by hand\n", GO_VCR).interaction(len(header(GO_VCR)))
    assert len(text) == end


def test_go_yaml_s_release_is_told_by_its_quotes() -> None:
    text = TEXT.replace(b"- Mon, 01 Jan", b"- 'y'")
    reader = DirectReader(text, GO_VCR)
    reader.interaction(0)
    assert reader.candidate == 6


def test_a_whole_document_is_no_interaction() -> None:
    with pytest.raises(CassetteError):
        yaml_reader.interaction(dumps(Cassette(interactions=(plain_interaction(),))), "", 1)


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=lambda layout: layout.name)
@pytest.mark.parametrize("line", [b"at the margin\n", b"   half indented\n", b"        uncompressed: true\n"])
def test_a_block_that_starts_with_a_line_of_blanks_takes_no_line_of_others(layout: Layout, line: bytes) -> None:
    text = render(plain_interaction(b"x\n", Date="x"), 0, layout)
    pad = b" " * (layout.step(layout.step(layout.dash(0) + 2)))
    found = text.replace(b"body: |\n", b"body: |\n" + pad + b"\n", 1).replace(pad + b"x\n", pad + b"x\n" + line, 1)
    assert found.count(line) == 1
    taken = _direct(found, layout)
    assert taken is None or yaml_reader.interaction(found, "", 1) == taken


@pytest.mark.parametrize("lines", [b"data: a\n\n", b"a\n", b"event: a\ndata: b\n\n\n", b"a \n"])
def test_a_large_text_is_written_and_read_as_a_small_one_is(lines: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    interaction = plain_interaction(lines * (2**20 // len(lines) + 3))
    text = render(interaction, 0, GO_VCR)
    assert interaction == _direct(text)
    monkeypatch.setattr("recorder.cassette.scalars._LARGE", 2**30)
    assert text == render(interaction, 0, GO_VCR)
