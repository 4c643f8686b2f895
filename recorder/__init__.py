"""A recording proxy for LLM traffic that writes go-vcr cassettes, and a library to read them.

`load` reads a cassette; each interaction in it is a turn of a conversation:

    >>> import recorder
    >>> question, answer = recorder.load("cassettes/weather.yaml")
    >>> [call.name for call in question.tool_calls]
    ['weather']
    >>> question.tool_calls[0].parsed
    {'location': 'Florence,Italy'}
    >>> answer.model, answer.finish_reason, answer.usage.total_tokens
    ('x-ai/grok-code-fast-1', 'stop', 581)
    >>> [message.role for message in answer.messages]
    ['system', 'user', 'assistant', 'tool', 'assistant']
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # for whoever checks types: the names below are loaded by `__getattr__`
    from recorder.errors import CassetteError as CassetteError
    from recorder.errors import RecorderError as RecorderError
    from recorder.llm.conversation import Answer as Answer
    from recorder.llm.conversation import Attachment as Attachment
    from recorder.llm.conversation import Message as Message
    from recorder.llm.conversation import Reasoning as Reasoning
    from recorder.llm.conversation import Refusal as Refusal
    from recorder.llm.conversation import Text as Text
    from recorder.llm.conversation import Tool as Tool
    from recorder.llm.conversation import ToolCall as ToolCall
    from recorder.llm.conversation import ToolResult as ToolResult
    from recorder.llm.conversation import Turn as Turn
    from recorder.llm.library import load as load
    from recorder.llm.library import loads as loads
    from recorder.llm.usage import Usage as Usage
    from recorder.model import Interaction as Interaction

__version__ = "0.1.0"

# Where each public name lives. It is loaded when it is asked for: `recorder --help` imports this package, too.
_HOMES = {
    "recorder.llm.conversation": (
        "Answer",
        "Attachment",
        "Message",
        "Reasoning",
        "Refusal",
        "Text",
        "Tool",
        "ToolCall",
        "ToolResult",
        "Turn",
    ),
    "recorder.errors": ("CassetteError", "RecorderError"),
    "recorder.llm.library": ("load", "loads"),
    "recorder.model": ("Interaction",),
    "recorder.llm.usage": ("Usage",),
}
_HOME = {name: home for home, names in _HOMES.items() for name in names}


if not TYPE_CHECKING:  # a type checker is to find a wrong name

    def __getattr__(name: str) -> Any:
        if name not in _HOME:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(importlib.import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME})
