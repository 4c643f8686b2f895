"""The official client as the oracle: what its own accumulator makes of the recorded bytes is what we make of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from openai import OpenAI

from recorder import Turn, load
from recorder.model import Interaction

try:  # the client brings its own httpx since version 3
    import httpx2 as httpx  # type: ignore[import-not-found,unused-ignore]
except ImportError:
    import httpx  # type: ignore[no-redef,unused-ignore]


def serving(interaction: Interaction) -> OpenAI:
    """The client, in front of a server that answers with the recorded bytes."""
    response = interaction.response

    def answer(_: Any) -> Any:
        return httpx.Response(
            response.code, content=response.body, headers={"Content-Type": response.headers.first("Content-Type")}
        )

    client = httpx.Client(transport=httpx.MockTransport(answer))
    return OpenAI(api_key="sk-test", base_url="https://openrouter.ai/api/v1", http_client=client)


def completion(turn: Turn) -> tuple[Any, Any]:
    """The completion that the client makes of a turn's bytes, and the usage that it was told in passing."""
    with serving(turn.interaction) as client:
        if not turn.streamed:
            create: Any = client.chat.completions.create
            whole = create(model="m", messages=[{"role": "user", "content": "?"}])
            return whole, whole.usage
        completions: Any = getattr(client.chat.completions, "stream", None) or client.beta.chat.completions.stream
        usage = None
        with completions(model="m", messages=[{"role": "user", "content": "?"}]) as stream:
            for event in stream:
                if event.type == "chunk":
                    usage = event.chunk.usage or usage
            return stream.get_final_completion(), usage


def openrouter_cassettes(shared: Path) -> list[Path]:
    return sorted(path for path in (shared / "cassettes").rglob("*.yaml") if b"openrouter.ai/api" in path.read_bytes())


def turns(shared: Path) -> Iterator[tuple[Path, Turn]]:
    for path in openrouter_cassettes(shared):
        for turn in load(path):
            yield path, turn


@pytest.fixture(scope="module")
def compared(shared: Path) -> list[tuple[Path, Turn, Any, Any]]:
    return [(path, turn, *completion(turn)) for path, turn in turns(shared)]


@pytest.fixture(scope="module")
def of_others(shared: Path) -> list[tuple[Path, Turn, Any, Any]]:
    """What speaks the same API elsewhere: Azure, OpenAI."""
    paths = sorted(set((shared / "cassettes").rglob("*.yaml")) - set(openrouter_cassettes(shared)))
    found = ((path, turn) for path in paths for turn in load(path) if turn.api == "chat")
    return [(path, turn, *completion(turn)) for path, turn in found]


def test_there_is_something_to_compare(compared: list[Any], shared: Path) -> None:
    streamed = sum(turn.streamed for _, turn, _, _ in compared)
    assert (39, 34, 32) == (len(openrouter_cassettes(shared)), streamed, len(compared) - streamed)


def test_the_text_is_the_clients(compared: list[tuple[Path, Turn, Any, Any]]) -> None:
    for path, turn, theirs, _ in compared:
        message = theirs.choices[0].message
        assert (message.content or "") == turn.text, path
        assert (message.refusal or "") == turn.refusal, path
        assert theirs.choices[0].finish_reason == turn.finish_reason, path
        assert len(theirs.choices) == len(turn.answers), path


def test_the_reasoning_is_the_clients(compared: list[tuple[Path, Turn, Any, Any]]) -> None:
    for path, turn, theirs, _ in compared:
        assert ((theirs.choices[0].message.model_extra or {}).get("reasoning") or "") == turn.reasoning, path
    assert any(turn.reasoning for _, turn, _, _ in compared if turn.streamed)


def test_the_tool_calls_are_the_clients(compared: list[tuple[Path, Turn, Any, Any]]) -> None:
    seen = 0
    for path, turn, theirs, _ in compared:
        calls = [
            (call.id, call.function.name, call.function.arguments)
            for call in theirs.choices[0].message.tool_calls or []
        ]
        assert calls == [(call.id, call.name, call.arguments) for call in turn.tool_calls], path
        seen += len(calls)
    assert seen > len(compared) // 2


def test_other_providers_are_read_as_the_client_reads_them(of_others: list[tuple[Path, Turn, Any, Any]]) -> None:
    assert 5 == len(of_others)
    for path, turn, theirs, told in of_others:
        message = theirs.choices[0].message
        calls = [(call.id, call.function.name, call.function.arguments) for call in message.tool_calls or []]
        assert (message.content or "", calls) == (
            turn.text,
            [(call.id, call.name, call.arguments) for call in turn.tool_calls],
        ), path
        assert (told.prompt_tokens, told.completion_tokens) == (
            turn.usage.prompt_tokens,
            turn.usage.completion_tokens,
        ), path


def test_the_usage_is_the_clients(compared: list[tuple[Path, Turn, Any, Any]]) -> None:
    for path, turn, theirs, told in compared:
        usage = turn.usage
        assert theirs.model == turn.model, path
        assert (told.prompt_tokens, told.completion_tokens, told.total_tokens) == (
            usage.prompt_tokens,
            usage.completion_tokens,
            usage.total_tokens,
        ), path
        assert told.completion_tokens_details.reasoning_tokens == usage.reasoning_tokens, path
        assert told.prompt_tokens_details.cached_tokens == usage.cached_tokens, path
        assert told.model_extra["cost"] == usage.cost, path
