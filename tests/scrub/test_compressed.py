from __future__ import annotations

import bz2
import gzip
import lzma
import random
import zlib
from collections.abc import Callable

import brotli  # type: ignore[import-untyped]  # it has none
import pytest
import zstandard

from recorder.cassette import GO_VCR, render
from recorder.errors import BodyError
from recorder.model import Fields, Interaction
from recorder.scrub import Scrubber
from recorder.scrub.compressed import unpack
from tests.scrub.cases import KINDS, interaction

KEY = KINDS["openrouter"].encode()
PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "zstd": zstandard.ZstdCompressor().compress,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
}
CODINGS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "br": brotli.compress,
    "zstd": zstandard.ZstdCompressor().compress,
}


def _scrubber(*, allow_opaque: bool = False) -> Scrubber:
    return Scrubber(salt=bytes(16), allow_opaque=allow_opaque)


def _sent(coding: str, body: bytes) -> Interaction:
    return interaction(body=body, headers=Fields([("Content-Encoding", coding)]))


def _written(made: Scrubber, found: Interaction) -> Interaction:
    clean = made.scrub(found)
    made.check(clean, render(clean.interaction, 0, GO_VCR))
    return clean.interaction


@pytest.mark.parametrize("name", PACKERS)
def test_a_body_that_is_compressed_in_itself_is_looked_into(name: str) -> None:
    pack = PACKERS[name]
    body = _written(_scrubber(), interaction(answer=pack(b"so: " + KEY + b" and more"))).response.body
    found = unpack(body)
    assert found is not None
    assert (name,) == found.layers
    assert found.plain.startswith(b"so: [REDACTED:openrouter-key:")
    assert found.plain.endswith(b"] and more")


@pytest.mark.parametrize("name", PACKERS)
def test_without_a_secret_it_stays_to_the_byte(name: str) -> None:
    found = interaction(answer=PACKERS[name](random.Random(1).randbytes(100) * 50))
    assert found.response.body == _written(_scrubber(), found).response.body


@pytest.mark.parametrize("coding", CODINGS)
def test_a_compressed_request_is_looked_into(coding: str) -> None:
    found = _written(_scrubber(), _sent(coding, CODINGS[coding](b'{"key":"%s"}' % KEY))).request
    plain = unpack(found.body, coding)
    assert plain is not None
    assert plain.plain.startswith(b'{"key":"[REDACTED:openrouter-key:')
    assert len(found.body) == found.content_length


def test_layers_are_undone_and_made_again() -> None:
    body = _written(_scrubber(), interaction(answer=gzip.compress(bz2.compress(b"so: " + KEY)))).response.body
    assert b"so: [REDACTED:openrouter-key:" in bz2.decompress(gzip.decompress(body))


@pytest.mark.parametrize("name", PACKERS)
def test_what_is_cut_off_is_read_as_far_as_it_goes(name: str) -> None:
    body = PACKERS[name](KEY + b" " + random.Random(1).randbytes(300_000))
    clean = _written(_scrubber(), interaction(answer=body[:-100_000])).response.body
    found = unpack(clean)
    assert found is not None
    assert KEY not in found.plain
    assert found.plain.startswith(b"[REDACTED:openrouter-key:") or name in {"bzip2", "xz"}  # which come in large blocks


@pytest.mark.parametrize(
    "found",
    [
        interaction(answer=gzip.compress(b"x" * 1000)[:20] + b"\xff" * 40),
        interaction(answer=PACKERS["bzip2"](b"x" * 1000)[:20] + b"\xff" * 40),
        _sent("gzip", b"this is none"),
        _sent("x-unknown", b"\x00\x01"),
    ],
)
def test_what_is_broken_is_refused_unless_that_is_allowed(found: Interaction) -> None:
    with pytest.raises(BodyError, match="--allow-opaque"):
        _scrubber().scrub(found)
    assert found.response.body == _written(_scrubber(allow_opaque=True), found).response.body


@pytest.mark.parametrize("name", PACKERS)
def test_a_bomb_is_refused(name: str) -> None:
    with pytest.raises(BodyError, match=r"at most|more than"):
        unpack(PACKERS[name](bytes(3_000_000)), limit=1_000_000)


def test_text_that_begins_like_bzip2_is_text() -> None:
    assert unpack(b"BZh9 is how it begins") is None
