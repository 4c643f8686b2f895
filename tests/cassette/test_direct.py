from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recorder.cassette import GO_VCR, Cassette, Layout, dumps, events, header, render
from recorder.cassette.direct import DirectReader, TornError
from recorder.cassette.quoted import ForeignError
from recorder.errors import CassetteError
from recorder.model import Interaction
from tests.cassette.strategies import for_interactions, interactions, layouts, plain_interaction

TEXT = render(plain_interaction(b"data: a\n\ndata: b\n\n", Date="Mon, 01 Jan"), 0, GO_VCR)


def _direct(text: bytes, layout: Layout = GO_VCR) -> Interaction | None:
    """What the direct path makes of one interaction; None if it is not spelled as go-vcr spells it."""
    try:
        interaction, end = DirectReader(text, layout).interaction(0)
    except ForeignError:
        return None
    assert end == len(text)
    return interaction


@for_interactions
@given(interactions, layouts)
def test_both_paths_read_the_same(interaction: Interaction, layout: Layout) -> None:
    text = render(interaction, 0, layout)
    assert events.interaction(text, "", 1) == interaction
    assert _direct(text, layout) in (interaction, None)


@for_interactions
@given(st.lists(st.text(st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="\u2028\u2029\ufeff"))))
def test_the_direct_path_takes_all_everyday_text(lines: list[str]) -> None:
    interaction = plain_interaction("\n".join(lines).encode())
    assert interaction == _direct(render(interaction, 0, GO_VCR))


@for_interactions
@given(st.data())
def test_what_the_direct_path_takes_is_what_yaml_says_it_is(data: st.DataObject) -> None:
    """One byte is put in, taken out or changed."""
    position = data.draw(st.integers(0, len(TEXT) - 1))
    byte = data.draw(st.sampled_from([bytes([b]) for b in b" \n\t:-'\"|#&*!?[{\\\0\x80a1~"]) | st.just(b""))
    text = TEXT[:position] + byte + TEXT[position + data.draw(st.integers(0, 1)) :]
    try:
        found, end = DirectReader(text, GO_VCR).interaction(0)
    except (ForeignError, TornError):
        return
    if end == len(text):
        assert events.interaction(text, "", 1) == found


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
        events.interaction(dumps(Cassette(interactions=(plain_interaction(),))), "", 1)
