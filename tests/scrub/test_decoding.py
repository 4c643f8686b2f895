from __future__ import annotations

import base64
import gzip
import random
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recorder.scrub import decoding


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        (rb"a\u0041\n\"\/", b'aA\n"/'),
        (rb"\ud83d\ude00", "😀".encode()),
        (rb"\\u0041", rb"\u0041"),
        (b"%41%c3%A9%2541", "Aé%41".encode()),
        (b"&#65;&#x42;&quot;&lowbar;&nosuch;", b'AB"_&nosuch;'),
        (rb"\x41\U0001F600", "A😀".encode()),
    ],
)
def test_one_layer_of_escapes_is_taken_off(text: bytes, plain: bytes) -> None:
    view = decoding.unescape(text)
    assert view is not None
    assert plain == view.text


@pytest.mark.parametrize("text", [b"plain", b"100 % & more", rb"C:\dir", b"%zz", b"&;", b"&#99999999;"])
def test_where_nothing_is_escaped_there_is_no_view(text: bytes) -> None:
    assert decoding.unescape(text) is None


@settings(derandomize=True)
@given(before=st.binary(max_size=9), middle=st.binary(min_size=1, max_size=9), after=st.binary(max_size=9))
def test_the_source_of_a_piece_decodes_to_it(before: bytes, middle: bytes, after: bytes) -> None:
    parts = [quote(part, safe="").encode() for part in (before, middle, after)]
    text = b"".join(parts)
    view = decoding.unescape(text)
    if view is None:
        return
    assert before + middle + after == view.text
    start, end = view.source(len(before), len(before) + len(middle))
    assert parts[1] == text[start:end]


@settings(derandomize=True)
@given(before=st.binary(max_size=30), secret=st.binary(min_size=8, max_size=40), after=st.binary(max_size=30))
def test_base64_and_hex_are_read_at_every_alignment_and_written_back(
    before: bytes, secret: bytes, after: bytes
) -> None:
    whole = before + secret + after
    for run in (
        base64.b64encode(whole).rstrip(b"="),
        base64.urlsafe_b64encode(whole).rstrip(b"="),
        whole.hex().encode(),
    ):
        found = [decoded for decoded in decoding.decodings(run, binary=True) if secret in decoded.text]
        assert found
        for decoded in found:
            at = decoded.text.index(secret)
            start, end = decoded.widen(at, at + len(secret))
            first, last = decoded.source(start, end)
            again = run[:first] + decoded.codec.encode(decoded.text[start:end]) + run[last:]
            # The last character of base64 may hold bits that mean nothing.
            assert run[:-1] == again[:-1]


def test_wrapped_base64_is_one_line() -> None:
    wrapped = base64.encodebytes(bytes(range(200)))
    view = decoding.unwrap(wrapped)
    assert view is not None
    assert base64.b64encode(bytes(range(200))) == view.text.strip()
    start, end = view.source(70, 90)
    assert view.text[70:90] == wrapped[start:end].replace(b"\n", b"")


def test_runs_are_given_once_with_all_their_places() -> None:
    run = b"abcdefghijklmnopqrst"
    assert {run: [0, 22]} == decoding.runs(run + b", " + run + b" short")


def test_reading_all_at_once_misses_nothing_that_reading_one_by_one_finds() -> None:
    chosen = random.Random(1)
    for number in range(400):
        ids = [chosen.randbytes(chosen.randrange(15, 40)).hex().encode() for _ in range(40)]
        ids += [base64.b64encode(chosen.randbytes(chosen.randrange(15, 40))).rstrip(b"=") for _ in range(40)]
        assert any(map(_says_something, ids)) <= decoding.may_have_text(ids)
        text = b"a text that is long enough"[: 20 + number % 6]
        encoded = (text.hex().encode(), base64.b64encode(text).rstrip(b"="), b"a" + text.hex().encode())[number % 3]
        ids.insert(number % 80, b"xyz"[: number % 4] + encoded)
        assert decoding.may_have_text(ids), (number, text, encoded)


def _says_something(run: bytes) -> bool:
    return any(decoding.decodings(run))


def test_what_is_packed_in_a_run_is_found_a_bounded_number_of_times() -> None:
    data = gzip.compress(b"so it goes")
    for encoded in (base64.b64encode(data).rstrip(b"="), data.hex().encode(), data.hex().upper().encode()):
        [(start, found), *_] = decoding.packed_parts(b"com/v1/" + encoded)
        assert (7, data) == (start, found[: len(data)])
    assert 8 == len(list(decoding.packed_parts(b"H4sI" * 1000)))
