"""The cassette format of go-vcr, version 2: pure functions between text and interactions. No I/O.

`document` has the nouns, `schema` the keys; `duration` and `scalars` spell one value; `writer` turns an interaction
into text. `reader` goes the other way: by `go_vcr_reader` where go-vcr wrote the text (most of it by `head_patterns`,
with `scalar_reader` for what stands in quotes), by `yaml_reader` where a person did.
"""

from recorder.cassette.document import CHARM, GO_VCR, LAYOUTS, SEED, Cassette, Layout
from recorder.cassette.duration import format_duration, parse_duration
from recorder.cassette.reader import Survey, interactions, loads, survey
from recorder.cassette.writer import dumps, header, render

__all__ = [
    "CHARM",
    "GO_VCR",
    "LAYOUTS",
    "SEED",
    "Cassette",
    "Layout",
    "Survey",
    "dumps",
    "format_duration",
    "header",
    "interactions",
    "loads",
    "parse_duration",
    "render",
    "survey",
]
