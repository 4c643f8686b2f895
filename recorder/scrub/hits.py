"""What a search has found: where it stands, and how what takes its place is written there."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from urllib.parse import quote_from_bytes

from recorder.scrub.patterns import GENERIC
from recorder.scrub.placeholder import FEWEST_DIGITS, MOST_DIGITS, placeholder


@dataclass(frozen=True, slots=True, kw_only=True)
class Wrap:
    """How a placeholder is written inside an encoded text: what stands beside it in its group, and the encoding."""

    before: bytes = field(repr=False)
    behind: bytes = field(repr=False)
    encode: Callable[[bytes], bytes] = field(repr=False)
    unit: int = 1
    """Bytes that the group must be a multiple of; 1 where what follows does not depend on it."""
    ends_base64: bool = False
    """Whether the padding behind the run belongs to it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """`secret` stands at `start:end`, in as many encodings as there are `wraps`, the innermost first."""

    start: int
    end: int
    rule: str
    secret: bytes = field(repr=False)
    wraps: tuple[Wrap, ...] = ()

    def written(self, salt: bytes) -> bytes:
        """The placeholder in the encodings of the secret; the digest is as long as the alignment around it needs."""
        for digits in range(FEWEST_DIGITS, MOST_DIGITS + 1):
            text, fits = self._written(salt, digits)
            if fits:
                return text
        return self._written(salt, FEWEST_DIGITS)[0]

    def _written(self, salt: bytes, digits: int) -> tuple[bytes, bool]:
        text = placeholder(self.rule, self.secret, salt, digits)
        fits = True
        for wrap in self.wraps:
            inner = wrap.before + text + wrap.behind
            fits = fits and len(inner) % wrap.unit == 0
            text = wrap.encode(inner)
        return text, fits


def percent_encoded(text: bytes) -> bytes:
    """For a URL; what is percent-encoded already stays."""
    return quote_from_bytes(text, safe="%-_.~").encode("ascii")


def merged(hits: Iterable[Hit]) -> list[Hit]:
    """The hits in order, those that overlap as one: the longest, the one that says most, the one decoded deepest."""
    result: list[Hit] = []
    for hit in sorted(hits, key=lambda hit: hit.start):
        if not result or hit.start >= result[-1].end:
            result.append(hit)
            continue
        last = result[-1]
        longest = hit if _weight(hit) >= _weight(last) else last
        result[-1] = replace(longest, start=last.start, end=max(last.end, hit.end))
    return result


def _weight(hit: Hit) -> tuple[int, bool]:
    return hit.end - hit.start, hit.rule not in GENERIC


def replaced(text: bytes, edits: Iterable[tuple[int, int, bytes]]) -> bytes:
    """`text` with each `start:end` replaced; the edits are in order and do not overlap."""
    parts: list[bytes] = []
    done = 0
    for start, end, new in edits:
        parts += (text[done:start], new)
        done = end
    parts.append(text[done:])
    return b"".join(parts)
