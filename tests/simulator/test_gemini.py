from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from recorder.simulator.script import Answer
from recorder.wire.event_stream import events

Post = Callable[..., Answer]
Bodies = Callable[[str], list[str]]

MODEL = "/v1beta/models/gemini-2.5-flash"
STREAM = f"{MODEL}:streamGenerateContent?alt=sse"
PLAIN = {"contents": [{"role": "user", "parts": [{"text": "Say hi"}]}]}
WEATHER = {"name": "weather", "parameters": {"type": "OBJECT", "properties": {"location": {"type": "STRING"}}}}
ASKED: dict[str, Any] = {
    "contents": [{"role": "user", "parts": [{"text": "What's the weather in Florence, Italy?"}]}],
    "tools": [{"functionDeclarations": [WEATHER]}],
}


def values(body: bytes) -> list[Any]:
    return [json.loads(event.data) for event in events(body)]


def test_a_stream_is_shaped_as_recorded(post: Post, bodies: Bodies) -> None:
    recorded = bodies("TestGoogleObjectGeneration/gemini-2.5-flash/complex_object_streaming.yaml")[0].encode()
    made = b"".join(post(STREAM, PLAIN).events)
    assert recorded.endswith(b"\r\n\r\n") == made.endswith(b"\r\n\r\n")
    for index in (0, -1):
        theirs, ours = values(recorded)[index], values(made)[index]
        assert list(theirs) == list(ours)
        assert list(theirs["candidates"][0]) == list(ours["candidates"][0])
        assert set(ours["usageMetadata"]) <= set(theirs["usageMetadata"])


def test_the_deltas_of_a_stream_are_the_whole_answer(post: Post) -> None:
    whole = json.loads(b"".join(post(f"{MODEL}:generateContent", PLAIN).events))
    said = [
        chunk["candidates"][0]["content"]["parts"][0]["text"] for chunk in values(b"".join(post(STREAM, PLAIN).events))
    ]
    assert whole["candidates"][0]["content"]["parts"][0]["text"] == "".join(said)


def test_a_tool_is_called_and_its_result_is_in_the_answer(post: Post) -> None:
    call = values(b"".join(post(STREAM, ASKED).events))[-1]["candidates"][0]["content"]
    assert {"name": "weather", "args": {"location": "Florence, Italy"}} == call["parts"][0]["functionCall"]
    response = {"functionResponse": {"name": "weather", "response": {"result": "40 C"}}}
    contents = [*ASKED["contents"], call, {"role": "user", "parts": [response]}]
    whole = json.loads(b"".join(post(f"{MODEL}:generateContent", {**ASKED, "contents": contents}).events))
    assert "The weather in Florence, Italy is 40 C." == whole["candidates"][0]["content"]["parts"][0]["text"]
