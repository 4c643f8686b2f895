"""Finds secrets in bytes, whatever they are written in, and says where each stands and what takes its place.

Nothing here knows HTTP or JSON. A text is searched as it is, then behind each layer of escapes, then inside what reads
as base64 or hex; a hit is carried back to the text that it came from, with what is needed to write its placeholder in
the same encoding.

While one call into `re` or `bytes.find` runs, no other thread of the process does, the event loop included. So long
texts are searched in pieces, and expressions are tried only where one of their anchors stands.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial

from recorder.errors import BodyError
from recorder.scrub import compressed, decoding, utf16
from recorder.scrub.clean_texts import CleanTexts
from recorder.scrub.hits import Hit, Wrap, merged, percent_encoded
from recorder.scrub.known_values import Learned
from recorder.scrub.patterns import PATTERNS, Look, Pattern
from recorder.scrub.placeholder import mask
from recorder.scrub.rendered import PIECE, as_lines, own_numbers, without_body
from recorder.scrub.stream_digest import Condensed, condense
from recorder.scrub.streams import is_stream, texts

_OVERLAP = 1 << 14
"""Bytes that two pieces share, so that what one cuts is whole in the next: more than any key or token has."""

_DEEPEST = 5
"""Layers of encodings. Each is shorter than the one around it; a limit, so that no text can be made to be slow."""

_LEAST_DOCUMENT = 64
"""Bytes beside a secret in a run of base64 or hex that make it a document, and not the secret in another spelling."""
_LEAST_WRAPPED = 60
_LEAST_CONDENSED = 2048
_MOST_UNPACKED = 1 << 20
"""Bytes that compressed text inside a text may come to, to be searched."""
_LONG = 1 << 14
"""Bytes of a run that is looked at by itself: an image, which has fewer signs in it than all runs together."""
_MOST_PACKED = 64
"""Runs of one piece that are tried for compressed text."""
_MANY = 32
"""Runs from which on it is tried first whether any says something."""
_LONGEST_KNOWN = 256
_FIELDS = re.compile(rb" request:(\n +)")
"""The first field of an interaction, and so the column of all of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expression:
    """The user's own: every match is a secret, or its group `secret` if it has one."""

    name: str
    spans: Callable[[bytes], Iterable[tuple[int, int]]]


