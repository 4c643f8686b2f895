"""Recorded bodies → the conversation that they carry: pure functions, no I/O.

`nouns` has what a conversation is made of. `chat`, `responses`, `messages` and `gemini` read one API each, streamed
and not: `prompt` and `tools` from a request's object, `answers` from a response's. `reader` knows which is which.
"""

from recorder.conversation.nouns import (
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
from recorder.conversation.reader import read, usage_of

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
