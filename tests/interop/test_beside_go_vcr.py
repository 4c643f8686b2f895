"""Our recorder between a Go client and a server, go-vcr inside the client: two cassettes of the very same exchanges.

The Go program (tests/interop/go/nethttp) records its cases with go-vcr in-process through a real recorder of ours.
Both files are equal to the byte but for `duration`. Where a byte cannot be known where we stand, the case is listed
with its reason, and checked to differ in just that: an entry that is no longer needed fails.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import zip_longest
from pathlib import Path
from typing import Any

import pytest

from recorder.cassette import GO_VCR as LAYOUT
from recorder.cassette import Cassette, dumps, loads
from recorder.model import Fields, Interaction
from tests.e2e.processes import RecorderProcess, launching
from tests.interop.building import GO, GO_VCR, build

KEY = "sk-or-v1-" + "0123456789abcdef" * 4
BOTH = ("h1", "h2")

NOT_ON_THE_WIRE = {
    **{(f"{v} empty path", "request.url"): "the program wrote no path, and `/` is sent" for v in BOTH},
    **{(f"{v} fragment", "request.url"): "a fragment is not sent" for v in BOTH},
    ("h1 userinfo", "request.url"): "user and password are sent as Authorization",
    ("h1 host set", "request.url"): "a proxy is sent the host that the program set, not the one that it meant",
    ("h1 duplicate headers", "request.headers"): "white space around a value is not sent",
    **{(f"{v} user agent of go set", "request.headers"): "it looks like the transport's own" for v in BOTH},
    **{(f"{v} two user agents", "request.headers"): "the transport sends the first one" for v in BOTH},
    ("h2 two cookie headers", "request.headers"): "they look like the crumbs of one",
    **{(f"{v} implicit unknown length", "request.content_length"): "it looks like -1, which we say" for v in BOTH},
    ("h2 unknown length and nothing", "request.content_length"): "it looks like no body",
    ("h1 request trailers", "request.trailer"): "mitmproxy leaves trailers of HTTP/1.1 behind",
}
# Hop by hop: the server ends the body with the connection, and the proxy hands it to the client in chunks of HTTP/1.1.
FRAMED_ANEW = {
    **{
        (f"h1 {name}", "response.transfer_encoding"): "the client is sent chunks"
        for name in (
            "answer: gzip",
            "answer: gzip in upper case",
            "answer: gzip of two members",
            "answer: no length",
            "answer only: 1.0",
            "gzip asked for",
        )
    },
    ("h1 answer only: 1.0", "response.proto"): "the server's, and the proxy's",
    ("h1 answer only: 1.0", "response.proto_minor"): "the same",
}
DECODED_ANYWAY = {
    ("h1 gzip asked for", field): "it looks like the transport's own asking, and we decode what we can in any case"
    for field in ("request.headers", "response.body", "response.headers", "response.uncompressed")
}
KNOWN = NOT_ON_THE_WIRE | FRAMED_ANEW | DECODED_ANYWAY

# mitmproxy takes the answer for an attack or for broken; go-vcr stores the 502 that it makes of it, we store none.
REFUSED_BY_THE_PROXY = {
    "h1 answer only: 1.0 chunked",
    "h1 answer only: 204 chunked",
    "h1 answer only: chunked and a length",
    "h1 answer only: same length twice",
    "h2 answer only: two lengths",
}
# go-vcr, as `ParseForm`, refuses to send it; or `net/http`, or the proxy, refuses what was sent.
REFUSED = {
    "refused: semicolon in the query",
    "refused: broken escape in the query",
    "refused: broken escape in the form",
    "h2 answer only: 304 of a length",
    "h2 duplicate headers",
}
APART = sorted({name for name, _ in KNOWN} | REFUSED_BY_THE_PROXY | REFUSED)

USUAL = {"request": ["Accept", "Content-Type", "User-Agent"], "response": ["Content-Type"]}
ALL: dict[str, list[str]] = {"request": [], "response": []}


class GoClient:
    """The running Go program: it serves its cases at one address, and plays them through a proxy."""

    def __init__(self, program: Path, folder: Path, version: str) -> None:
        self.version = version
        self._process = subprocess.Popen([program, "through"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        told = self._read()
        self.address: str = told["address"]
        self.ca_file = folder / "server-ca.pem"
        self.ca_file.write_text(told["certificate"])

    def _read(self) -> Any:
        assert self._process.stdout
        return json.loads(self._process.stdout.readline())

    def play(
        self, recorder: RecorderProcess, cassette: Path, *, keep: dict[str, list[str]], **cases: list[str]
    ) -> list[dict[str, Any]]:
        """Record the cases (`only` some, or all `without` some) with go-vcr to `cassette`; what became of each."""
        order = {
            "proxy": recorder.proxy_url,
            "bundle": str(recorder.bundle),
            "cassette": str(cassette.with_suffix("")),
            **keep,
            **cases,
        }
        assert self._process.stdin
        self._process.stdin.write(json.dumps(order).encode() + b"\n")
        self._process.stdin.flush()
        played: list[dict[str, Any]] = self._read()
        return played

    def close(self) -> None:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.close()
        self._process.stdout.close()
        assert 0 == self._process.wait(10)


@pytest.fixture(scope="module", params=sorted(GO_VCR))
def client(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[GoClient]:
    folder = tmp_path_factory.mktemp("beside")
    program = build(GO / "nethttp", folder / "nethttp", GO_VCR[request.param])
    running = GoClient(program, folder, request.param)
    yield running
    running.close()


@contextmanager
def recording(folder: Path, certs: Path, client: GoClient, *options: str) -> Iterator[RecorderProcess]:
    with launching(folder, certs) as launcher:
        to = ["--connect-to", f"::{client.address}", "--upstream-ca", str(client.ca_file)]
        yield launcher(*to, "--host", "example.com", "--host", "other.example", *options)


def comparable(text: bytes) -> list[bytes]:
    """The lines of a cassette without its durations, and with each credential or its placeholder as one word."""
    text = _DURATION.sub(rb"\1", text)
    return _CREDENTIAL.sub(rb"\1<credential>", _REDACTED.sub(b"<credential>", text)).split(b"\n")


_DURATION = re.compile(rb"(?m)^(        duration: )\S+$")  # the lines of a body are indented further
_REDACTED = re.compile(rb"'?\[REDACTED:[a-z-]+:[0-9a-f]{4}\]'?")
_CREDENTIAL = re.compile(
    rb"(?m)^( +- (?:Bearer |Basic )?)(?:%b|dTpw|a=1; b=2; c=3|a=1; Path=/|a=1|b=2)$" % KEY.encode()
)


def differing(ours: bytes, theirs: bytes) -> list[tuple[int, bytes, bytes]]:
    """The lines that differ, with their numbers; each line of the longer one's rest."""
    pairs = zip_longest(comparable(ours), comparable(theirs), fillvalue=b"(no line)")
    return [(number, mine, other) for number, (mine, other) in enumerate(pairs, 1) if mine != other]


