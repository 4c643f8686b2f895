"""The nouns: a turn is one request to a model and what came back; it is made of messages, and they of parts.

They say what the four APIs have in common, in the words of OpenAI's chat API. What an API has beyond that is in the
interaction's bodies, which every turn carries. All text is as the model or the program wrote it: it may hold anything.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from recorder.llm.usage import Usage
from recorder.model import Interaction
from recorder.wire import lenient_json


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reasoning:
    """What the model thought, or a summary of it. `sealed`: characters that only the provider can read."""

    text: str
    sealed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCall:
    """`arguments`: as the model wrote them, JSON if it did well. `id`: "" where the API gives none."""

    name: str
    arguments: str
    id: str = ""

    @property
    def parsed(self) -> Any:
        """The arguments as a value: an object, mostly. None if they are none."""
        return lenient_json.loads(self.arguments.encode(errors="surrogatepass"))


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolResult:
    """What the program answered to the call of this `id`; `name` where the API repeats it."""

    text: str
    id: str = ""
    name: str = ""
    failed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """A picture, a sound, a file. `kind`: `image`, `audio`, `video`, `file`, or the API's word for what else it may be.

    `url`: where it is, "" if it was sent along. `size`: its bytes, if it was. `media_type`: "" where it was not told.
    """

    kind: str
    media_type: str = ""
    url: str = ""
    name: str = ""
    size: int | None = None


Part = Text | Reasoning | Refusal | ToolCall | ToolResult | Attachment


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What one side said. `role`: `system`, `developer`, `user`, `assistant` or `tool`; `parts` in their order."""

    role: str
    parts: tuple[Part, ...] = ()
    name: str = ""

    @property
    def text(self) -> str:
        return "".join(part.text for part in self.parts if isinstance(part, Text))

    @property
    def reasoning(self) -> str:
        return "".join(part.text for part in self.parts if isinstance(part, Reasoning))

    @property
    def refusal(self) -> str:
        return "".join(part.text for part in self.parts if isinstance(part, Refusal))

    @property
    def tool_calls(self) -> tuple[ToolCall, ...]:
        return tuple(part for part in self.parts if isinstance(part, ToolCall))

    @property
    def tool_results(self) -> tuple[ToolResult, ...]:
        return tuple(part for part in self.parts if isinstance(part, ToolResult))


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One of the answers, mostly the only one. `finish_reason`: the provider's word; None if the stream was cut."""

    message: Message
    finish_reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """A tool that the model may call. `schema`: its arguments' JSON schema; for a tool of the provider its settings."""

    name: str
    description: str = ""
    schema: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One interaction, read. One that is no call of a model has `api` "" and neither prompt nor answers.

    `id`: its place in the cassette, from 0. `api`: `chat`, `completions`, `responses`, `messages`, `gemini` or "".
    `streamed`: whether the answer came as an event stream. `prompt`: what was sent, the system's words first.
    `answers`: one, unless more were asked for. `parameters`: what else was asked for: `temperature`, `max_tokens`, ….
    `error`: what the server said went wrong, "" if nothing did.
    """

    id: int
    api: str
    interaction: Interaction = field(repr=False)
    streamed: bool = False
    prompt: tuple[Message, ...] = ()
    answers: tuple[Answer, ...] = ()
    tools: tuple[Tool, ...] = ()
    parameters: Mapping[str, Any] = field(default_factory=dict)
    usage: Usage = field(default_factory=Usage)
    error: str = ""

    @property
    def answer(self) -> Message:
        """The first answer; one without parts if there is none."""
        return self.answers[0].message if self.answers else Message(role="assistant")

    @property
    def messages(self) -> tuple[Message, ...]:
        """The conversation as it stood after this turn: what was sent, and the answer."""
        return (*self.prompt, self.answers[0].message) if self.answers else self.prompt

    @property
    def text(self) -> str:
        return self.answer.text

    @property
    def reasoning(self) -> str:
        return self.answer.reasoning

    @property
    def refusal(self) -> str:
        return self.answer.refusal

    @property
    def tool_calls(self) -> tuple[ToolCall, ...]:
        return self.answer.tool_calls

    @property
    def finish_reason(self) -> str | None:
        return self.answers[0].finish_reason if self.answers else None

    @property
    def model(self) -> str | None:
        """The model that answered; the one that was asked for where the answer does not say."""
        return self.usage.model

    @property
    def provider(self) -> str | None:
        return self.usage.provider

    @property
    def status(self) -> int:
        return self.interaction.response.code

    @property
    def duration(self) -> int:
        """Nanoseconds from the request sent to the response's headers."""
        return self.interaction.response.duration
