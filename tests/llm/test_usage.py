from __future__ import annotations

import json
import time
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from recorder.llm import usage
from recorder.llm.usage import Usage, of_bodies, time_to_first_token
from recorder.model import Fields, Interaction, Request, Response
from recorder.wire import event_stream
from recorder.wire.exchange import Exchange, WireRequest, WireResponse

URL = "https://openrouter.ai/api/v1/chat/completions"
STREAM = "text/event-stream"


def stream(*values: Any) -> bytes:
    return b"".join(b"data: " + json.dumps(value).encode() + b"\n\n" for value in values)


def typed(*values: dict[str, Any]) -> bytes:
    """As Anthropic and the Responses API send them: with the type as the event's kind, too."""
    return b"".join(f"event: {value['type']}\ndata: {json.dumps(value)}\n\n".encode() for value in values)


def of_json(value: Any, *, url: str = URL, request: bytes = b"") -> Usage:
    return of_bodies(url=url, request=request, response=json.dumps(value).encode(), content_type="application/json")


def of_stream(body: bytes, *, url: str = URL, request: bytes = b"") -> Usage:
    return of_bodies(url=url, request=request, response=body, content_type=STREAM + "; charset=utf-8")


CHAT_USAGE = {
    "prompt_tokens": 390,
    "completion_tokens": 130,
    "total_tokens": 520,
    "cost": 0.00020388,
    "prompt_tokens_details": {"cached_tokens": 384, "audio_tokens": 0},
    "completion_tokens_details": {"reasoning_tokens": 104},
}
CHAT = Usage(
    model="x-ai/grok-code-fast-1",
    provider="xAI",
    prompt_tokens=390,
    completion_tokens=130,
    reasoning_tokens=104,
    cached_tokens=384,
    total_tokens=520,
    cost=0.00020388,
    finish_reason="tool_calls",
)


def chat(delta: dict[str, Any], **more: Any) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "finish_reason": more.pop("finish_reason", None)}
    return {"provider": "xAI", "model": "x-ai/grok-code-fast-1", "choices": [choice], **more}


# --- the shapes


def test_a_chat_completion() -> None:
    answer = {
        "provider": "xAI",
        "model": "x-ai/grok-code-fast-1",
        "choices": [{"message": {"content": "Sunny"}, "finish_reason": "tool_calls"}],
        "usage": CHAT_USAGE,
    }
    assert CHAT == of_json(answer)


def test_a_streamed_chat_completion() -> None:
    body = (
        b": OPENROUTER PROCESSING\n\n" * 20
        + stream(chat({"role": "assistant", "content": ""}), *[chat({"content": "x"})] * 100)
        + stream(chat({"content": ""}, finish_reason="tool_calls"), chat({}, usage=CHAT_USAGE))
        + b"data: [DONE]\n\n"
    )
    assert CHAT == of_stream(body)


def test_a_stream_without_usage_tells_none() -> None:
    told = of_stream(stream(chat({"content": "x"}), chat({}, finish_reason="stop")) + b"data: [DONE]\n\n")
    assert Usage(model="x-ai/grok-code-fast-1", provider="xAI", finish_reason="stop") == told


RESPONSE = {
    "object": "response",
    "model": "gpt-5-2025-08-07",
    "status": "completed",
    "usage": {
        "input_tokens": 75,
        "input_tokens_details": {"cached_tokens": 64},
        "output_tokens": 1186,
        "output_tokens_details": {"reasoning_tokens": 1024},
        "total_tokens": 1261,
    },
}
RESPONSES = Usage(
    model="gpt-5-2025-08-07",
    prompt_tokens=75,
    completion_tokens=1186,
    reasoning_tokens=1024,
    cached_tokens=64,
    total_tokens=1261,
    finish_reason="completed",
)


def test_a_response_of_the_responses_api() -> None:
    assert RESPONSES == of_json(RESPONSE)


