"""The README's table of what each format can hold, held against round trips without our own fields."""

from __future__ import annotations

import base64
import io
import json
import re
from collections.abc import Callable, Iterable
from dataclasses import fields, replace
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from recorder.formats import Session, har, jsonl, parquet, vcrpy
from recorder.model import INT64_MAX, Fields, Interaction, Request, Response
from tests.cassette.strategies import for_interactions
from tests.conftest import ROOT

Values = dict[str, Any]
"""What came back, by side and field: `request.url`."""


def of(interaction: Interaction) -> Values:
    asked, answered = interaction.request, interaction.response
    return {
        **{f"request.{field.name}": getattr(asked, field.name) for field in fields(asked)},
        **{f"response.{field.name}": getattr(answered, field.name) for field in fields(answered)},
    }


def by_har(interaction: Interaction) -> Values:
    value = json.loads("".join(har.dumps([Session(name="a", interactions=[interaction])])))
    value["log"]["entries"][0]["_recorder"] = {"request": {}, "response": {}}
    return of(_only(har.loads(json.dumps(value).encode())))


def by_vcrpy(interaction: Interaction) -> Values:
    value = yaml.safe_load("".join(vcrpy.dumps([interaction])))
    value["interactions"][0]["recorder"] = {"request": {}, "response": {}}
    return of(_only(vcrpy.loads(yaml.dump(value).encode())))


def _only(found: Iterable[object]) -> Interaction:
    (each,) = found
    assert isinstance(each, Interaction)
    return each


def by_jsonl(interaction: Interaction) -> Values:
    value = json.loads("".join(jsonl.dumps([Session(name="a", interactions=[interaction])])))
    told: Values = {}
    for side in ("request", "response"):
        part = value[side]
        text, encoded = part.pop("body"), part.pop("body_base64")
        part["body"] = base64.b64decode(encoded) if text is None else text.encode()
        part["headers"] = Fields.of(part["headers"])
        told |= {f"{side}.{name}": given for name, given in part.items()}
    return told | {"response.code": told.pop("response.status"), "response.duration": told.pop("response.duration_ns")}


def by_parquet(interaction: Interaction) -> Values:
    file = io.BytesIO()
    parquet.dump([Session(name="a", interactions=[interaction])], file)
    (row,) = pq.read_table(io.BytesIO(file.getvalue())).to_pylist()
    told: Values = {"request.method": row["method"], "request.url": row["url"]}
    for side in ("request", "response"):
        text = row[f"{side}_body"]
        told[f"{side}.body"] = row[f"{side}_bytes"] if text is None else text.encode()
        told[f"{side}.headers"] = Fields.of(dict(row[f"{side}_headers"]))
    return told | {"response.code": row["status"], "response.duration": row["duration_ns"]}


TRIPS: dict[str, Callable[[Interaction], Values]] = {
    "HAR": by_har,
    "vcrpy": by_vcrpy,
    "JSON lines": by_jsonl,
    "Parquet": by_parquet,
}
README = (ROOT / "README.md").read_text("utf-8")
(TABLE,) = re.findall(r"^\| field \|.*\n(?:\|.*\n)+", README, re.MULTILINE)
HEAD, _, *ROWS = [[cell.strip() for cell in row.strip("|").split("|")] for row in TABLE.splitlines()]


def cells(form: str) -> dict[str, str]:
    """By side and field what the table says of a format: `✓`, `text` or nothing."""
    place = HEAD.index(form)
    return {
        f"{row[0].partition(':')[0]}.{field}": row[place] for row in ROWS for field in re.findall(r"`(\w+)`", row[0])
    }


texts = st.text(st.characters(codec="utf-8"), max_size=12)
names = st.from_regex(r"[A-Z][a-z]{1,6}(-[A-Z][a-z]{1,4})?", fullmatch=True)
headers = st.dictionaries(names, st.lists(texts, min_size=1, max_size=3).map(tuple), max_size=3).map(Fields.of)
versions = st.sampled_from((("HTTP/1.0", 1, 0), ("HTTP/1.1", 1, 1), ("HTTP/2.0", 2, 0)))
lengths = st.integers(-1, 2**40)


@st.composite
def ordinary(draw: st.DrawFn) -> Interaction:
    """What can be recorded of HTTP; the request's body is text, for HAR's sake."""
    asked, answered = draw(versions), draw(versions)
    code = draw(st.integers(100, 599))
    return Interaction(
        request=Request(
            method=draw(st.sampled_from(("GET", "POST"))), url="https://x.test/" + draw(texts), headers=draw(headers),
            body=draw(texts).encode(), content_length=draw(lengths),
            proto=asked[0], proto_major=asked[1], proto_minor=asked[2],
        ),
        response=Response(
            status=f"{code} {draw(texts)}", code=code, duration=draw(st.integers(0, 10**13)), headers=draw(headers),
            body=draw(st.binary(max_size=20) | texts.map(str.encode)), content_length=draw(lengths),
            proto=answered[0], proto_major=answered[1], proto_minor=answered[2],
        ),
    )  # fmt: skip


ONE = Fields([("A", "b")])
# Nothing in it is what a reader would take for granted.
EVERYTHING = Interaction(
    request=Request(
        method="PUT", url="https://x.test/", proto="HTTP/2.0", proto_major=2, proto_minor=0, content_length=-1,
        transfer_encoding=("chunked",), trailer=ONE, host="y.test", remote_addr="127.0.0.1:1", request_uri="/",
        body=b"\xff", form=ONE, headers=ONE,
    ),
    response=Response(
        status="201 Made", code=201, duration=7, proto="HTTP/2.0", proto_major=2, proto_minor=0,
        transfer_encoding=("chunked",), trailer=ONE, content_length=INT64_MAX, uncompressed=True, body=b"\xff",
        headers=ONE,
    ),
)  # fmt: skip


def test_the_table_has_every_field_once() -> None:
    assert list(TRIPS) == HEAD[1:]
    named = [field for row in ROWS for field in re.findall(r"`(\w+)`", row[0])]
    assert set(of(EVERYTHING)) == set(cells("HAR"))
    assert len(named) == len(cells("HAR"))


@pytest.mark.parametrize("form", TRIPS)
def test_what_the_table_says_is_held_comes_back(form: str) -> None:
    held = [field for field, cell in cells(form).items() if cell]

    @settings(for_interactions, max_examples=40)
    @given(ordinary())
    def comes_back(interaction: Interaction) -> None:
        whole, back = of(interaction), TRIPS[form](interaction)
        assert {field: whole[field] for field in held} == {field: back[field] for field in held}

    comes_back()


@pytest.mark.parametrize("form", TRIPS)
def test_what_the_table_does_not_say_is_lost(form: str) -> None:
    whole, back = of(EVERYTHING), TRIPS[form](EVERYTHING)
    assert [field for field, cell in cells(form).items() if cell == "✓"] == [
        field for field in cells(form) if field in back and whole[field] == back[field]
    ]


def test_a_request_s_body_that_is_no_text_is_what_har_lacks() -> None:
    assert {"HAR": "text", "vcrpy": "✓", "JSON lines": "✓", "Parquet": "✓"} == {
        form: cells(form)["request.body"] for form in TRIPS
    }
    one = replace(EVERYTHING, request=replace(EVERYTHING.request, body=b"text"))
    assert b"text" == by_har(one)["request.body"]