class Finder:
    """What is searched for: learned values, the table of patterns, the user's expressions."""

    __slots__ = ("_clean", "_expressions", "_learned", "_rows")

    def __init__(
        self, learned: Learned, expressions: Iterable[Expression] = (), patterns: Iterable[Pattern] = PATTERNS
    ) -> None:
        self._learned = learned
        self._expressions = tuple(expressions)
        rows = tuple(patterns)
        self._rows = {look: _by_anchor(row for row in rows if row.look is look) for look in Look}
        self._clean = CleanTexts(learned=0)

    def suspects(self, body: bytes) -> bool:
        """Whether there is anything to be found in a body, or in what its pieces add up to if it is a stream.

        Never False where a search of the whole has something; but a stream is read once, and only what is new in its
        lines is searched.
        """
        clean = self._known_clean()  # this one all through: what is learned meanwhile was not searched for here
        if body in clean.bodies:
            return False
        condensed = self._condensed(body)
        if condensed is None:
            suspects = bool(self.hits(body)) or (is_stream(body) and any(map(self.hits, texts(body))))
        else:
            suspects = self._suspects_condensed(condensed)
        if not suspects:
            clean.add_body(body)
        return suspects

    def suspects_rendered(self, rendered: bytes, bodies: Collection[bytes]) -> bool:
        """The same for an interaction as it is written, with its `bodies`, in which streams are added up once more."""
        rest = self._without_clean(rendered, bodies)
        condensed = self._condensed(as_lines(rest))
        if condensed is None:
            return bool(self.hits(rest)) or any(map(self.suspects, bodies))
        if self._suspects_condensed(condensed):
            return True
        # Where all frames were seen as lines of the rendered text, its columns are those of the bodies.
        frames = sum(map(_frames, bodies))
        return condensed.frames < frames and any(map(self.suspects, bodies))

    def _without_clean(self, rendered: bytes, bodies: Iterable[bytes]) -> bytes:
        """Bodies that were searched and had nothing in them are looked for as they are, and not into again.

        Where that is all of them, the numbers that tell one interaction from another are left out, too: what is left is
        most often the same as before.
        """
        clean = self._known_clean()
        fields = _FIELDS.search(rendered)
        if fields is None:
            return rendered
        column = fields[1]
        others = False
        for body in filter(None, bodies):
            is_clean = body in clean.bodies or body in clean.texts
            without = without_body(rendered, body, column) if is_clean else None
            if without is None:
                others = True
            else:
                rendered = without
        return rendered if others else own_numbers(column).sub(b"", rendered)

    def _suspects_condensed(self, condensed: Condensed) -> bool:
        """What was searched before, for the scrubber or for the gate behind it, is the same text and says the same."""
        clean = self._known_clean()
        parts = [part for part in (*condensed.parts, *condensed.columns) if part not in clean.texts]
        if self.hits(b"\n".join(parts)):
            return True
        for part in parts:
            clean.add(part)
        return False

    def _condensed(self, text: bytes) -> Condensed | None:
        return condense(text) if len(text) >= _LEAST_CONDENSED and self._condensable() else None

    def _condensable(self) -> bool:
        """A value that goes over the end of a line or of a JSON string could be cut; so could an expression's."""
        return not self._expressions and not self._learned.spans_lines

    def hits(self, text: bytes) -> list[Hit]:
        """Every secret in `text`, in order, none overlapping another."""
        if not text:
            return []
        clean = self._known_clean()
        if text in clean.texts:
            return []
        found = self._hits(text, 0)
        if not found:
            clean.add(text)
        return found

    def kind(self, value: bytes) -> str:
        """What to call a value that is a secret because of where it stands."""
        learned = self._learned.kind(value)
        if learned is not None:
            return learned
        rows = self._candidates(value, b" ".join(decoding.runs(value)))
        return next((hit.rule for hit in _row_hits(rows, value) if hit.end - hit.start == len(value)), "credential")

    def _hits(self, text: bytes, depth: int, rows: list[Pattern] | None = None) -> list[Hit]:
        if len(text) <= PIECE:
            return merged(self._piece(text, depth, rows))
        found: list[Hit] = []
        for start in range(0, len(text), PIECE - _OVERLAP):
            piece = text[start : start + PIECE]
            found += (
                replace(hit, start=hit.start + start, end=hit.end + start) for hit in self._piece(piece, depth, rows)
            )
            if start + PIECE >= len(text):
                break
        return merged(found)

    def _piece(self, original: bytes, depth: int, rows: list[Pattern] | None) -> list[Hit]:
        text = mask(original)
        found = decoding.runs(text)
        joined = b" ".join(found)
        rows = self._candidates(text, joined) if rows is None else rows
        hits = [*self._needles(text, joined), *_row_hits(rows, text), *self._matches(text)]
        if depth >= _DEEPEST:
            return hits
        hits += self._inside_runs(text, found, depth)
        hits += self._behind_escapes(text, rows, found, depth)
        if any(len(run) >= _LEAST_WRAPPED for run in found):
            hits += self._behind(text, decoding.unwrap(text), depth)
        for charset, view in utf16.views(original):
            encode = partial(utf16.encode, name=charset)
            hits += (
                replace(hit, wraps=(*hit.wraps, Wrap(before=b"", behind=b"", encode=encode)))
                for hit in self._behind(text, view, depth)
            )
        return hits

    def _behind_escapes(self, text: bytes, rows: list[Pattern], found: Iterable[bytes], depth: int) -> Iterator[Hit]:
        if not decoding.is_plain(text):
            yield from self._behind(text, decoding.unescape(text), depth)
        elif rows or self._learned.has_blanks or self._expressions or any(len(run) >= _LEAST_WRAPPED for run in found):
            # Nothing that an anchor is made of is escaped here, only quotes and blanks: the rows are the same, and what
            # is to be gained is that the `n` of `\\n` is no part of a key.
            yield from self._behind(text, decoding.unescape(text), depth, rows)

    def _needles(self, text: bytes, joined: bytes) -> Iterator[Hit]:
        for needle in self._learned.candidates(joined):
            spelling = needle.spelling
            start = text.find(spelling)
            while start >= 0:
                end = start + len(spelling)
                yield Hit(start=start, end=end, rule=needle.kind, secret=needle.secret)
                start = text.find(spelling, end)

    def _candidates(self, text: bytes, joined: bytes) -> list[Pattern]:
        """The rows that have an anchor in the text; `joined`: its runs."""
        found: list[Pattern] = []
        looked = ((Look.RUN, runs) for runs in _apart(joined))
        for look, where in (*looked, (Look.TEXT, text), (Look.FOLDED, text.lower())):
            for sign, anchored in self._rows[look].items():
                # A comprehension, and no generator: this is the inner loop of all searching.
                if where and sign in where:
                    found += [row for anchor, rows in anchored.items() if anchor in where for row in rows]
        return list(dict.fromkeys(found))

    def _matches(self, text: bytes) -> Iterator[Hit]:
        for expression in self._expressions:
            for start, end in expression.spans(text):
                if start < end:
                    yield Hit(start=start, end=end, rule=expression.name, secret=text[start:end])

    def _behind(
        self, text: bytes, view: decoding.View | None, depth: int, rows: list[Pattern] | None = None
    ) -> Iterator[Hit]:
        if view is None:
            return
        for hit in self._hits(view.text, depth + 1, rows):
            start, end = view.source(hit.start, hit.end)
            wraps = hit.wraps
            if b"%" in text[start:end] and b"%" not in view.text[hit.start : hit.end]:
                wraps = (*wraps, Wrap(before=b"", behind=b"", encode=percent_encoded))
            yield replace(hit, start=start, end=end, wraps=wraps)

    def _inside_runs(self, text: bytes, found: dict[bytes, list[int]], depth: int) -> Iterator[Hit]:
        known = self._known_clean()
        unknown = {run: starts for run, starts in found.items() if run not in known.runs}
        if (
            len(unknown) >= _MANY
            and not decoding.may_be_packed(b" ".join(unknown))
            and not decoding.may_have_text(unknown)
        ):
            unknown = {}
        tried = 0
        for run, starts in unknown.items():
            hits = self._inside(run, depth, binary=False)
            if not hits and tried < _MOST_PACKED and decoding.may_be_packed(run):
                tried += 1
                hits = self._packed(run, depth)
            if not hits and len(run) <= _LONGEST_KNOWN:
                known.add_run(run)
            for start in starts:
                yield from (_shifted(hit, start, text) for hit in hits)
        for probe in self._learned.probes:
            at = text.find(probe)
            while at >= 0:
                start, end = decoding.run_around(text, at, at + len(probe))
                yield from (_shifted(hit, start, text) for hit in self._inside(text[start:end], depth, binary=True))
                at = text.find(probe, end)

    def _inside(self, run: bytes, depth: int, *, binary: bool) -> list[Hit]:
        return [
            _encoded(hit, decoded)
            for decoded in decoding.decodings(run, binary=binary)
            for hit in self._decoded_hits(decoded.text, depth)
        ]

    def _packed(self, run: bytes, depth: int) -> list[Hit]:
        """Compressed and then base64 or hex: with a secret in it, all of it is one."""
        for start, data in decoding.packed_parts(run):
            with suppress(BodyError):
                found = compressed.unpack(data, limit=_MOST_UNPACKED)
                if found and (hits := self._hits(found.plain, depth + 1)):
                    return [replace(hits[0], start=start, end=len(run), wraps=())]
        return []

    def _decoded_hits(self, text: bytes, depth: int) -> list[Hit]:
        """A key that is sought as a word of its own may stand behind letters that only shift it in its group of three,
        or that come from reading what was in front of the base64: so its row is tried with a NUL there too."""
        hits = self._hits(text, depth + 1)
        joined = b" ".join(decoding.runs(text))
        for sign, anchored in self._rows[Look.RUN].items():
            for anchor, rows in anchored.items() if sign in joined else ():
                if anchor in joined:
                    free = bytearray(text)
                    at = text.find(anchor, 1)
                    while at > 0:
                        free[at - 1] = 0
                        at = text.find(anchor, at + 1)
                    hits += _row_hits(rows, mask(bytes(free)))
        return merged(hits)

    def _known_clean(self) -> CleanTexts:
        clean = self._clean
        if clean.learned != len(self._learned):
            clean = self._clean = CleanTexts(learned=len(self._learned))
        return clean


