"""Recorded bodies → the conversation that they carry: pure functions, no I/O.

`nouns` has what a conversation is made of. `chat`, `responses`, `messages` and `gemini` read one API each, streamed
and not: `prompt` and `tools` from a request's object, `answers` from a response's. `reader` knows which is which.
"""

from recorder.llm.conversation.dispatch import read, usage_of
from recorder.llm.conversation.turn import (
    Answer,
    Attachment,
    Message,
    Part,
    Reasoning,
    Refusal,
    Text,
    Tool,
    ToolCall,
    ToolResult,
    Turn,
)

__all__ = [
    "Answer",
    "Attachment",
    "Message",
    "Part",
    "Reasoning",
    "Refusal",
    "Text",
    "Tool",
    "ToolCall",
    "ToolResult",
    "Turn",
    "read",
    "usage_of",
]
