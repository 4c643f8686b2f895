"""Text → interactions, one by one, and how far a file is whole. Strict: a wrong interaction never comes out.

Each interaction is first read as go-vcr spells it (`go_vcr_reader.py`). The lines of one that was edited by hand go
through the general path (`yaml_reader.py`), and a file that is laid out in another way goes through it as a whole.
`CassetteError` is the only exception, whatever the bytes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from recorder.cassette.document import CHARM, GO_VCR, SEED, Cassette, Layout
from recorder.cassette.go_vcr_reader import Data, DirectReader, TornError
from recorder.cassette.scalar_reader import ForeignError
from recorder.cassette.writer import header
from recorder.errors import CassetteError
from recorder.model import Interaction

_HEADER = re.compile(rb"(?:---\n)?version: 2\ninteractions:\n")
_COMMENTS = re.compile(rb"(?: *#[ -~]*\n)*")  # between interactions, as in NAME.incomplete.yaml
_TORN_COMMENT = re.compile(rb" *#[ -~]*\Z")
_FIRST_DASH = re.compile(rb"( {0,4})- ")
_BY_DASH: dict[int | None, Layout] = {layout.dash(0): layout for layout in (GO_VCR, SEED, CHARM)}
_DASHES = tuple(b" " * layout.dash(0) + b"- " for layout in (GO_VCR, SEED, CHARM))
_LONGEST_DASH = max(map(len, _DASHES))
_CHUNK = 2**20
_LARGEST = 32 * 2**20
"""Bytes of text that go through a YAML parser at once: a second of time and less than 200 MB, whatever is in them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """How far a file is whole, for whoever appends to it.

    `count`: its whole interactions. `end`: the byte where the last of them ends, and the next one goes; 0 if not even
    the header is there as it is needed, so that the file is to be started anew. `torn`: what stands behind `end` is the
    rest of a write that was cut off, and nothing else.
    """

    layout: Layout
    count: int
    end: int
    torn: bool


def loads(data: Data | str, name: str = "<cassette>") -> Cassette:
    """The whole cassette; `name` is the file's, for errors. CassetteError."""
    reader = _Reader(_bytes(data, name), name)
    found = tuple(reader.walk())
    return Cassette(interactions=found, layout=reader.layout)


def interactions(data: Data | str, name: str = "<cassette>") -> Iterator[Interaction]:
    """One interaction after the other. What follows the last one taken is not looked at. CassetteError."""
    yield from _Reader(_bytes(data, name), name).walk()


def survey(data: Data | str, name: str = "<cassette>", layout: Layout = GO_VCR) -> Survey:
    """How far the file is whole. `layout` is for a file that does not show one yet.

    CassetteError for any damage but a torn tail, and for a file that cannot be appended to as it is.
    """
    text = _bytes(data, name)
    start = header(layout)
    if len(text) <= len(start) and start.startswith(text[:]):
        whole = len(text) == len(start)
        return Survey(layout=layout, count=0, end=len(text) if whole else 0, torn=0 < len(text) < len(start))
    reader = _Reader(text, name, layout)
    try:
        count = sum(1 for _ in reader.walk())
    except _TornTailError as torn:
        return Survey(layout=reader.layout, count=torn.count, end=torn.start, torn=True)
    if count and not reader.appendable:
        raise CassetteError(
            name=name,
            line=0,
            expected="a block list of interactions at the end of the file, to append to",
            found="another layout",
            advice="write it anew, or record into another cassette",
        )
    return Survey(layout=reader.layout, count=count, end=reader.end, torn=False)


def _bytes(data: Data | str, name: str) -> Data:
    if not isinstance(data, str):
        return data
    try:
        return data.encode()
    except UnicodeEncodeError as error:
        line = data.count("\n", 0, error.start) + 1
        raise CassetteError(name=name, line=line, expected="Unicode text", found="half a surrogate pair") from None


class _TornTailError(CassetteError):
    """The file ends in mid-interaction, and is whole up to `start`."""

    def __init__(self, *, name: str, line: int, count: int, start: int) -> None:
        super().__init__(
            name=name,
            line=line,
            expected="a whole interaction",
            found=f"the end of the file, in the middle of interaction {count}",
            advice="the next recorder that appends to it cuts this one off",
        )
        self.count = count
        self.start = start