def test_a_streamed_response_of_the_responses_api() -> None:
    begun: dict[str, Any] = RESPONSE | {"status": "in_progress", "usage": None, "output": []}
    ended = RESPONSE | {"output": [{"content": "x" * 300_000}]}
    body = typed(
        {"type": "response.created", "response": begun},
        *[{"type": "response.output_text.delta", "delta": "x"}] * 50,
        {"type": "response.completed", "response": ended},
    )
    assert RESPONSES == of_stream(body)


def test_an_incomplete_response_says_why() -> None:
    answer = RESPONSE | {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}
    assert "max_output_tokens" == of_json(answer).finish_reason


ANTHROPIC = Usage(
    model="claude-sonnet-4-20250514",
    prompt_tokens=2424,
    completion_tokens=119,
    cached_tokens=1800,
    total_tokens=2543,
    finish_reason="tool_use",
)
INPUT = {"input_tokens": 424, "cache_creation_input_tokens": 200, "cache_read_input_tokens": 1800}


def test_a_message_of_anthropic_counts_the_cached_tokens_as_prompt() -> None:
    answer = {
        "type": "message",
        "model": "claude-sonnet-4-20250514",
        "stop_reason": "tool_use",
        "usage": INPUT | {"output_tokens": 119},
    }
    assert ANTHROPIC == of_json(answer)


def test_a_streamed_message_of_anthropic_tells_at_both_ends() -> None:
    message = {"model": "claude-sonnet-4-20250514", "stop_reason": None, "usage": INPUT | {"output_tokens": 3}}
    body = typed(
        {"type": "message_start", "message": message},
        {"type": "content_block_start", "content_block": {"type": "text", "text": ""}},
        *[{"type": "content_block_delta", "delta": {"type": "text_delta", "text": "x"}}] * 100,
        {"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 119}},
        {"type": "message_stop"},
    )
    assert ANTHROPIC == of_stream(body)


GEMINI_USAGE = {
    "promptTokenCount": 38,
    "candidatesTokenCount": 77,
    "thoughtsTokenCount": 405,
    "totalTokenCount": 520,
    "cachedContentTokenCount": 5,
}
GEMINI_URL = "https://generativelanguage.googleapis.com/v1beta/models/gemini-2.5-pro:streamGenerateContent?alt=sse"
GEMINI = Usage(
    model="gemini-2.5-pro",
    prompt_tokens=38,
    completion_tokens=482,
    reasoning_tokens=405,
    cached_tokens=5,
    total_tokens=520,
    finish_reason="STOP",
)


def gemini(text: str, **more: Any) -> dict[str, Any]:
    return {"candidates": [{"content": {"parts": [{"text": text}]}, **more}], "modelVersion": "gemini-2.5-pro"}


def test_gemini_counts_the_thoughts_as_completion() -> None:
    assert GEMINI == of_json(gemini("x", finishReason="STOP") | {"usageMetadata": GEMINI_USAGE})


def test_gemini_streamed_as_events_or_as_a_list() -> None:
    values = [
        gemini("x") | {"usageMetadata": {"promptTokenCount": 38, "totalTokenCount": 38}},
        gemini("y", finishReason="STOP") | {"usageMetadata": GEMINI_USAGE},
    ]
    assert GEMINI == of_stream(stream(*values), url=GEMINI_URL)
    assert GEMINI == of_json(values, url=GEMINI_URL)


def test_an_embedding_has_no_completion_and_no_reckoned_total() -> None:
    told = of_json({"model": "embed", "data": [], "usage": {"prompt_tokens": 5}})
    assert Usage(model="embed", prompt_tokens=5) == told


# --- the model


@pytest.mark.parametrize(
    ("request_body", "url", "expected"),
    [
        (b'{"model":"asked/for","messages":[]}', URL, "asked/for"),
        (b'{"model":17}', URL, None),
        (b'{"model":"cut', URL, None),
        (b"", GEMINI_URL, "gemini-2.5-pro"),
        (b"", "https://bedrock-runtime.us-east-1.amazonaws.com/model/us.claude-v1%3A0/invoke", "us.claude-v1:0"),
        (b"", "https://openrouter.ai/api/v1/models", None),
    ],
)
def test_the_model_is_the_requests_where_the_answer_names_none(
    request_body: bytes, url: str, expected: str | None
) -> None:
    assert Usage(model=expected) == of_json({"error": {"code": 402}}, url=url, request=request_body)


def test_the_answers_model_wins() -> None:
    assert "answered" == of_json({"model": "answered"}, request=b'{"model":"asked"}').model


def test_an_interaction_is_read_by_its_content_type() -> None:
    interaction = Interaction(
        request=Request(method="POST", url=URL),
        response=Response(
            status="200 OK",
            code=200,
            duration=0,
            body=stream(chat({}, usage=CHAT_USAGE)),
            headers=Fields([("Content-Type", STREAM)]),
        ),
    )
    assert 520 == usage.of(interaction).total_tokens


# --- what is malformed


@pytest.mark.parametrize(
    "value",
    [True, -1, "5", 1.5, None, [], {}, float("nan")],
)
def test_a_count_that_is_none_is_not_told(value: Any) -> None:
    assert Usage(completion_tokens=2) == of_json({"usage": {"prompt_tokens": value, "completion_tokens": 2}})


def test_a_body_of_many_levels_is_read_at_its_first() -> None:
    body = b'{"model":"m","response":' * 700 + b"{}" + b"}" * 700
    assert Usage(model="m") == of_bodies(url=URL, request=b"", response=body, content_type="application/json")


@pytest.mark.parametrize("value", [True, -1.0, "5", None, float("nan"), float("inf"), 10**400])
def test_a_cost_that_is_none_is_not_told(value: Any) -> None:
    assert Usage() == of_json({"usage": {"cost": value}})


def test_a_cost_of_nothing_is_a_cost() -> None:
    assert Usage(cost=0.0, prompt_tokens=0) == of_json({"usage": {"cost": 0, "prompt_tokens": 0}})


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[" * 100_000, b'{"a":' * 100_000, b'{"usage":' + b"9" * 5000 + b"}", b"\xff\xfe", b"null", b"<html>"],
)
@pytest.mark.parametrize("content_type", ["application/json", STREAM, ""])
def test_a_malformed_body_tells_nothing(body: bytes, content_type: str) -> None:
    for response in (body, b"data: " + body + b"\n\n"):
        assert Usage() == of_bodies(url=URL, request=body, response=response, content_type=content_type)


