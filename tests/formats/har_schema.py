"""HAR 1.2 as a JSON schema, made from its specification: http://www.softwareishard.com/blog/har-12-spec.

Stricter than the schemas that are around: a field that the specification does not have must start with an underscore.
"""

from __future__ import annotations

from typing import Any

TEXT = {"type": "string"}
NUMBER = {"type": "integer"}
MILLISECONDS = {"type": "number", "minimum": 0}
OPTIONAL_MILLISECONDS = {"type": "number", "minimum": -1}
SIZE = {"type": "integer", "minimum": -1}
DATE = {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$"}


def record(optional: dict[str, Any] | None = None, **required: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "required": list(required),
        "properties": {**required, **(optional or {}), "comment": TEXT},
        "patternProperties": {"^_": {}},
        "additionalProperties": False,
    }


def some(of: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": of}


PAIRS = some(record(name=TEXT, value=TEXT))
COOKIES = some(
    record(
        {"path": TEXT, "domain": TEXT, "expires": DATE, "httpOnly": {"type": "boolean"}, "secure": {"type": "boolean"}},
        name=TEXT,
        value=TEXT,
    )
)
POST_DATA = record(
    {"text": TEXT, "params": some(record({"value": TEXT, "fileName": TEXT, "contentType": TEXT}, name=TEXT))},
    mimeType=TEXT,
)
REQUEST = record(
    {"postData": POST_DATA},
    method=TEXT,
    url={"type": "string", "pattern": "^https?://"},
    httpVersion=TEXT,
    cookies=COOKIES,
    headers=PAIRS,
    queryString=PAIRS,
    headersSize=SIZE,
    bodySize=SIZE,
)
RESPONSE = record(
    status=NUMBER,
    statusText=TEXT,
    httpVersion=TEXT,
    cookies=COOKIES,
    headers=PAIRS,
    content=record({"compression": NUMBER, "text": TEXT, "encoding": TEXT}, size=NUMBER, mimeType=TEXT),
    redirectURL=TEXT,
    headersSize=SIZE,
    bodySize=SIZE,
)
TIMINGS = record(
    dict.fromkeys(("blocked", "dns", "connect", "ssl"), OPTIONAL_MILLISECONDS),
    send=MILLISECONDS,
    wait=MILLISECONDS,
    receive=MILLISECONDS,
)
ENTRY = record(
    {"pageref": TEXT, "serverIPAddress": TEXT, "connection": TEXT},
    startedDateTime=DATE,
    time=MILLISECONDS,
    request=REQUEST,
    response=RESPONSE,
    cache=record({"beforeRequest": {}, "afterRequest": {}}),
    timings=TIMINGS,
)
PAGE = record(
    startedDateTime=DATE,
    id=TEXT,
    title=TEXT,
    pageTimings=record({"onContentLoad": OPTIONAL_MILLISECONDS, "onLoad": OPTIONAL_MILLISECONDS}),
)
PROGRAM = record(name=TEXT, version=TEXT)
HAR = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "required": ["log"],
    "properties": {
        "log": record(
            {"pages": some(PAGE), "browser": PROGRAM}, version={"const": "1.2"}, creator=PROGRAM, entries=some(ENTRY)
        )
    },
    "additionalProperties": False,
}
