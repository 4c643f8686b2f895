"""The official OpenAI client, which must take every answer for OpenRouter's own."""

from __future__ import annotations

import json
import ssl
from collections.abc import Iterator
from typing import Any

import openai
import pytest

from recorder.simulator import Upstream

MODEL = "x-ai/grok-code-fast-1"
TOOLS: Any = [
    {
        "type": "function",
        "function": {
            "name": "weather",
            "description": "Get weather information for a location",
            "parameters": {
                "type": "object",
                "properties": {"location": {"type": "string", "description": "the city"}},
                "required": ["location"],
            },
        },
    }
]


@pytest.fixture
def client(upstream: Upstream, trust: ssl.SSLContext, key: str) -> Iterator[openai.OpenAI]:
    http = openai.DefaultHttpxClient(verify=trust, trust_env=False)
    with openai.OpenAI(base_url=upstream.base_url, api_key=key, http_client=http, max_retries=0) as client:
        yield client


def question(text: str) -> list[Any]:
    return [{"role": "system", "content": "You are a helpful assistant"}, {"role": "user", "content": text}]


@pytest.mark.parametrize("place", ["Florence, Italy", "Florence, Italy and in Rome, Italy"])
def test_a_streamed_conversation_with_a_tool(client: openai.OpenAI, place: str) -> None:
    messages = question(f"What's the weather in {place}?")
    with client.chat.completions.stream(
        model=MODEL, messages=messages, tools=TOOLS, stream_options={"include_usage": True}
    ) as stream:
        completion = stream.get_final_completion()
    choice = completion.choices[0]
    assert "tool_calls" == choice.finish_reason
    calls = choice.message.tool_calls or []
    assert place.split(" and in ") == [json.loads(call.function.arguments)["location"] for call in calls]
    assert completion.usage is not None
    messages.append(choice.message.model_dump(include={"role", "content", "tool_calls"}))
    messages += [{"role": "tool", "tool_call_id": call.id, "content": "40 C"} for call in calls]
    with client.chat.completions.stream(model=MODEL, messages=messages, tools=TOOLS) as stream:
        answer = stream.get_final_completion().choices[0]
    assert "stop" == answer.finish_reason
    assert " ".join(f"The weather in {name} is 40 C." for name in place.split(" and in ")) == answer.message.content


def test_a_stream_comes_to_what_the_whole_answer_is(client: openai.OpenAI) -> None:
    messages = question("Say hi in Portuguese")
    whole = client.chat.completions.create(model=MODEL, messages=messages)
    with client.chat.completions.stream(model=MODEL, messages=messages) as stream:
        streamed = stream.get_final_completion()
    assert whole.choices[0].message.content == streamed.choices[0].message.content
    assert "Olá!" in (whole.choices[0].message.content or "")


def test_the_usage_has_openrouter_s_cost(client: openai.OpenAI) -> None:
    completion = client.chat.completions.create(
        model=MODEL, messages=question("Hi"), extra_body={"usage": {"include": True}}
    )
    assert completion.usage is not None
    usage = completion.usage.model_dump()
    assert 0 < usage["cost"] < 0.01
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]


@pytest.mark.parametrize(
    ("sim", "error"),
    [
        ("error=400", openai.BadRequestError),
        ("error=401", openai.AuthenticationError),
        ("error=402", openai.APIStatusError),
        ("error=404", openai.NotFoundError),
        ("error=429", openai.RateLimitError),
        ("error=500", openai.InternalServerError),
        ("error=503", openai.InternalServerError),
    ],
)
def test_an_error_is_the_client_s_own(client: openai.OpenAI, sim: str, error: type[openai.APIStatusError]) -> None:
    with pytest.raises(error) as caught:
        client.chat.completions.create(model=MODEL, messages=question("Hi"), extra_headers={"x-sim": sim})
    assert int(sim[-3:]) == caught.value.status_code
    assert isinstance(caught.value.body, dict)
    assert int(sim[-3:]) == caught.value.body["code"]


def test_a_client_that_retries_gets_its_answer(client: openai.OpenAI, upstream: Upstream) -> None:
    before = upstream.log().requested
    completion = client.with_options(max_retries=2).chat.completions.create(
        model=MODEL, messages=question("Try again"), extra_headers={"x-sim": "error=429, error-times=1, retry-after=0"}
    )
    assert "stop" == completion.choices[0].finish_reason
    assert [429, 200] == [served.status for served in upstream.log(after=before).requests]


def test_an_error_in_mid_stream_is_raised_by_the_client(client: openai.OpenAI) -> None:
    stream = client.chat.completions.create(
        model=MODEL, messages=question("Hi"), stream=True, extra_headers={"x-sim": "chunks=9, error-at=3"}
    )
    with pytest.raises(openai.APIError, match="Provider disconnected unexpectedly"):
        list(stream)


def test_the_models_are_listed(client: openai.OpenAI) -> None:
    assert MODEL in [model.id for model in client.models.list()]


def test_a_streamed_response_comes_to_what_the_whole_one_is(client: openai.OpenAI) -> None:
    asked: Any = {
        "model": "gpt-5-mini",
        "input": "What's the weather in Florence, Italy?",
        "tools": [{"type": "function", **TOOLS[0]["function"], "strict": False}],
        "reasoning": {"effort": "low", "summary": "auto"},
    }
    whole = client.responses.create(**asked)
    with client.responses.stream(**asked) as stream:
        streamed = stream.get_final_response()
    assert (
        ["reasoning", "function_call"]
        == [item.type for item in whole.output]
        == [item.type for item in streamed.output]
    )
    call: Any = streamed.output[1]
    assert {"location": "Florence, Italy"} == json.loads(call.arguments)
    assert "completed" == streamed.status


def test_a_streamed_response_of_text_is_its_deltas(client: openai.OpenAI) -> None:
    with client.responses.stream(model="gpt-5-mini", input="Say hi in Portuguese") as stream:
        pieces = "".join(event.delta for event in stream if event.type == "response.output_text.delta")
        assert pieces == stream.get_final_response().output_text
    assert "Olá!" in pieces