def _apart(joined: bytes) -> list[bytes]:
    """The runs in a few texts: the long ones each, and all others as one."""
    if len(joined) < _LONG:
        return [joined]
    runs = joined.split(b" ")
    return [b" ".join([run for run in runs if len(run) < _LONG]), *(run for run in runs if len(run) >= _LONG)]


_Anchored = dict[bytes, dict[bytes, tuple[Pattern, ...]]]


def _by_anchor(rows: Iterable[Pattern]) -> _Anchored:
    """The rows by their anchors, apart by a sign that is in these and not in most runs: none is in base64."""
    found: _Anchored = {}
    for row in rows:
        for anchor in row.anchors:
            sign = next((sign for sign in (b"_", b"-", b".") if sign in anchor), b"")
            anchored = found.setdefault(sign, {})
            anchored[anchor] = (*anchored.get(anchor, ()), row)
    return found


def _row_hits(rows: Iterable[Pattern], text: bytes) -> Iterator[Hit]:
    for row in rows:
        for start, end in row.spans(text.lower() if row.look is Look.FOLDED else text):
            yield Hit(start=start, end=end, rule=row.name, secret=text[start:end])


def _encoded(hit: Hit, decoded: decoding.Decoded) -> Hit:
    """A hit in what a run says as one in the run. A document stays readable; a secret alone is replaced as it stands,
    since its placeholder in base64 would look like a secret again, to a person and to other scanners."""
    start, end = decoded.widen(hit.start, hit.end)
    first, behind = decoded.source(start, end)
    if len(decoded.text) - (hit.end - hit.start) < _LEAST_DOCUMENT:
        return replace(hit, start=first, end=behind, wraps=())
    last = end == len(decoded.text)
    wrap = Wrap(
        before=decoded.text[start : hit.start],
        behind=decoded.text[hit.end : end],
        encode=decoded.codec.encode,
        unit=1 if last else decoded.codec.unit,
        ends_base64=last and decoded.codec.unit > 1,
    )
    return replace(hit, start=first, end=behind, wraps=(*hit.wraps, wrap))


def _shifted(hit: Hit, by: int, text: bytes) -> Hit:
    """A hit in a run as one in the text. Where it reaches the run's end, the padding behind belongs to it."""
    start, end = hit.start + by, hit.end + by
    if not hit.wraps:
        return replace(hit, start=start, end=end)
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


def _frames(body: bytes) -> int:
    """At least as many frames as a body has."""
    if not is_stream(body):
        return 0
    if body.lstrip()[:1] in {b"{", b"["}:
        return body.count(b"\n{") + 1 if body[:1] == b"{" else len(body)
    return body.count(b"\ndata:") + body.startswith(b"data:") - body[-32:].endswith(b"data: [DONE]\n\n")