def spelled(text: bytes, version: str) -> bytes:
    """Our cassette as that go-vcr's go-yaml spells it. A new one of ours is in the hand of 4.0.6."""
    candidate = {"4.0.6": 3, "4.0.7": 6}[version]
    return dumps(Cassette(interactions=loads(text).interactions, layout=replace(LAYOUT, candidate=candidate)))


@pytest.mark.parametrize(("options", "keep"), [((), USUAL), (("--keep-header", "*"), ALL)], ids=["usual", "all"])
def test_the_cassettes_are_equal_to_the_byte_but_for_durations(
    tmp_path: Path, certs: Path, client: GoClient, options: tuple[str, ...], keep: dict[str, list[str]]
) -> None:
    with recording(tmp_path, certs, client, *options) as recorder:
        played = client.play(recorder, tmp_path / "theirs.yaml", keep=keep, without=APART)
        assert 0 == recorder.stop()
        ours = recorder.cassette.read_bytes()
        assert not recorder.incomplete.exists()
    assert [] == [case for case in played if case["error"] or not case["stored"]]
    assert len(loads(ours).interactions) == sum(case["stored"] for case in played) >= 230
    assert KEY.encode() not in ours
    assert (client.version == "4.0.6") == (ours == spelled(ours, client.version))
    assert [] == differing(spelled(ours, client.version), (tmp_path / "theirs.yaml").read_bytes())[:20]


def fields(interaction: Interaction) -> Iterator[tuple[str, object]]:
    for part in ("request", "response"):
        value = getattr(interaction, part)
        for name in value.__dataclass_fields__:
            if name != "duration":
                yield f"{part}.{name}", _open(getattr(value, name))


def _open(value: object) -> object:
    """Fields without the values of credentials, which are not what is compared here."""
    if not isinstance(value, Fields):
        return value
    hidden = {"Authorization", "Cookie", "Set-Cookie"}
    return {name: len(values) if name in hidden else values for name, values in value.items()}


def test_what_cannot_be_known_differs_in_just_that(tmp_path: Path, certs: Path, client: GoClient) -> None:
    found: set[tuple[str, str]] = set()
    recorded, refused, refused_by_the_proxy = 0, set(), set()
    with recording(tmp_path, certs, client, "--keep-header", "*") as recorder:
        for name in APART:
            theirs = tmp_path / f"{len(found)}.yaml"
            [case] = client.play(recorder, theirs, keep=ALL, only=[name])
            held = loads(recorder.cassette.read_bytes()).interactions[recorded:] if recorder.cassette.exists() else ()
            recorded += len(held)
            stored = loads(theirs.read_bytes()).interactions
            if case["error"]:
                assert not stored
                refused.add(name)
            elif not held:
                assert [502] == [interaction.response.code for interaction in stored]
                refused_by_the_proxy.add(name)
            else:
                [(ours, go)] = zip(held, stored, strict=True)
                pairs = zip(fields(ours), fields(go), strict=True)
                found |= {(name, field) for (field, value), (_, other) in pairs if value != other}
    assert (REFUSED, REFUSED_BY_THE_PROXY) == (refused, refused_by_the_proxy)
    assert set(KNOWN) == found