class _Reader:
    """One walk over one file. `layout`, `end` and `appendable` are true to the file once the walk is over."""

    def __init__(self, data: Data, name: str, layout: Layout = GO_VCR) -> None:
        self._data = data
        self._name = name
        self.layout = layout
        self.end = 0
        self.appendable = True

    def walk(self) -> Iterator[Interaction]:
        start = _HEADER.match(self._data)
        if start is None:
            yield from self._whole(0)
            return
        self.end = start.end()
        dash = _FIRST_DASH.match(self._data, self._behind_comments(self.end))
        if dash is None or len(dash[1]) not in _BY_DASH:
            yield from self._without_dash()
            return
        self.layout = _BY_DASH[len(dash[1])]
        direct = DirectReader(self._data, self.layout)
        count = 0
        while self.end < len(self._data):
            try:
                interaction, self.end = self._next(direct, dash[0], count)
            except ForeignError:
                yield from self._whole(count)
                return
            yield interaction
            count += 1
        if direct.candidate:
            self.layout = replace(self.layout, candidate=direct.candidate)

    def _without_dash(self) -> Iterator[Interaction]:
        """What follows a header, if not an interaction in a known layout: nothing, the start of a dash, or anything."""
        rest = self._data[self.end : self.end + _LONGEST_DASH]
        if any(layout.startswith(rest) for layout in _DASHES):
            if rest:
                raise self._torn(0)
            return
        yield from self._whole(0)

    def _next(self, direct: DirectReader, dash: bytes, count: int) -> tuple[Interaction, int]:
        """The interaction at `end`, and where it ends. ForeignError if only the whole file can tell."""
        start = self.end
        if not self._is_dash(start, dash):
            start = self._behind_comments(start)
            if self._is_torn_comment(start):
                raise self._torn(count)
        try:
            interaction, end = direct.interaction(start)
        except TornError:
            raise self._torn(count) from None
        except ForeignError:
            return self._edited(dash)
        # Behind it stands the next one, the start of one, or nothing.
        if self._is_dash(end, dash):
            return interaction, end
        behind = self._behind_comments(end)
        if behind == len(self._data):
            return interaction, behind
        if dash.startswith(self._data[behind : behind + len(dash)]) or self._is_torn_comment(behind):
            return interaction, end
        return self._edited(dash)

    def _is_dash(self, position: int, dash: bytes) -> bool:
        return self._data[position : position + len(dash)] == dash

    def _behind_comments(self, position: int) -> int:
        comments = _COMMENTS.match(self._data, position)
        assert comments is not None
        return comments.end()

    def _is_torn_comment(self, position: int) -> bool:
        """Whether a comment starts there that the file ends in."""
        return _TORN_COMMENT.match(self._data, position) is not None

    def _edited(self, dash: bytes) -> tuple[Interaction, int]:
        """An interaction spelled in another way, up to the next line that starts like one.

        If its lines are a whole list of one by themselves, they are so in the file too: no quoted text is left open,
        and the dash ends every block. If they are not, the next dash may be part of a text.
        """
        # No further than what `_slice` takes: there may be gigabytes of anything.
        end = self._data.find(b"\n" + dash, self.end, self.end + _LARGEST) + 1
        if not end:
            self._slice(self.end, len(self._data))
            end = self._without_torn_dash(dash)
        from recorder.cassette import yaml_reader  # noqa: PLC0415 - it needs PyYAML, and most files do not

        lines = self._slice(self.end, end)
        try:
            return yaml_reader.interaction(lines, self._name, 1), end
        except CassetteError:
            if len(self._data) <= _LARGEST:
                raise ForeignError from None
        return yaml_reader.interaction(lines, self._name, self._line(self.end)), end

    def _without_torn_dash(self, dash: bytes) -> int:
        """The end of the file, less the first few bytes of another interaction if they were all that was written."""
        last = self._data.rfind(b"\n") + 1
        return last if dash.startswith(self._data[last : last + len(dash)]) else len(self._data)

    def _whole(self, skip: int) -> Iterator[Interaction]:
        from recorder.cassette import yaml_reader  # noqa: PLC0415 - the same

        document = yaml_reader.document(self._slice(0, len(self._data)), self._name)
        self.end = len(self._data) if document.interactions else 0
        self.appendable = document.dash in _BY_DASH
        self.layout = _BY_DASH.get(document.dash, self.layout)
        yield from document.interactions[skip:]

    def _slice(self, start: int, end: int) -> bytes:
        if end - start <= _LARGEST:
            return self._data[start:end]
        raise CassetteError(
            name=self._name,
            line=self._line(start),
            expected=f"no more than {_LARGEST // 2**20} MiB in another spelling than go-vcr's",
            found=f"{(end - start) // 2**20} MiB",
        )

    def _torn(self, count: int) -> _TornTailError:
        return _TornTailError(name=self._name, line=self._line(self.end), count=count, start=self.end)

    def _line(self, position: int) -> int:
        chunks = range(0, position, _CHUNK)
        return 1 + sum(self._data[start : min(start + _CHUNK, position)].count(b"\n") for start in chunks)
