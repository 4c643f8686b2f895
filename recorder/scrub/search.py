"""Finds secrets in bytes, whatever they are written in, and says where each stands and what takes its place.

Nothing here knows HTTP or JSON. A text is searched as it is, then behind each layer of escapes, then inside what reads
as base64 or hex; a hit is carried back to the text that it came from, with what is needed to write its placeholder in
the same encoding.

While one call into `re` or `bytes.find` runs, no other thread of the process does, the event loop included. So long
texts are searched in pieces, and expressions are tried only where one of their anchors stands.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from urllib.parse import quote_from_bytes

from recorder.scrub import views
from recorder.scrub.learned import Learned
from recorder.scrub.patterns import PATTERNS, Look, Pattern
from recorder.scrub.placeholder import FEWEST_DIGITS, MOST_DIGITS, mask, placeholder

PIECE = 1 << 17
"""Bytes searched at once: about a millisecond for the slowest single call."""
_OVERLAP = 1 << 14
"""Bytes that two pieces share, so that what one cuts is whole in the next: more than any key or token has."""

_DEEPEST = 5
"""Layers of encodings. Each is shorter than the one around it; a limit, so that no text can be made to be slow."""

_MOST_KNOWN = 4096
_LONGEST_KNOWN = 256


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Expression:
    """The user's own: every match is a secret, or its group `secret` if it has one."""

    name: str
    spans: Callable[[bytes], Iterable[tuple[int, int]]]


class Finder:
    """What is searched for: learned values, the table of patterns, the user's expressions."""

    __slots__ = ("_clean", "_expressions", "_learned", "_runs", "_texts")

    def __init__(
        self, learned: Learned, expressions: Iterable[Expression] = (), patterns: Iterable[Pattern] = PATTERNS
    ) -> None:
        self._learned = learned
        self._expressions = tuple(expressions)
        rows = tuple(patterns)
        self._runs = tuple(row for row in rows if row.look is Look.RUN)
        self._texts = tuple(row for row in rows if row.look is not Look.RUN)
        self._clean: tuple[int, set[bytes]] = (0, set())

    def hits(self, text: bytes) -> list[Hit]:
        """Every secret in `text`, in order, none overlapping another."""
        return self._hits(text, 0)

    def kind(self, value: bytes) -> str:
        """What to call a value that is a secret because of where it stands."""
        learned = self._learned.kind(value)
        if learned is not None:
            return learned
        whole = (
            hit.rule for hit in self._patterns(value, b" ".join(views.runs(value))) if hit.end - hit.start == len(value)
        )
        return next(whole, "credential")

    def _hits(self, text: bytes, depth: int) -> list[Hit]:
        if len(text) <= PIECE:
            return merged(self._piece(text, depth))
        found: list[Hit] = []
        for start in range(0, len(text), PIECE - _OVERLAP):
            piece = text[start : start + PIECE]
            found += (replace(hit, start=hit.start + start, end=hit.end + start) for hit in self._piece(piece, depth))
            if start + PIECE >= len(text):
                break
        return merged(found)

    def _piece(self, original: bytes, depth: int) -> list[Hit]:
        text = mask(original)
        found = views.runs(text)
        joined = b" ".join(found)
        hits = [*self._needles(text, joined), *self._patterns(text, joined), *self._matches(text)]
        if depth >= _DEEPEST:
            return hits
        hits += self._inside_runs(text, found, depth)
        view = views.unescape(text)
        if view is not None:
            hits += self._behind(text, view, depth)
        if any(len(run) >= 60 for run in found):
            view = views.unwrap(text)
            if view is not None:
                hits += self._behind(text, view, depth)
        return hits

    def _needles(self, text: bytes, joined: bytes) -> Iterator[Hit]:
        for needle in self._learned.needles:
            if needle.inside and needle.inside not in joined:
                continue
            spelling = needle.spelling
            start = text.find(spelling)
            while start >= 0:
                end = start + len(spelling)
                yield Hit(start=start, end=end, rule=needle.kind, secret=needle.secret)
                start = text.find(spelling, end)

    def _patterns(self, text: bytes, joined: bytes) -> Iterator[Hit]:
        for row in self._runs:
            if any(anchor in joined for anchor in row.anchors):
                yield from _row_hits(row, text, text)
        lowered = text.lower()
        for row in self._texts:
            searched = lowered if row.look is Look.FOLDED else text
            if any(anchor in searched for anchor in row.anchors):
                yield from _row_hits(row, searched, text)

    def _matches(self, text: bytes) -> Iterator[Hit]:
        for expression in self._expressions:
            for start, end in expression.spans(text):
                if start < end:
                    yield Hit(start=start, end=end, rule=expression.name, secret=text[start:end])

    def _behind(self, text: bytes, view: views.View, depth: int) -> Iterator[Hit]:
        for hit in self._hits(view.text, depth + 1):
            start, end = view.source(hit.start, hit.end)
            wraps = hit.wraps
            if b"%" in text[start:end] and b"%" not in view.text[hit.start : hit.end]:
                wraps = (*wraps, Wrap(before=b"", behind=b"", encode=percent_encoded))
            yield replace(hit, start=start, end=end, wraps=wraps)

    def _inside_runs(self, text: bytes, found: dict[bytes, list[int]], depth: int) -> Iterator[Hit]:
        clean = self._known_clean()
        for run, starts in found.items():
            if run in clean:
                continue
            hits = self._inside(run, depth, binary=False)
            if not hits and len(run) <= _LONGEST_KNOWN:
                clean.add(run)
            for start in starts:
                yield from (_shifted(hit, start, text) for hit in hits)
        for probe in self._learned.probes:
            at = text.find(probe)
            while at >= 0:
                start, end = views.run_around(text, at, at + len(probe))
                yield from (_shifted(hit, start, text) for hit in self._inside(text[start:end], depth, binary=True))
                at = text.find(probe, end)

    def _inside(self, run: bytes, depth: int, *, binary: bool) -> list[Hit]:
        hits: list[Hit] = []
        for decoded in views.decodings(run, binary=binary):
            for hit in self._hits(decoded.text, depth + 1):
                start, end = decoded.widen(hit.start, hit.end)
                last = end == len(decoded.text)
                wrap = Wrap(
                    before=decoded.text[start : hit.start],
                    behind=decoded.text[hit.end : end],
                    encode=decoded.codec.encode,
                    unit=1 if last else decoded.codec.unit,
                    ends_base64=last and decoded.codec.unit > 1,
                )
                first, behind = decoded.source(start, end)
                hits.append(replace(hit, start=first, end=behind, wraps=(*hit.wraps, wrap)))
        return hits

    def _known_clean(self) -> set[bytes]:
        """Runs (ids, names of models) that were read as base64 and hex and had nothing in them; they come again."""
        learned, clean = self._clean
        if learned != len(self._learned) or len(clean) > _MOST_KNOWN:
            clean = set()
            self._clean = (len(self._learned), clean)
        return clean


