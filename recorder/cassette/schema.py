"""The keys of go-vcr's structs, in their order, and what each holds. Both paths of the reader go by these."""

from __future__ import annotations

from enum import Enum, auto


class Kind(Enum):
    TEXT = auto()
    BODY = auto()  # a text that stays bytes
    NUMBER = auto()
    FLAG = auto()
    LIST = auto()  # of texts
    FIELDS = auto()  # names, each with a list of texts
    DURATION = auto()


REQUEST = {
    "proto": Kind.TEXT,
    "proto_major": Kind.NUMBER,
    "proto_minor": Kind.NUMBER,
    "content_length": Kind.NUMBER,
    "transfer_encoding": Kind.LIST,
    "trailer": Kind.FIELDS,
    "host": Kind.TEXT,
    "remote_addr": Kind.TEXT,
    "request_uri": Kind.TEXT,
    "body": Kind.BODY,
    "form": Kind.FIELDS,
    "headers": Kind.FIELDS,
    "url": Kind.TEXT,
    "method": Kind.TEXT,
}
RESPONSE = {
    "proto": Kind.TEXT,
    "proto_major": Kind.NUMBER,
    "proto_minor": Kind.NUMBER,
    "transfer_encoding": Kind.LIST,
    "trailer": Kind.FIELDS,
    "content_length": Kind.NUMBER,
    "uncompressed": Kind.FLAG,
    "body": Kind.BODY,
    "headers": Kind.FIELDS,
    "status": Kind.TEXT,
    "code": Kind.NUMBER,
    "duration": Kind.DURATION,
}

# What go-vcr always writes; all else is `omitempty`. The last of each ends its mapping.
ALWAYS_IN_REQUEST = ("proto", "proto_major", "proto_minor", "content_length", "host", "url", "method")
ALWAYS_IN_RESPONSE = (
    "proto", "proto_major", "proto_minor", "content_length", "body", "headers", "status", "code", "duration",
)  # fmt: skip

# What a file edited by hand may not do without: the rest has a zero value in Go, these mean a cut.
NEEDED_IN_REQUEST = ("url", "method")
NEEDED_IN_RESPONSE = ("body", "headers", "status", "code", "duration")

NULLS = frozenset(("~", "null", "Null", "NULL"))
"""Plain words that are no text: go-yaml leaves a string empty for them."""
