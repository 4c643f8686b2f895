"""JSON made of the APIs' own words in all the wrong places."""

from __future__ import annotations

from hypothesis import strategies as st

WORDS = st.sampled_from(
    [
        *("choices", "delta", "message", "messages", "content", "role", "text", "type", "index", "id", "name", "input"),
        *("tool_calls", "function", "arguments", "reasoning", "reasoning_details", "output", "item", "output_index"),
        *("candidates", "parts", "functionCall", "args", "contents", "system", "tools", "parameters", "source", "data"),
        *("content_block", "response", "error", "usage", "summary", "image_url", "url", "prompt", "thinking", "images"),
        *("function_call", "message_start", "content_block_delta", "content_block_start", "message_delta", "tool_use"),
        *("response.output_item.added", "response.output_text.delta", "function_call_output", "tool_result", "audio"),
        *("response.completed", "model", "system", "assistant", "user", "tool", "inlineData", "functionDeclarations"),
        *(
            "data:image/png;base64,AAAA",
            "data:,",
            "tool_call_id",
            "refusal",
            "stop_reason",
            "finish_reason",
            "metadata",
        ),
    ]
)
LEAVES = st.none() | st.booleans() | st.integers(-3, 3) | st.floats() | WORDS | st.text(max_size=3)
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=5), max_leaves=25
)
PATHS = st.sampled_from(
    [
        "/v1/chat/completions",
        "/v1/completions",
        "/v1/responses",
        "/v1/messages",
        "/model/x/invoke",
        "/v1beta/models/x:generateContent",
        "/v1beta/models/x:streamGenerateContent",
        "/x",
    ]
)
