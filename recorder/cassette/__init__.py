"""The cassette format of go-vcr, version 2: pure functions between text and interactions. No I/O.

`document` has the nouns; `duration` and `scalars` spell one value; `writer` turns an interaction into text; `reader`
goes the other way.
"""

from recorder.cassette.document import CHARM, GO_VCR, LAYOUTS, SEED, Cassette, Layout
from recorder.cassette.duration import format_duration, parse_duration
from recorder.cassette.writer import dumps, header, render

__all__ = [
    "CHARM",
    "GO_VCR",
    "LAYOUTS",
    "SEED",
    "Cassette",
    "Layout",
    "dumps",
    "format_duration",
    "header",
    "parse_duration",
    "render",
]