KEYS = [
    *("usage", "usageMetadata", "prompt_tokens", "cost", "model", "provider", "status", "object", "type"),
    *("choices", "delta", "message", "response", "candidates", "content", "parts", "text", "tool_calls"),
    *("finish_reason", "stop_reason", "incomplete_details"),
]
ODD = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=4)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(KEYS),
            inner,
            max_size=5,
        ),
    ),
    max_leaves=12,
)


@given(st.lists(ODD, max_size=4))
@settings(derandomize=True, max_examples=300)
def test_odd_values_raise_nothing(values: list[Any]) -> None:
    body = stream(*values)
    told = of_stream(body)
    assert told.total_tokens is None or told.total_tokens >= 0
    assert time_to_first_token(arriving([body])) in (0, None)


# --- real ones


def test_first_and_last_events_tell_what_all_of_them_do(shared: Path) -> None:
    streams = 0
    for path in sorted((shared / "cassettes").rglob("*.yaml")):
        for recorded in yaml.load(path.read_bytes(), Loader=yaml.CSafeLoader)["interactions"]:
            response = recorded["response"]
            content_type = response["headers"]["Content-Type"][0]
            body = response["body"] if isinstance(response["body"], bytes) else response["body"].encode()
            told = of_bodies(
                url=recorded["request"]["url"],
                request=recorded["request"]["body"].encode(),
                response=body,
                content_type=content_type,
            )
            assert told.model, path
            if content_type.startswith("application/vnd.amazon.eventstream"):
                assert told.total_tokens is None, path
                continue
            assert told.finish_reason, path
            assert told.prompt_tokens is not None, path
            assert told.completion_tokens is not None, path
            assert told.prompt_tokens + told.completion_tokens == told.total_tokens, path
            assert (told.cost is not None) == ("openrouter.ai" in recorded["request"]["url"]), path
            if event_stream.is_event_stream(content_type):
                streams += 1
                values = [json.loads(event.data) for event in event_stream.events(body) if event.data.startswith(b"{")]
                folded = usage._Told()
                for value in values:
                    usage._read(value, folded)
                assert told == folded.usage(), path
                assert event_stream.has_terminal_frame(body, content_type) == (
                    "googleapis" not in recorded["request"]["url"]
                ), path
    assert streams > 40


