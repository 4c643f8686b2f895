"""The nouns of the format: a cassette, and the layout that it is written in."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType

from recorder.model import Interaction


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """How a cassette is indented, and by which go-yaml.

    `indent`: spaces a mapping level. `compact`: whether the dash of a sequence counts as indentation.

    `candidate`: the release candidate of go-yaml v4 whose hand it is. Two are in the wild, and they differ in two
    places only. 3 (go-vcr up to v4.0.6) puts an indent digit before a block that starts with a line break, and writes
    the booleans, base-60 numbers and merge keys of YAML 1.1 in double quotes; 6 (go-vcr v4.0.7) leaves the digit out
    and takes single quotes.
    """

    name: str
    indent: int
    compact: bool
    candidate: int = 3

    def step(self, column: int) -> int:
        """Where a mapping, or the text of a block, stands below a key in `column`."""
        return self.indent * ((column + self.indent) // self.indent)

    def dash(self, column: int) -> int:
        """Where the dashes of a sequence stand below a key in `column`."""
        return self.step(column) - (2 if self.compact else 0)


GO_VCR = Layout(name="go-vcr", indent=4, compact=False)
SEED = Layout(name="seed", indent=4, compact=True)
CHARM = Layout(name="charm", indent=2, compact=True)

LAYOUTS = MappingProxyType({layout.name: layout for layout in (GO_VCR, SEED, CHARM)})


@dataclass(frozen=True, slots=True, kw_only=True)
class Cassette:
    """All interactions of a file, in its order."""

    interactions: tuple[Interaction, ...]
    layout: Layout = GO_VCR
