from __future__ import annotations

import struct
import tracemalloc
import zlib
from collections.abc import Callable
from contextlib import suppress
from random import Random

import brotli  # type: ignore[import-untyped]  # it has none
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from recorder.errors import BodyError
from recorder.wire import content_coding
from recorder.wire.content_coding import Decoder, decode


def gzip(data: bytes) -> bytes:
    return zlib.compress(data, wbits=31)


def raw_deflate(data: bytes) -> bytes:
    return zlib.compress(data, wbits=-15)


def zstd(data: bytes) -> bytes:
    return zstandard.ZstdCompressor().compress(data)


def br(data: bytes) -> bytes:
    return bytes(brotli.compress(data))


CODERS: dict[str, Callable[[bytes], bytes]] = {"gzip": gzip, "deflate": zlib.compress, "br": br, "zstd": zstd}
TEXT = bytes(range(256)) * 40 + b"data: [DONE]\n\n"

each_coding = pytest.mark.parametrize("name", CODERS)


@each_coding
@pytest.mark.parametrize("body", [b"", b"x", TEXT, b"0" * 1_000_000])
def test_what_was_encoded_comes_back(name: str, body: bytes) -> None:
    assert body == decode(CODERS[name](body), name)


@each_coding
def test_no_bytes_are_no_bytes(name: str) -> None:
    assert b"" == decode(b"", name)


@pytest.mark.parametrize("name", ["", "identity", " Identity ,, "])
def test_identity_changes_nothing(name: str) -> None:
    assert TEXT == decode(TEXT, name)


@pytest.mark.parametrize("name", ["GZIP", " gzip\t", "x-gzip", "identity, gzip", ",gzip,"])
def test_names_are_read_without_case_and_space(name: str) -> None:
    assert TEXT == decode(gzip(TEXT), name)


def test_deflate_is_zlib_or_raw() -> None:
    assert TEXT == decode(raw_deflate(TEXT), "deflate")
    assert TEXT == decode(zlib.compress(TEXT), "deflate")
    assert b"" == decode(raw_deflate(b""), "deflate")


def test_a_list_is_undone_from_its_end() -> None:
    assert TEXT == decode(br(gzip(TEXT)), "gzip, br")
    assert TEXT == decode(zstd(br(zlib.compress(TEXT))), "deflate,br , zstd")


def test_gzip_may_have_members_and_padding() -> None:
    assert b"one two" == decode(gzip(b"one ") + gzip(b"") + gzip(b"two") + bytes(512), "gzip")


def test_zstd_may_have_frames_and_skippable_ones() -> None:
    skippable = struct.pack("<II", 0x184D2A50, 3) + b"abc"
    assert b"one two" == decode(skippable + zstd(b"one ") + skippable + zstd(b"two"), "zstd")


@pytest.mark.parametrize("name", ["compress", "aes128gcm", "gzip, dcb", "none", "gzip;q=1"])
def test_an_unknown_coding_is_refused_whatever_is_left_out(name: str) -> None:
    for partial in (False, True):
        with pytest.raises(BodyError, match=r"expected a body in gzip, deflate, br, zstd or identity, found"):
            decode(b"x", name, partial=partial)


def test_an_unknown_coding_is_named_in_one_short_line() -> None:
    with pytest.raises(BodyError) as caught:
        decode(b"x", "é\n" + "x" * 500)
    assert str(caught.value).isascii()
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 200


def test_more_codings_than_anyone_sends_are_refused() -> None:
    with pytest.raises(BodyError, match="at most 5 content encodings on a body, found 6"):
        decode(b"x", ", ".join(["gzip"] * 6))


@each_coding
def test_every_cut_is_refused_and_gives_a_prefix_if_that_is_enough(name: str) -> None:
    whole = CODERS[name](TEXT)
    for cut in range(1, len(whole)):
        with pytest.raises(BodyError):
            decode(whole[:cut], name)
        assert TEXT.startswith(decode(whole[:cut], name, partial=True))


def test_what_was_flushed_before_a_cut_is_there() -> None:
    compressor = zlib.compressobj(wbits=31)
    sent = compressor.compress(b"data: a\n\n") + compressor.flush(zlib.Z_SYNC_FLUSH)
    assert b"data: a\n\n" == decode(sent, "gzip", partial=True)
    frames = zstandard.ZstdCompressor().compressobj()
    sent = frames.compress(b"data: a\n\n") + frames.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK)
    assert b"data: a\n\n" == decode(sent, "zstd", partial=True)


def test_a_cut_list_is_decoded_as_far_as_it_goes() -> None:
    inner = zlib.compressobj(wbits=31)
    sent = gzip(inner.compress(b"data: a\n\n") + inner.flush(zlib.Z_SYNC_FLUSH))
    assert b"data: a\n\n" == decode(sent, "gzip, gzip", partial=True)


@each_coding
@pytest.mark.parametrize("body", [b"plain text, no more", b"\x00" * 40, b"\xff" * 40])
def test_data_in_no_coding_is_refused(name: str, body: bytes) -> None:
    with pytest.raises(BodyError):
        decode(body, name)
    decode(body, name, partial=True)


@each_coding
def test_garbage_behind_the_end_is_refused(name: str) -> None:
    with pytest.raises(BodyError):
        decode(CODERS[name](TEXT) + b"garbage", name)
    assert TEXT.startswith(decode(CODERS[name](TEXT) + b"garbage", name, partial=True))


def test_a_wrong_checksum_is_refused() -> None:
    body = bytearray(gzip(TEXT))
    body[-8] ^= 1
    with pytest.raises(BodyError, match="expected a gzip body"):
        decode(bytes(body), "gzip")


@each_coding
@pytest.mark.parametrize("partial", [False, True])
def test_a_bomb_is_refused(name: str, partial: bool) -> None:
    with pytest.raises(BodyError, match="at most 1,000,000 bytes, found more"):
        decode(CODERS[name](bytes(8_000_000)), name, partial=partial, limit=1_000_000)


def test_a_large_body_is_in_memory_once() -> None:
    size = 16 * 2**20
    sent = gzip(Random(4).randbytes(size))  # zeros would come in one piece
    tracemalloc.start()
    try:
        body = decode(sent, "gzip")
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert size == len(body)
    assert most < 1.25 * size


@each_coding
def test_the_limit_itself_is_allowed(name: str) -> None:
    assert bytes(1000) == decode(CODERS[name](bytes(1000)), name, limit=1000)


def test_the_limit_holds_at_every_step() -> None:
    twice = gzip(gzip(bytes(50_000_000)))
    assert len(twice) < 2_000
    with pytest.raises(BodyError, match="at most 10,000 bytes"):
        decode(twice, "gzip, gzip", limit=10_000)


@given(st.binary(max_size=300), st.sampled_from([*CODERS, "gzip, br", "identity"]), st.data())
@settings(derandomize=True, max_examples=150)
def test_pieces_make_no_difference(body: bytes, name: str, data: st.DataObject) -> None:
    sent = body
    for coding in name.split(", "):
        sent = CODERS.get(coding, bytes)(sent)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(sent)), max_size=8)))
    decoder = Decoder(name)
    plain = [decoder.feed(sent[start:end]) for start, end in zip([0, *cuts], [*cuts, len(sent)], strict=True)]
    decoder.end()
    assert body == b"".join(plain)


@given(st.binary(max_size=200), st.sampled_from([*CODERS]))
@settings(derandomize=True, max_examples=300)
def test_nothing_but_a_body_error_is_raised(body: bytes, name: str) -> None:
    with suppress(BodyError):
        decode(body, name)
    assert len(decode(body, name, partial=True)) <= content_coding.LIMIT
