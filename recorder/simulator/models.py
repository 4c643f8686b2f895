"""The models on offer. Names, providers and finish words are those of recorded traffic; prices are made up.

Prices are whole numbers of 10⁻¹⁰ US dollars a token, so that a cost is exact.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

PER_DOLLAR = 10**10


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """`dated`: what the answer calls it. `reasons`: even if not asked to. `reasoning_format`: of its details."""

    id: str
    dated: str
    name: str
    provider: str
    native_stop: str
    native_calls: str
    reasoning_format: str = "unknown"
    reasons: bool = False
    prompt_price: int = 2_000
    completion_price: int = 15_000
    context_length: int = 256_000


MODELS = {
    model.id: model
    for model in (
        Model(
            id="x-ai/grok-code-fast-1",
            dated="x-ai/grok-code-fast-1",
            name="xAI: Grok Code Fast 1",
            provider="xAI",
            native_stop="stop",
            native_calls="tool_calls",
            reasons=True,
        ),
        Model(
            id="anthropic/claude-haiku-4.5",
            dated="anthropic/claude-4.5-haiku-20251001",
            name="Anthropic: Claude Haiku 4.5",
            provider="Amazon Bedrock",
            native_stop="end_turn",
            native_calls="tool_use",
            reasoning_format="anthropic-claude-v1",
            prompt_price=10_000,
            completion_price=50_000,
            context_length=200_000,
        ),
        Model(
            id="openai/gpt-5.4-nano",
            dated="openai/gpt-5.4-nano-20260317",
            name="OpenAI: GPT-5.4 Nano",
            provider="OpenAI",
            native_stop="completed",
            native_calls="completed",
            reasoning_format="openai-responses-v1",
            completion_price=12_500,
        ),
        Model(
            id="google/gemini-3.1-flash-lite-preview",
            dated="google/gemini-3.1-flash-lite-preview-20260303",
            name="Google: Gemini 3.1 Flash Lite Preview",
            provider="Google AI Studio",
            native_stop="STOP",
            native_calls="STOP",
            reasoning_format="google-gemini-v1",
            prompt_price=2_500,
        ),
        Model(
            id="z-ai/glm-5-turbo",
            dated="z-ai/glm-5-turbo-20260315",
            name="Z.AI: GLM 5 Turbo",
            provider="Z.AI",
            native_stop="stop",
            native_calls="tool_calls",
            reasons=True,
            prompt_price=12_000,
            completion_price=40_000,
        ),
    )
}


def listing(created: int) -> list[dict[str, Any]]:
    """The `data` of OpenRouter's `/api/v1/models`."""
    return [
        {
            "id": model.id,
            "canonical_slug": model.dated,
            "name": model.name,
            "created": created,
            "description": f"A simulation of {model.name}.",
            "context_length": model.context_length,
            "architecture": {
                "modality": "text->text",
                "input_modalities": ["text"],
                "output_modalities": ["text"],
                "tokenizer": "Other",
                "instruct_type": None,
            },
            "pricing": {"prompt": dollars(model.prompt_price), "completion": dollars(model.completion_price)},
            "top_provider": {
                "context_length": model.context_length,
                "max_completion_tokens": None,
                "is_moderated": False,
            },
            "per_request_limits": None,
            "supported_parameters": ["max_tokens", "reasoning", "stream", "tool_choice", "tools"],
        }
        for model in MODELS.values()
    ]


def dollars(price: int) -> str:
    """As OpenRouter prints it, never with an exponent: 15000 → `0.0000015`."""
    text = f"{price // PER_DOLLAR}.{price % PER_DOLLAR:010d}".rstrip("0")
    return text.removesuffix(".")
