"""go-vcr itself as the judge: a small Go program that loads and saves cassettes, asked over pipes."""

from __future__ import annotations

import base64
import json
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from recorder.cassette import Layout
from recorder.model import Fields, Interaction, Request, Response
from tests.interop import building

HERE = Path(__file__).parent
# go-yaml's release candidate (see `Layout.candidate`) → how the go-vcr that carries it is built.
BUILDS = {6: building.GO_VCR["4.0.7"], 3: building.GO_VCR["4.0.6"]}


class Oracle:
    """One running oracle; many questions go out before the first answer is read."""

    def __init__(self, program: Path, candidate: int) -> None:
        self.candidate = candidate
        self._process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def close(self) -> None:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait(timeout=10)

    def ask(self, questions: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
        assert self._process.stdin
        assert self._process.stdout
        lines = [json.dumps(question).encode() + b"\n" for question in questions]
        asking = Thread(target=self._write, args=(lines,))
        asking.start()
        answers = [json.loads(self._process.stdout.readline()) for _ in lines]
        asking.join()
        return answers

    def _write(self, lines: list[bytes]) -> None:
        assert self._process.stdin
        self._process.stdin.writelines(lines)
        self._process.stdin.flush()

    def dumps(self, cassettes: Iterable[tuple[Interaction, ...]], layout: Layout) -> list[bytes]:
        """What go-vcr's `Save` writes for each of the cassettes."""
        answers = self.ask(
            {
                "do": "dump",
                "indent": layout.indent,
                "compact": layout.compact,
                "interactions": [_wire(interaction) for interaction in interactions],
            }
            for interactions in cassettes
        )
        return [base64.b64decode(answer["text"]) for answer in answers]

    def loads(self, texts: Iterable[bytes]) -> list[tuple[Interaction, ...] | str]:
        """What go-vcr's `Load` makes of each of the texts, or its error."""
        answers = self.ask({"do": "load", "text": base64.b64encode(text).decode()} for text in texts)
        return [answer.get("error") or _unwire(answer) for answer in answers]


def build(candidate: int, folder: Path) -> Path:
    return building.build(HERE, folder / f"oracle-{candidate}", BUILDS[candidate])


@pytest.fixture(scope="session", params=sorted(BUILDS, reverse=True), ids=lambda candidate: f"rc.{candidate}")
def oracle(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Oracle]:
    candidate: int = request.param
    oracle = Oracle(build(candidate, tmp_path_factory.mktemp("oracle")), candidate)
    yield oracle
    oracle.close()


def _b64(text: str | bytes) -> str:
    data = text if isinstance(text, bytes) else text.encode("utf-8", "surrogateescape")
    return base64.b64encode(data).decode()


def _text(encoded: str) -> str:
    return base64.b64decode(encoded).decode("utf-8", "surrogateescape")


def _wire_fields(fields: Fields) -> list[dict[str, Any]]:
    return [{"name": _b64(name), "values": [_b64(value) for value in values]} for name, values in fields.items()]


def _unwire_fields(fields: list[dict[str, Any]]) -> Fields:
    return Fields.of({_text(field["name"]): [_text(value) for value in field["values"]] for field in fields})


def _wire(interaction: Interaction) -> dict[str, Any]:
    return {name: _wire_part(getattr(interaction, name)) for name in ("request", "response")}


def _wire_part(part: Request | Response) -> dict[str, Any]:
    values = {name: getattr(part, name) for name in part.__dataclass_fields__}
    return {name: _wire_value(value) for name, value in values.items()}


def _wire_value(value: object) -> object:
    if isinstance(value, Fields):
        return _wire_fields(value)
    if isinstance(value, (str, bytes)):
        return _b64(value)
    return [_b64(item) for item in value] if isinstance(value, tuple) else value


_TEXTS = {"proto", "host", "remote_addr", "request_uri", "url", "method", "status"}


def _unwire(answer: dict[str, Any]) -> tuple[Interaction, ...]:
    return tuple(
        Interaction(
            request=Request(**{name: _unwire_value(name, value) for name, value in interaction["request"].items()}),
            response=Response(**{name: _unwire_value(name, value) for name, value in interaction["response"].items()}),
        )
        for interaction in answer.get("interactions", ())
    )


def _unwire_value(name: str, value: Any) -> Any:
    if name == "body":
        return base64.b64decode(value)
    if name in _TEXTS:
        return _text(value)
    if name in {"headers", "trailer", "form"}:
        return _unwire_fields(value)
    return tuple(map(_text, value)) if name == "transfer_encoding" else value
