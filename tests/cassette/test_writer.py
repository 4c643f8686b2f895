from __future__ import annotations

import random
from dataclasses import replace

import pytest
import yaml

from recorder.cassette import CHARM, GO_VCR, LAYOUTS, SEED, Cassette, Layout, dumps, header, render
from recorder.cassette.writer import natural_order
from recorder.model import Fields, Interaction, Request, Response
from tests.cassette.strategies import plain_interaction

FULL = Interaction(
    request=Request(
        method="POST",
        url="https://openrouter.ai/a?b=c",
        content_length=-1,
        transfer_encoding=("chunked",),
        trailer=Fields([("T", "1")]),
        host="openrouter.ai",
        remote_addr="127.0.0.1:1",
        request_uri="/a?b=c",
        body=b"q",
        form=Fields([("b", "c")]),
        headers=Fields([("Accept", "*/*"), ("Accept", "a"), ("B", "c")]),
    ),
    response=Response(
        status="200 OK",
        code=200,
        duration=1,
        transfer_encoding=("chunked",),
        trailer=Fields([("T", "1")]),
        content_length=-1,
        uncompressed=True,
        body=b"a\nb\n",
        headers=Fields.of({"None": ()}),
    ),
)
EMPTY = Interaction(request=Request(method="", url=""), response=Response(status="", code=0, duration=0))

FULL_AS_GO_VCR = """\
    - id: 7
      request:
        proto: HTTP/1.1
        proto_major: 1
        proto_minor: 1
        content_length: -1
        transfer_encoding:
            - chunked
        trailer:
            T:
                - "1"
        host: openrouter.ai
        remote_addr: 127.0.0.1:1
        request_uri: /a?b=c
        body: q
        form:
            b:
                - c
        headers:
            Accept:
                - '*/*'
                - a
            B:
                - c
        url: https://openrouter.ai/a?b=c
        method: POST
      response:
        proto: HTTP/1.1
        proto_major: 1
        proto_minor: 1
        transfer_encoding:
            - chunked
        trailer:
            T:
                - "1"
        content_length: -1
        uncompressed: true
        body: |
            a
            b
        headers:
            None: []
        status: 200 OK
        code: 200
        duration: 1ns
"""
EMPTY_AS_CHARM = """\
- id: 0
  request:
    proto: HTTP/1.1
    proto_major: 1
    proto_minor: 1
    content_length: 0
    host: ""
    url: ""
    method: ""
  response:
    proto: HTTP/1.1
    proto_major: 1
    proto_minor: 1
    content_length: 0
    body: ""
    headers: {}
    status: ""
    code: 0
    duration: 0s
"""


def test_every_key_stands_where_go_vcr_puts_it() -> None:
    assert render(FULL, 7, GO_VCR).decode() == FULL_AS_GO_VCR


def test_what_is_empty_is_left_out_where_go_vcr_leaves_it_out() -> None:
    assert render(EMPTY, 0, CHARM).decode() == EMPTY_AS_CHARM


@pytest.mark.parametrize(("layout", "dash"), [(GO_VCR, "    - id: 0"), (SEED, "  - id: 0"), (CHARM, "- id: 0")])
def test_a_layout_is_told_by_its_dashes(layout: Layout, dash: str) -> None:
    assert dash == render(EMPTY, 0, layout).decode().splitlines()[0]


def test_a_cassette_is_its_header_and_its_interactions_numbered() -> None:
    cassette = Cassette(interactions=(FULL, EMPTY), layout=SEED)
    assert header(SEED) + render(FULL, 0, SEED) + render(EMPTY, 1, SEED) == dumps(cassette)


def test_a_cassette_without_interactions_has_an_empty_list() -> None:
    assert dumps(Cassette(interactions=())) == b"---\nversion: 2\ninteractions: []\n"


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=lambda layout: layout.name)
def test_odd_names_are_keys_that_yaml_reads_back(layout: Layout) -> None:
    values = {"k" * 129: ("a", "b\nc"), "a\nb": (), "\n": ("x",), "": ("",), "true": ("1",), "\u2028": (), "é": ("é",)}
    interaction = replace(EMPTY, response=replace(EMPTY.response, headers=Fields.of(values)))
    loaded = yaml.safe_load(dumps(Cassette(interactions=(interaction,), layout=layout)))
    assert {name: list(items) for name, items in values.items()} == loaded["interactions"][0]["response"]["headers"]


@pytest.mark.parametrize(
    "ordered",
    [
        ("A", "B", "a", "b"),
        ("X-2", "X-10"),
        ("X1", "X01", "X2"),
        ("", "1", "A"),
        ("a-", "aa"),
        ("-", "_", "A"),
        ("a\udcff", "aé"),
    ],
    ids=str,
)
def test_names_are_sorted_as_go_yaml_sorts_them(ordered: tuple[str, ...]) -> None:
    shuffled = list(ordered)
    random.Random(1).shuffle(shuffled)
    assert ordered == natural_order(tuple(shuffled))


def test_the_same_interaction_is_written_the_same_however_its_names_came() -> None:
    one = plain_interaction(b"x", A="1", B="2")
    other = replace(one, response=replace(one.response, headers=Fields(reversed([*_pairs(one.response.headers)]))))
    assert render(one, 0, GO_VCR) == render(other, 0, GO_VCR)


def _pairs(fields: Fields) -> list[tuple[str, str]]:
    return [(name, value) for name, values in fields.items() for value in values]