# --- what it costs


def test_a_long_stream_is_not_read_through() -> None:
    body = stream(*[chat({"content": "x" * 200})] * 20_000, chat({}, usage=CHAT_USAGE)) + b"data: [DONE]\n\n"
    began = time.process_time()
    assert 520 == of_stream(body).total_tokens
    assert time.process_time() - began < 0.05  # about a millisecond; parsing every event takes two hundred


# --- time to first token


def arriving(pieces: list[bytes], *, encoding: bytes = b"", content_type: bytes = STREAM.encode()) -> Exchange:
    """The pieces come a millisecond apart, the first at 0."""
    return Exchange(
        request=WireRequest(method="POST", url=URL, http_version="HTTP/1.1", headers=()),
        response=WireResponse(
            code=200,
            reason="OK",
            http_version="HTTP/1.1",
            headers=((b"content-type", content_type), (b"Content-Encoding", encoding)),
            body=b"".join(pieces),
        ),
        began=0,
        duration=0,
        chunks=tuple((at * 1_000_000, len(piece)) for at, piece in enumerate(pieces)),
        ended=0,
    )


SILENT = [
    b": OPENROUTER PROCESSING\n\n",
    stream(chat({"role": "assistant", "content": ""})),
    stream(chat({"role": "assistant", "content": None, "tool_calls": []})),
    stream({"choices": []}),
    typed({"type": "message_start", "message": {"content": []}}, {"type": "ping"}),
    typed({"type": "content_block_start", "content_block": {"type": "text", "text": ""}}),
    typed({"type": "content_block_delta", "delta": {"type": "signature_delta", "signature": "x"}}),
    typed({"type": "response.created", "response": {"output": []}}),
    typed({"type": "response.output_item.added", "item": {"type": "message"}}),
    typed({"type": "response.output_text.delta", "delta": ""}),
    stream({"candidates": [{"content": {"parts": [{"text": ""}]}}]}),
    stream({"candidates": [{"finishReason": "STOP"}]}),
    b"data: not json\n\ndata: []\n\ndata: [DONE]\n\n",
]
OUTPUT = [
    stream(chat({"content": "x"})),
    stream(chat({"content": "", "reasoning": "x"})),
    stream(chat({"reasoning_content": "x"})),
    stream(chat({"refusal": "x"})),
    stream(chat({"tool_calls": [{"function": {"name": "weather"}}]})),
    stream({"choices": [{"text": "x"}]}),
    typed({"type": "content_block_delta", "delta": {"type": "text_delta", "text": "x"}}),
    typed({"type": "content_block_delta", "delta": {"type": "thinking_delta", "thinking": "x"}}),
    typed({"type": "content_block_delta", "delta": {"type": "input_json_delta", "partial_json": "{"}}),
    typed({"type": "content_block_start", "content_block": {"type": "tool_use", "name": "weather"}}),
    typed({"type": "response.output_text.delta", "delta": "x"}),
    typed({"type": "response.reasoning_summary_text.delta", "delta": "x"}),
    typed({"type": "response.output_item.added", "item": {"type": "function_call", "name": "weather"}}),
    stream({"candidates": [{"content": {"parts": [{"text": "x"}]}}]}),
    stream({"candidates": [{"content": {"parts": [{"functionCall": {"name": "weather"}}]}}]}),
]


