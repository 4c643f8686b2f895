from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given

from recorder.cassette import CHARM, GO_VCR, SEED, Layout, dumps, loads
from recorder.cassette.document import Cassette
from recorder.cassette.scalars import Place, resolves, scalar
from tests.cassette.strategies import bodies, for_strings, layouts, plain_interaction

VECTOR_LAYOUTS = {"indent4": GO_VCR, "indent4_compact": SEED, "indent2_compact": CHARM}
PLACE = Place(pad=b"  ", digit=b"2", candidate=3)
NEWER = Place(pad=b"  ", digit=b"2", candidate=6)


def _vectors(shared: Path) -> list[dict[str, Any]]:
    lines = (shared / "vectors" / "scalars.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def _vector_document(body: bytes, layout: Layout) -> str:
    """The vectors' small document, which has nothing but a body and a status."""
    item = layout.dash(0)
    column = layout.step(item + 2)
    place = Place(pad=b" " * layout.step(column), digit=b"%d" % layout.indent, candidate=layout.candidate)
    pad, field = " " * item, " " * column
    head = f"version: 2\ninteractions:\n{pad}- id: 0\n{pad}  response:\n{field}body: "
    return f"{head}{scalar(body, place).decode()}{field}status: 200 OK\n"


@pytest.mark.parametrize("key", VECTOR_LAYOUTS)
def test_the_vectors_of_the_real_encoder_come_out_byte_for_byte(shared: Path, key: str) -> None:
    vectors = [vector for vector in _vectors(shared) if vector["reads_back"]]
    expected = [vector[key] for vector in vectors]
    assert expected == [_vector_document(base64.b64decode(v["body_b64"]), VECTOR_LAYOUTS[key]) for v in vectors]


@pytest.mark.parametrize("layout", [GO_VCR, SEED, CHARM], ids=lambda layout: layout.name)
def test_no_string_of_the_vectors_is_lost(shared: Path, layout: Layout) -> None:
    expected = [base64.b64decode(vector["body_b64"]) for vector in _vectors(shared)]
    cassette = Cassette(interactions=tuple(map(plain_interaction, expected)), layout=layout)
    assert expected == [interaction.response.body for interaction in loads(dumps(cassette)).interactions]


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (b"", b'""'),
        (b"200 OK", b"200 OK"),
        (b"text/event-stream; charset=utf-8", b"text/event-stream; charset=utf-8"),
        (b'{"a":1}', b"""'{"a":1}'"""),
        (b"it's", b"it's"),
        (b"'quoted'", b"'''quoted'''"),
        (b"a: b", b"'a: b'"),
        (b"true", b'"true"'),
        (b"y", b'"y"'),
        (b"1:30", b'"1:30"'),
        (b"2024-01-01", b'"2024-01-01"'),
        (b"2024-13-45", b"2024-13-45"),
        (b"=", b"="),
        (b"a\tb", b'"a\\tb"'),
        ("\U0001f600".encode(), b'"\\U0001F600"'),
        (b"\xff", b"!!binary /w=="),
        (b"a\nb", b"|-\n  a\n  b"),
        (b"a\n\nb\n", b"|\n  a\n\n  b"),
        (b"a\n\n", b"|+\n  a\n"),
        (b" a\nb", b"|2-\n   a\n  b"),
        (b"\na", b"|2-\n\n  a"),
        (b"a \nb", b'"a \\nb"'),
        (b"\n \n", b'"\\n \\n"'),
        ("\ufeffa".encode(), b'"\\uFEFF\\x61"'),
    ],
)
def test_a_string_is_written_in_the_style_that_go_yaml_chooses(value: bytes, written: bytes) -> None:
    assert written + b"\n" == scalar(value, PLACE)


@pytest.mark.parametrize(("value", "written"), [(b"y", b"'y'"), (b"<<", b"'<<'"), (b"\na", b"|-\n\n  a")])
def test_the_newer_go_yaml_quotes_old_words_once_and_leaves_a_digit_out(value: bytes, written: bytes) -> None:
    assert written + b"\n" == scalar(value, NEWER)


@pytest.mark.parametrize("value", [b"\ta\nb", b"\t\na"])
@pytest.mark.parametrize("place", [PLACE, NEWER])
def test_a_block_that_go_yaml_would_lose_is_written_in_double_quotes(value: bytes, place: Place) -> None:
    assert scalar(value, place).startswith(b'"')


def test_a_block_whose_digit_would_be_wrong_is_written_in_double_quotes() -> None:
    assert scalar(b" a\nb", Place(pad=b"  ", digit=b"", candidate=6)) == b'" a\\nb"\n'


def test_long_binary_is_folded_at_70_characters() -> None:
    assert scalar(b"\xff" * 53, PLACE) == b"!!binary |\n  " + b"/" * 70 + b"\n  8=\n"


def test_many_kinds_of_escapes_are_escaped_in_one_pass() -> None:
    value = "".join(map(chr, range(0x1F600, 0x1F700))) + "\n\\"
    assert value == yaml.safe_load(scalar(value.encode(), PLACE))


@pytest.mark.parametrize("loader", [yaml.SafeLoader, yaml.CSafeLoader])
def test_pyyaml_reads_every_vector_back(shared: Path, loader: Any) -> None:
    # A bare `=` is go-yaml's spelling, and none that PyYAML's safe loaders take.
    bodies = [body for v in _vectors(shared) if (body := base64.b64decode(v["body_b64"])) != b"="]
    text = dumps(Cassette(interactions=tuple(map(plain_interaction, bodies)), layout=CHARM))
    loaded = yaml.load(text, loader)["interactions"]
    assert bodies == [_as_bytes(interaction["response"]["body"]) for interaction in loaded]


@for_strings
@given(bodies, layouts)
def test_pyyaml_reads_every_body_back(body: bytes, layout: Layout) -> None:
    text = dumps(Cassette(interactions=(plain_interaction(body),), layout=layout))
    # What YAML 1.1 takes for another type and go-yaml does not (`=`, `.5_`, `2024-13-45`) is plain: take the text.
    loader: Any = yaml.CBaseLoader if _guessed(body) else yaml.CSafeLoader
    assert body == _as_bytes(yaml.load(text, loader)["interactions"][0]["response"]["body"])


def _guessed(body: bytes) -> bool:
    """Whether the plain text is of another type for PyYAML."""
    if b"\n" in body or not body.isascii() or resolves(body):
        return False
    loader: Any = yaml.SafeLoader("")
    tag: str = loader.resolve(yaml.ScalarNode, body.decode(), (True, False))
    return tag != "tag:yaml.org,2002:str"


def _as_bytes(body: str | bytes) -> bytes:
    return body if isinstance(body, bytes) else body.encode()
