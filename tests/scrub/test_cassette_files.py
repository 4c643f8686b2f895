from __future__ import annotations

import json

import pytest

from recorder.cassette import CHARM, GO_VCR, SEED, Cassette, Layout, dumps
from recorder.model import Fields
from recorder.scrub import Scrubber
from recorder.scrub.cassette_files import find, scrubbed
from tests.scrub.cases import KINDS, interaction, stream

KEY = KINDS["openai"]
LAYOUTS = pytest.mark.parametrize("layout", [GO_VCR, SEED, CHARM], ids=lambda layout: layout.name)


def _cassette(layout: Layout, *bodies: bytes) -> Cassette:
    return Cassette(interactions=tuple(interaction(answer=body) for body in bodies), layout=layout)


def _scrubber() -> Scrubber:
    return Scrubber(salt=bytes(16))


@LAYOUTS
def test_only_the_lines_with_a_secret_change(layout: Layout) -> None:
    cassette = _cassette(layout, b'{"a":1}', json.dumps({"text": KEY}).encode(), stream(["- id: 0", "\n", "- b"]))
    data = dumps(cassette)
    clean = scrubbed(data, cassette, _scrubber())
    before, after = data.split(b"\n"), clean.split(b"\n")
    assert len(before) == len(after)
    changed = [(old, new) for old, new in zip(before, after, strict=True) if old != new]
    assert ["content_length", "body"] == [old.split(b":")[0].strip().decode() for old, _ in changed]
    assert KEY.encode() not in clean
    assert clean == scrubbed(clean, cassette, _scrubber())


@LAYOUTS
def test_a_secret_in_deltas_is_found_with_its_place(layout: Layout) -> None:
    cassette = _cassette(layout, b"{}", stream([KEY[:10], KEY[10:20], KEY[20:]]))
    found = find(dumps(cassette), cassette, _scrubber())
    assert ["openai-key in interaction 1, response.body, in pieces of choices.delta.content"] == [
        str(finding) for finding in found
    ]


@LAYOUTS
def test_a_file_without_secrets_stays_to_the_byte(layout: Layout) -> None:
    cassette = _cassette(layout, b'{"a":1}', b"\xff\xfe", stream(["x"]))
    data = dumps(cassette).replace(b"interactions:", b"interactions: # a comment")
    assert data == scrubbed(data, cassette, _scrubber())
    assert [] == find(data, cassette, _scrubber())


def test_a_secret_in_a_comment_is_found_and_removed() -> None:
    cassette = _cassette(GO_VCR, b"{}")
    data = dumps(cassette).replace(b"interactions:", b"interactions: # " + KEY.encode())
    assert ["openai-key in line 3"] == [str(finding) for finding in find(data, cassette, _scrubber())]
    assert KEY.encode() not in scrubbed(data, cassette, _scrubber())


def test_what_was_recorded_as_a_credential_is_removed_everywhere_and_other_headers_stay() -> None:
    recorded = interaction(
        headers=Fields([("Authorization", "Bearer nobody-knows-this-shape"), ("X-Request-Id", "1")]),
        answer=b'{"echo":"nobody-knows-this-shape"}',
    )
    cassette = Cassette(interactions=(recorded,))
    data = dumps(cassette)
    clean = scrubbed(data, cassette, _scrubber())
    assert b"nobody-knows" not in clean
    assert b"X-Request-Id" in clean
    assert 2 == len(find(data, cassette, _scrubber()))
