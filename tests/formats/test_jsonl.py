"""JSON lines: one for each interaction, which any parser takes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from hypothesis import given, settings

from recorder import cassette
from recorder.formats import Session, jsonl
from recorder.model import Interaction
from tests.cassette.strategies import for_interactions, interactions, plain_interaction
from tests.formats.speaking import ASKED, chat


def lines(*kept: Interaction, name: str = "weather") -> list[dict[str, Any]]:
    text = "".join(jsonl.dumps([Session(name=name, interactions=kept)]))
    return [json.loads(line) for line in text.encode("utf-8", "strict").splitlines()]


def test_a_line_has_the_messages_of_http_and_what_they_say() -> None:
    (line,) = lines(chat("Hi", cost=0.5))
    assert ("weather", 0) == (line["session"], line["id"])
    assert list(ASKED) == json.loads(line["request"]["body"])["messages"]
    assert {"Content-Type": ["application/json"]} == line["request"]["headers"]
    assert (200, 1_476_046_083) == (line["response"]["status"], line["response"]["duration_ns"])
    assert "Hi" == line["conversation"]["answers"][0]["parts"][0]["text"]
    assert ("chat", "stop") == (line["conversation"]["api"], line["conversation"]["finish_reason"])
    assert (0.5, 7) == (line["usage"]["cost"], line["usage"]["total_tokens"])


def test_bytes_that_are_no_text_are_base64() -> None:
    (line,) = lines(plain_interaction(b"\xff"))
    assert (None, "/w==") == (line["response"]["body"], line["response"]["body_base64"])
    assert ('{"model":"x"}', None) == (line["request"]["body"], line["request"]["body_base64"])


def test_halves_of_a_character_that_came_apart_are_joined() -> None:
    (line,) = lines(chat("\ud83d", "\ude00", "\ud800"))
    assert "😀\ufffd" == line["conversation"]["answers"][0]["parts"][0]["text"]


@settings(for_interactions, max_examples=60)
@given(interactions)
def test_whatever_was_recorded_is_one_line_each(interaction: Interaction) -> None:
    assert [0, 1] == [line["id"] for line in lines(interaction, interaction)]


def test_every_real_cassette_has_a_line_for_each_interaction(shared: Path) -> None:
    for path in sorted((shared / "cassettes").rglob("*.yaml")):
        kept = cassette.loads(path.read_bytes()).interactions
        assert [each.request.url for each in kept] == [line["request"]["url"] for line in lines(*kept)]
