from __future__ import annotations

import base64
import random
import re

import pytest

from recorder.cassette import GO_VCR, render
from recorder.model import Interaction
from recorder.scrub import Credential, Scrubber, utf16
from tests.scrub.cases import KINDS, interaction

KEY = KINDS["openrouter"]
CHARSETS = ("utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be", "utf-16", "utf-32")


def _written(found: Interaction, *learned: str) -> Interaction:
    made = Scrubber(salt=bytes(16))
    made.learn_all(Credential(value=value.encode(), place="test") for value in learned)
    clean = made.scrub(found)
    made.check(clean, render(clean.interaction, 0, GO_VCR))
    return clean.interaction


@pytest.mark.parametrize("charset", CHARSETS)
def test_a_body_in_wide_characters_is_read_and_written_as_such(charset: str) -> None:
    body = _written(interaction(answer=f"so: {KEY} é and more".encode(charset))).response.body
    assert re.fullmatch(r"so: \[REDACTED:openrouter-key:[0-9a-f]{4}\] é and more", body.decode(charset))


@pytest.mark.parametrize("charset", CHARSETS)
def test_without_a_secret_it_stays_to_the_byte(charset: str) -> None:
    found = interaction(answer="so: nothing é😀 and more".encode(charset))
    assert found == _written(found)


@pytest.mark.parametrize("charset", CHARSETS[:4])
def test_a_run_inside_of_something_else_is_read(charset: str) -> None:
    noise = random.Random(1).randbytes(200).replace(b"\0", b"\1")
    body = noise + KEY.encode(charset) + b"\xff\xfe" + noise
    clean = _written(interaction(answer=body, content_type="application/octet-stream")).response.body
    assert clean.startswith(noise)
    assert clean.endswith(noise)
    assert "[REDACTED:openrouter-key:".encode(charset) in clean
    assert KEY[10:20].encode(charset) not in clean


@pytest.mark.parametrize("secret", [KEY, "some pass\xe9word 1", "9characte"])
def test_base64_of_it_is_read(secret: str) -> None:
    encoded = base64.b64encode(secret.encode("utf-16-le")).decode()
    body = _written(interaction(answer=f'{{"run":"pwsh -enc {encoded}"}}'.encode()), secret).response.body
    assert b"[REDACTED:" in body
    assert encoded[4:20].encode() not in body


def test_binary_that_is_no_text_has_no_charset() -> None:
    assert not utf16.charset(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR")
    assert not utf16.charset(bytes(100))
    assert not utf16.charset(b"a\0b\0c\0d\0e\0f\0g\0h\0i\0\0\xd8")
