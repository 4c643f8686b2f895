"""Condensing must never hide a secret: whatever is found in the whole is found in the condensed text too."""

from __future__ import annotations

import json
import random
from collections.abc import Callable

import pytest

from recorder.cassette import CHARM, GO_VCR, Layout, render
from recorder.scrub import CleanInteraction, Scrubber
from recorder.scrub.known_values import Learned
from recorder.scrub.scrubber import _SEAL
from recorder.scrub.search import Finder
from recorder.scrub.stream_digest import condense
from tests.scrub.cases import KINDS, interaction, secret_of

KEY = KINDS["openrouter"]
Frame = Callable[[int, str], object]

SHAPES: dict[str, Frame] = {
    "chat": lambda _number, text: {"id": "gen-1", "choices": [{"index": 0, "delta": {"content": text}}]},
    "router": lambda _number, text: {
        "id": "gen-1",
        "choices": [{"delta": {"reasoning": text, "reasoning_details": [{"type": "reasoning.text", "text": text}]}}],
    },
    "azure": lambda number, text: {
        "choices": [{"delta": {"tool_calls": [{"function": {"arguments": text}, "index": 0}]}}],
        "obfuscation": secret_of(number, 1 + number % 9),
    },
    "responses": lambda number, text: {
        "type": "response.output_text.delta",
        "sequence_number": number,
        "item_id": "msg_1",
        "delta": text,
    },
    "two choices": lambda number, text: {"choices": [{"index": number // 40 % 2, "delta": {"content": text}}]},
    "logprobs": lambda number, text: {
        "choices": [{"delta": {"content": text}, "logprobs": {"content": [{"token": text, "logprob": -number / 7}]}}]
    },
    "late role": lambda number, text: {
        "id": "gen-1758707375-PydxJYaqw8uVGgTtoyzb",
        "delta": {"text": text},
        **({"role": "assistant"} if number % 50 == 0 else {}),
    },
}
WORDS = ["The", " weather", ' in "Rome"', " is\n", " fine \\o/", " 😀", ",", " and", " 25 °C", ""]


def _stream(shape: Frame, texts: list[str]) -> bytes:
    frames = (json.dumps(shape(number, text), ensure_ascii=False) for number, text in enumerate(texts))
    return b": PROCESSING\n\n" + "".join(f"data: {frame}\n\n" for frame in frames).encode() + b"data: [DONE]\n\n"


def _texts(seed: int, secret: str) -> list[str]:
    """A hundred words, and somewhere in them a secret in one to eight pieces, one frame after the other."""
    chosen = random.Random(seed)
    words = [chosen.choice(WORDS) for _ in range(100)]
    cuts = sorted(chosen.sample(range(1, len(secret)), chosen.randrange(8)))
    pieces = [secret[start:end] for start, end in zip([0, *cuts], [*cuts, len(secret)], strict=True)]
    at = chosen.randrange(len(words))
    words[at:at] = [" ", *pieces, " "]
    return words


@pytest.mark.parametrize("shape", SHAPES)
def test_a_secret_in_pieces_is_suspected_wherever_it_stands_in_a_stream(shape: str) -> None:
    finder = Finder(Learned())
    for seed in range(25):
        body = _stream(SHAPES[shape], _texts(seed, KEY))
        assert finder.suspects(body), seed


@pytest.mark.parametrize("shape", SHAPES)
def test_a_stream_without_a_secret_is_not_suspected(shape: str) -> None:
    assert not Finder(Learned()).suspects(_stream(SHAPES[shape], WORDS * 20))


@pytest.mark.parametrize("shape", ["chat", "router", "azure", "responses", "late role"])
def test_a_stream_is_condensed_to_what_is_new(shape: str) -> None:
    texts = [secret_of(seed, 6) for seed in range(300)]
    body = _stream(SHAPES[shape], texts)
    condensed = condense(body)
    assert condensed is not None
    assert len(b"\n".join(condensed.parts)) < len(body) / 4
    assert "".join(texts).encode() in condensed.columns
    assert all(text.encode() in b"\n".join(condensed.parts) for text in texts)
    assert 300 == condensed.frames


@pytest.mark.parametrize("field", ["api_key", "password", "token"])
def test_a_value_whose_name_is_in_the_fixed_text_is_suspected(field: str) -> None:
    frames: list[object] = [
        {"n": "x" * 40, "delta": {field: word}} for word in ["", "-", "+", "a b", "a1b2c3d4e5f6g7h8i9j0k1l2"]
    ]
    body = b"".join(b"data: %s\n\n" % json.dumps(frame).encode() for frame in frames)
    assert Finder(Learned()).suspects(body + b": more\n" * 400)


def test_a_learned_value_with_quotes_and_line_ends_is_suspected() -> None:
    for secret in ('pass"word, "quoted"', "two\nlines of it", "tab\tand \\ backslash"):
        learned = Learned()
        learned.add(secret.encode(), "credential")
        for seed in range(20):
            body = _stream(SHAPES["chat"], _texts(seed, secret))
            assert Finder(learned).suspects(body), (secret, seed)


@pytest.mark.parametrize("layout", [GO_VCR, CHARM], ids=lambda layout: layout.name)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("word", ["plain", "emoji 😀"])
def test_the_gate_suspects_what_is_rendered(layout: Layout, shape: str, word: str) -> None:
    scrubber = Scrubber(salt=bytes(16))
    for seed in range(5):
        texts = [text for text in _texts(seed, KEY) if "😀" not in text]
        body = _stream(SHAPES[shape], [word, *texts])
        found = interaction(answer=body, content_type="text/event-stream")
        hidden = CleanInteraction(found, _SEAL)
        assert list(scrubber._gate(hidden, render(found, 0, layout))), seed
        clean = scrubber.scrub(found)
        scrubber.check(clean, render(clean.interaction, 0, layout))


def test_lines_that_are_no_json_are_left_to_the_long_way() -> None:
    assert condense(b"data: plain text\n\n" * 200) is None
    assert condense(b'data: {"a":\ndata: "b"}\n\n' * 200) is None
    assert condense(b"data: {}\rdata: {}\r\r") is None
