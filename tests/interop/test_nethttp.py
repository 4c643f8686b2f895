"""`recorder.cassette.go_http` against its judge: go-vcr v4 inside a Go client, run for real (tests/interop/go/nethttp).

The Go program prints for each exchange what stood on the wire and what go-vcr stored; from the former we have to come
to the latter. What the wire cannot tell is listed, each with its reason, and is checked to differ: an entry of the
list that is no longer needed fails.
"""

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest

from recorder.cassette import go_http
from recorder.model import Fields
from recorder.wire.exchange import Exchange, WireFields, WireRequest, WireResponse
from tests.interop.building import GO, GO_VCR, build

BOTH = ("h1", "h2")
NOT_ON_THE_WIRE = {
    **{(f"{v} empty path", "request.url"): "the program wrote no path, and `/` is sent" for v in BOTH},
    **{(f"{v} fragment", "request.url"): "a fragment is not sent" for v in BOTH},
    ("h1 userinfo", "request.url"): "user and password are sent as Authorization",
    **{(f"{v} duplicate headers", "request.headers"): "white space around a value is not sent" for v in BOTH},
    **{(f"{v} user agent of go set", "request.headers"): "it looks like the transport's own" for v in BOTH},
    **{(f"{v} two user agents", "request.headers"): "the transport sends the first one" for v in BOTH},
    ("h2 two cookie headers", "request.headers"): "they look like the crumbs of one",
    **{(f"{v} implicit unknown length", "request.content_length"): "it looks like -1, which we say" for v in BOTH},
    ("h2 unknown length and nothing", "request.content_length"): "it looks like no body",
    ("h1 answer only: no reason and no space", "response.status"): "the space is not handed to us",
}
DECODED_ANYWAY = {
    ("h1 gzip asked for", field): "it looks like the transport's own asking, and we decode what we can in any case"
    for field in ("request.headers", "response.body", "response.headers", "response.uncompressed")
}
KNOWN = NOT_ON_THE_WIRE | DECODED_ANYWAY

# go-vcr refuses these before they are sent, as `ParseForm` does, or `net/http` refuses the answer.
REFUSED = {
    "refused: semicolon in the query",
    "refused: broken escape in the query",
    "refused: broken escape in the form",
    "h2 answer only: 304 of a length",
}


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    program = build(GO / "nethttp", tmp_path_factory.mktemp("nethttp") / "nethttp", GO_VCR["4.0.7"])
    ran = subprocess.run([program], capture_output=True, text=True, check=False, timeout=240)
    assert 0 == ran.returncode, ran.stderr
    return [json.loads(line) for line in ran.stdout.splitlines()]


def raw(value: str) -> bytes:
    return value.encode("latin-1")


def text(value: str) -> str:
    return raw(value).decode("utf-8", "surrogateescape")


def wire(pairs: list[list[str]] | None) -> WireFields:
    return tuple((raw(name), raw(value)) for name, value in pairs or ())


def exchange(name: str, seen: dict[str, Any]) -> Exchange:
    request, response = seen["request"], seen["response"]
    return Exchange(
        request=WireRequest(
            method=request["method"],
            url=text(request["url"]),
            http_version=request["version"],
            headers=wire(request["headers"]),
            body=raw(request["body"]),
            trailers=wire(request["trailers"]),
        ),
        response=WireResponse(
            code=response["code"],
            reason=text(response["reason"]),
            http_version=response["version"],
            headers=wire(response["headers"]),
            body=raw(response["body"]),
            trailers=wire(response["trailers"]),
        ),
        began=0,
        duration=0,
        chunks=((0, 0),) if "ended apart" in name else (),
        ended=0,
    )


def plain(value: object) -> object:
    """A value as JSON from the program has it, once that is read."""
    return dict(value) if isinstance(value, Fields) else value


def stored(field: str, value: Any) -> object:
    if field in ("headers", "trailer", "form"):
        return {text(name): tuple(text(each) for each in values) for name, values in value}
    if field == "transfer_encoding":
        return tuple(text(each) for each in value)
    if field == "body":
        return raw(value)
    return text(value) if isinstance(value, str) else value


def differences(outcome: dict[str, Any]) -> dict[tuple[str, str], str]:
    found: dict[tuple[str, str], str] = {}
    earlier: Exchange | None = None
    for seen in outcome["exchanges"] or ():
        current = exchange(outcome["name"], seen)
        redirected = earlier is not None and go_http.follows(current.request, earlier)
        interaction = go_http.interaction(current, redirected=redirected)
        earlier = current
        for part, ours in (("request", interaction.request), ("response", interaction.response)):
            for field, value in seen["stored"][part].items():
                go, here = stored(field, value), plain(getattr(ours, field))
                if go != here:
                    found[outcome["name"], f"{part}.{field}"] = f"go-vcr has {go!r}, we have {here!r}"
    return found


def test_an_interaction_is_what_go_vcr_stores(outcomes: list[dict[str, Any]]) -> None:
    found: dict[tuple[str, str], str] = {}
    for outcome in outcomes:
        found |= differences(outcome)
    assert {} == {key: found[key] for key in found.keys() - KNOWN.keys()}
    assert set() == KNOWN.keys() - found.keys()


def test_every_case_was_recorded_or_is_known_to_be_refused(outcomes: list[dict[str, Any]]) -> None:
    assert REFUSED == {outcome["name"] for outcome in outcomes if not outcome["exchanges"]}
    assert sum(len(outcome["exchanges"] or ()) for outcome in outcomes) >= 200


def test_redirects_are_followed_in_pairs(outcomes: list[dict[str, Any]]) -> None:
    pairs = [outcome for outcome in outcomes if outcome["name"][3:].startswith("redirect ")]
    assert [2] * 10 == [len(outcome["exchanges"]) for outcome in pairs]
    assert {""} == {outcome["exchanges"][1]["stored"]["request"]["proto"] for outcome in pairs}
