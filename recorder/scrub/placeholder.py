"""What stands where a secret stood: `[REDACTED:openrouter-key:1a2b]`, from the secret's kind and a keyed digest.

No quote, backslash or blank is in it, so that JSON stays JSON. The key of the digest is the cassette's salt, which is
not stored: equal secrets stay equal within one cassette, and nothing can be inferred from four digits of a digest
whose key is gone. In base64 the digest is written longer, up to `MOST_DIGITS`, where the text around it would
otherwise lose its alignment; the first four digits are the ones that count.
"""

from __future__ import annotations

import hashlib
import re

FEWEST_DIGITS, MOST_DIGITS = 4, 12

PLACEHOLDER = re.compile(rb"(?:\[|%5[Bb])REDACTED(?::|%3[Aa])[a-z0-9-]{1,40}+(?::|%3[Aa])[0-9a-f]{4,12}+(?:\]|%5[Dd])")
"""A placeholder as it stands in text, or in a URL with its brackets and colons percent-encoded."""

_KIND = re.compile(r"[a-z0-9-]{1,40}")
_NEUTRAL = b"[REDACTED]"


def is_kind(name: str) -> bool:
    return _KIND.fullmatch(name) is not None


def placeholder(kind: str, secret: bytes, salt: bytes, digits: int = FEWEST_DIGITS) -> bytes:
    digest = hashlib.blake2b(secret, key=salt[: hashlib.blake2b.MAX_KEY_SIZE], digest_size=MOST_DIGITS // 2)
    return b"[REDACTED:%s:%s]" % (kind.encode("ascii"), digest.hexdigest()[:digits].encode("ascii"))


def mask(text: bytes) -> bytes:
    """The same text with NULs over each placeholder, so that no expression can find anything in one."""
    if b"REDACTED" not in text:
        return text
    return PLACEHOLDER.sub(lambda found: bytes(len(found[0])), text)


def neutral(text: bytes) -> bytes:
    """The text with every placeholder as `[REDACTED]`, whatever its kind and digest.

    To decide whether an incoming request is the recorded one, scrub it (any salt will do) and compare the neutral
    forms of both. The kind is left out too: whoever replays has another key, or a dummy that has no known shape.
    """
    return PLACEHOLDER.sub(_NEUTRAL, text) if b"REDACTED" in text else text
