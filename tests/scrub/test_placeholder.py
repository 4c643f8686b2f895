from __future__ import annotations

from recorder.scrub.placeholder import PLACEHOLDER, mask, neutral, placeholder


def test_equal_secrets_are_equal_under_one_salt_and_different_under_two() -> None:
    first = placeholder("kind", b"secret", b"a" * 16)
    assert first == placeholder("kind", b"secret", b"a" * 16)
    assert first != placeholder("kind", b"secret", b"b" * 16)
    assert first != placeholder("kind", b"other", b"a" * 16)
    assert PLACEHOLDER.fullmatch(first)


def test_a_longer_digest_begins_with_the_shorter() -> None:
    short, long = (placeholder("kind", b"secret", bytes(16), digits) for digits in (4, 12))
    assert long.startswith(short[:-1])


def test_only_whole_placeholders_are_masked_and_everything_keeps_its_place() -> None:
    text = b"a [REDACTED:k:0a1b] b %5BREDACTED%3Ak%3A0a1b%5D c [REDACTED:k:zz] d"
    masked = mask(text)
    assert len(text) == len(masked)
    assert b"abc [REDACTED:k:zz] d" == masked.replace(b"\0", b"").replace(b" ", b"", 4).replace(b"c[", b"c [")


def test_neutral_forms_are_equal_whatever_the_kind_and_the_salt() -> None:
    assert neutral(b"x=[REDACTED:a:0a1b]") == neutral(b"x=%5BREDACTED%3Ab%3Affff%5D")
    assert neutral(b"x=1") != neutral(b"x=[REDACTED:a:0a1b]")
