"""Whatever looks random in an answer comes from here: a pure function of the seed and the request, of no clock.

`nth` counts the requests with the same content from 0, so that the answer to one does not depend on what others came.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_EPOCH = 1_767_225_600  # 2026-01-01T00:00:00Z; every simulated time is in the year after it
_YEAR = 365 * 24 * 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class Seeded:
    """`key`: a digest of the seed, the request's content and `nth`. `created`: seconds since the epoch."""

    key: bytes
    nth: int
    created: int

    def number(self, label: str, below: int) -> int:
        return int.from_bytes(hashlib.blake2b(label.encode(), key=self.key, digest_size=8).digest(), "big") % below

    def token(self, label: str, length: int) -> str:
        """Letters and digits, as in a provider's ids."""
        raw = hashlib.shake_256(self.key + label.encode()).digest(length)
        return "".join(_ALPHABET[byte % len(_ALPHABET)] for byte in raw)

    def noise(self, label: str, length: int) -> bytes:
        return hashlib.shake_256(self.key + label.encode()).digest(length)


def seeded(seed: str, content: bytes, *, nth: int) -> Seeded:
    # Later requests of a kind are later in simulated time; between kinds the order of ids means nothing.
    base = _EPOCH + int.from_bytes(hashlib.sha256(seed.encode()).digest()[:4], "big") % _YEAR
    key = hashlib.sha256(b"%d\0%d\0%s%s" % (len(seed.encode()), nth, seed.encode(), content)).digest()
    return Seeded(key=key, nth=nth, created=base + nth)
