"""An interaction as nearly every one is: its two bodies aside, three patterns take it whole.

They are go-vcr's keys in its order; what may be left out or empty may be so here. Values are plain, or in quotes with
nothing in them to undo. `go_vcr_reader.py` reads whatever is more than that, line by line and to the same result.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from recorder.cassette.document import Layout
from recorder.cassette.scalars import PLAIN_REST

# A line for each of the cassette's, `?` before those that may be missing. Words in capitals are put in below.
_HEAD = r"""
ITEM- id: COUNT
KEYrequest:
FIELDproto: (?P<proto>TEXT)
FIELDproto_major: (?P<proto_major>NUMBER)
FIELDproto_minor: (?P<proto_minor>NUMBER)
FIELDcontent_length: (?P<content_length>NUMBER)
?FIELDtransfer_encoding: \[\]
?FIELDtrailer: \{\}
FIELDhost: (?P<host>TEXT)
?FIELDremote_addr: ""
?FIELDrequest_uri: ""
"""
_MIDDLE = r"""
?FIELDform: \{\}
?FIELDheaders:(?: \{\}|(?P<headers>NAMES))
FIELDurl: (?P<url>TEXT)
FIELDmethod: (?P<method>TEXT)
KEYresponse:
FIELDproto: (?P<proto>TEXT)
FIELDproto_major: (?P<proto_major>NUMBER)
FIELDproto_minor: (?P<proto_minor>NUMBER)
?FIELDtransfer_encoding:(?: \[\]|\nLIST(?P<chunked>chunked))
?FIELDtrailer: \{\}
FIELDcontent_length: (?P<content_length>NUMBER)
?FIELDuncompressed: (?:false|(?P<uncompressed>true))
"""
_TAIL = r"""
FIELDheaders:(?: \{\}|(?P<headers>NAMES))
FIELDstatus: (?P<status>TEXT)
FIELDcode: (?P<code>NUMBER)
FIELDduration: (?P<duration>DURATION)
"""
# Where a text is expected, a number is one too, and a null is none.
_PLAIN = rf"(?!(?:null|Null|NULL)\n)[0-9A-Za-z/]{PLAIN_REST}"
_SINGLE, _DOUBLE = r"'[ -&(-~]++'", r'"[ !#-\[\]-~]*+"'
_NAME = r"(?!(?:null|Null|NULL):)[A-Za-z][0-9A-Za-z-]{0,127}+"


@dataclass(frozen=True, slots=True, kw_only=True)
class Usual:
    """The patterns of one layout: what stands before, between and behind the bodies; a header, or a further value."""

    head: re.Pattern[bytes]
    middle: re.Pattern[bytes]
    tail: re.Pattern[bytes]
    value: re.Pattern[str]


@lru_cache(maxsize=8)
def usual(layout: Layout) -> Usual:
    key = layout.dash(0) + 2
    field = layout.step(key)
    name = " " * layout.step(field)
    item = " " * layout.dash(layout.step(field)) + "- "
    words = {
        "ITEM": " " * layout.dash(0),
        "KEY": " " * key,
        "FIELD": " " * field,
        "LIST": " " * layout.dash(field) + "- ",
        "COUNT": "(?:0|[1-9][0-9]{0,17})",
        "NUMBER": "(?:0|-?[1-9][0-9]{0,18})",
        "TEXT": f'(?:{_PLAIN}|"")',
        "DURATION": "-?[0-9][0-9.]*[a-z\u00b5][0-9a-z.\u00b5]*",
        "NAMES": rf"(?:\n{name}{_NAME}:(?:\n{item}(?:{_PLAIN}|{_SINGLE}|{_DOUBLE})(?=\n))++)++",
    }
    body = "FIELDbody: "
    return Usual(
        head=_pattern(_HEAD, f"(?P<body>{body})?", words),
        middle=_pattern(_MIDDLE, body, words),
        tail=_pattern(_TAIL, "", words),
        value=re.compile(rf"(?:\n{name}({_NAME}):)?\n{item}({_PLAIN}|{_SINGLE}|{_DOUBLE})"),
    )


def _pattern(template: str, end: str, words: dict[str, str]) -> re.Pattern[bytes]:
    lines = (f"(?:{line[1:]}\n)?" if line.startswith("?") else f"{line}\n" for line in template.strip().splitlines())
    return re.compile(re.sub("[A-Z]{2,}", lambda word: words[word[0]], "".join((*lines, end))).encode())