@pytest.mark.parametrize("output", OUTPUT)
def test_the_first_output_is_the_first_token(output: bytes) -> None:
    assert len(SILENT) * 1_000_000 == time_to_first_token(arriving([*SILENT, output, output]))


@pytest.mark.parametrize("silent", SILENT)
def test_what_is_no_output_is_no_token(silent: bytes) -> None:
    assert time_to_first_token(arriving([silent])) is None


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_the_piece_that_completes_the_event_counts_wherever_it_is_cut(end: bytes) -> None:
    body = (SILENT[0] + OUTPUT[0]).replace(b"\n", end)
    for cut in range(1, len(body)):
        whole_in_first = event_stream.whole_until(body[:cut], len(SILENT[0]) + 5)
        expected = 0 if whole_in_first else 1_000_000
        assert expected == time_to_first_token(arriving([body[:cut], body[cut:], OUTPUT[1]]))


def gzip_pieces(pieces: list[bytes]) -> list[bytes]:
    compressor = zlib.compressobj(wbits=31)
    sent = [compressor.compress(piece) + compressor.flush(zlib.Z_SYNC_FLUSH) for piece in pieces]
    return [*sent[:-1], sent[-1] + compressor.flush()]


def zstd_pieces(pieces: list[bytes]) -> list[bytes]:
    compressor = zstandard.ZstdCompressor().compressobj()
    return [compressor.compress(piece) + compressor.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK) for piece in pieces]


@pytest.mark.parametrize(("encoding", "encode"), [(b"gzip", gzip_pieces), (b"zstd", zstd_pieces)])
def test_a_compressed_stream_is_decoded_as_it_came(
    encoding: bytes, encode: Callable[[list[bytes]], list[bytes]]
) -> None:
    pieces = encode([SILENT[0], SILENT[1], OUTPUT[0], OUTPUT[1]])
    assert 2_000_000 == time_to_first_token(arriving(pieces, encoding=encoding))


def test_where_it_cannot_be_known_there_is_none() -> None:
    whole = arriving([OUTPUT[0]])
    assert 0 == time_to_first_token(whole)
    assert time_to_first_token(arriving([OUTPUT[0]], content_type=b"application/json")) is None
    assert time_to_first_token(arriving([OUTPUT[0]], encoding=b"unknown")) is None
    assert time_to_first_token(arriving([OUTPUT[0]], encoding=b"gzip")) is None
    assert time_to_first_token(arriving([OUTPUT[0][:-1]])) is None
    assert time_to_first_token(arriving([])) is None


def test_a_stream_that_never_says_anything_is_given_up() -> None:
    silent = stream(chat({"content": ""})) * 200
    began = time.process_time()
    assert time_to_first_token(arriving([silent] * 200)) is None
    assert time_to_first_token(arriving([b"data: x\n" * 500] * 1000)) is None
    assert time.process_time() - began < 2  # 0.15 s; reading an unended event anew with each piece takes minutes


def test_of_a_recorded_stream_it_is_told_only_where_the_body_is_what_came() -> None:
    pieces = [SILENT[0], OUTPUT[0], OUTPUT[1]]
    chunks = [(at, len(piece)) for at, piece in zip((5, 7, 9), pieces, strict=True)]
    response = Response(
        status="200 OK", code=200, duration=0, body=b"".join(pieces), headers=Fields([("Content-Type", STREAM)])
    )
    assert 7 == usage.first_token(response, chunks)
    assert usage.first_token(response, chunks[:-1]) is None
    assert usage.first_token(replace(response, uncompressed=True), chunks) is None
    assert usage.first_token(replace(response, headers=Fields()), chunks) is None