def _row_hits(row: Pattern, searched: bytes, text: bytes) -> Iterator[Hit]:
    for start, end in row.spans(searched):
        yield Hit(start=start, end=end, rule=row.name, secret=text[start:end])


def _shifted(hit: Hit, by: int, text: bytes) -> Hit:
    """A hit in a run as one in the text. Where it reaches the run's end, the padding behind belongs to it."""
    start, end = hit.start + by, hit.end + by
    wrap = hit.wraps[-1]
    padding = 0
    while wrap.ends_base64 and padding < 2 and text[end + padding : end + padding + 1] == b"=":
        padding += 1
    if not padding:
        return replace(hit, start=start, end=end)
    padded = replace(wrap, encode=lambda inner: _pad(wrap.encode(inner)))
    return replace(hit, start=start, end=end + padding, wraps=(*hit.wraps[:-1], padded))


def _pad(encoded: bytes) -> bytes:
    return encoded + b"=" * (-len(encoded) % 4)


def merged(hits: Iterable[Hit]) -> list[Hit]:
    """The hits in order, those that overlap as one; the longest gives the name, of equal ones the deepest decoded."""
    result: list[Hit] = []
    for hit in sorted(hits, key=lambda hit: hit.start):
        if not result or hit.start >= result[-1].end:
            result.append(hit)
            continue
        last = result[-1]
        longest = hit if hit.end - hit.start >= last.end - last.start else last
        result[-1] = replace(longest, start=last.start, end=max(last.end, hit.end))
    return result


def replaced(text: bytes, edits: Iterable[tuple[int, int, bytes]]) -> bytes:
    """`text` with each `start:end` replaced; the edits are in order and do not overlap."""
    parts: list[bytes] = []
    done = 0
    for start, end, new in edits:
        parts += (text[done:start], new)
        done = end
    parts.append(text[done:])
    return b"".join(parts)
