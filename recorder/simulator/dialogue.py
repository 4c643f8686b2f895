"""What the simulated model says, whichever API it is asked through: pure, and true to the seed's conversation.

Asked about the weather with a tool `weather` at hand it calls the tool, once for each place; given the tool's result it
says so. A tool is called if its name is a word of the question, or if the request demands it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from recorder.simulator.behaviour import Behaviour
from recorder.simulator.seeded import Seeded

# "in Florence,Italy?", "in Florence, Italy and in Rome, Italy": capitalised words, and a land behind a comma.
_WORD = r"[^\W\d_a-z][\w'-]*"
_PLACE = re.compile(rf"{_WORD}(?: {_WORD})*(?:, ?{_WORD}(?: {_WORD})*)?")
_PIECE = re.compile(r"\s*\S+|\s+")
_INTEGER = re.compile(r"-?\d+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """`properties`: JSON schema types by parameter."""

    name: str
    properties: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What a tool gave back, and for which call."""

    name: str
    arguments: Mapping[str, Any]
    output: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """A request, freed from its API's shape. `results` is not empty only if the conversation ends with them."""

    model: str
    question: str
    tools: tuple[Tool, ...] = ()
    must_call: str = ""  # a tool's name, "any", or "" for as it likes
    results: tuple[Result, ...] = ()
    reasons: bool = False
    prompt_tokens: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    id: str
    name: str
    arguments: str  # JSON
    pieces: tuple[str, ...]  # the same, as it is streamed


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """`text` may be an endless-looking run of numbered chunks: iterate it, do not copy it without need."""

    reasoning: tuple[str, ...]
    text: Text
    calls: tuple[Call, ...]

    @property
    def completion_tokens(self) -> int:
        return len(self.reasoning) + len(self.text) + sum(8 + len(call.pieces) for call in self.calls)


class Text:
    """The text deltas in order. `chunks` many numbered ones are made on the way, not kept."""

    __slots__ = ("_chunks", "_pieces")

    def __init__(self, pieces: Iterable[str] = (), *, chunks: int = 0) -> None:
        self._pieces = tuple(pieces)
        self._chunks = chunks

    def __len__(self) -> int:
        return self._chunks or len(self._pieces)

    def __iter__(self) -> Iterator[str]:
        if not self._chunks:
            return iter(self._pieces)
        # The last characters are of two and three bytes, so that a cut anywhere has a character to split.
        return (f"{number} é… " for number in range(self._chunks))

    def __str__(self) -> str:
        return "".join(self)


def reply(ask: Ask, behaviour: Behaviour, seeded: Seeded, *, echoed: str = "") -> Reply:
    """`echoed`: the value of the request's header that `behaviour.echo` names."""
    if behaviour.echo:
        return Reply(reasoning=(), text=Text(_echo(echoed, behaviour.split)), calls=())
    if behaviour.chunks:
        return Reply(reasoning=(), text=Text(chunks=behaviour.chunks), calls=())
    if behaviour.say:
        return Reply(reasoning=(), text=Text(_pieces(behaviour.say)), calls=())
    calls = () if ask.results else tuple(_calls(ask, seeded))
    if calls:
        names = " and ".join(dict.fromkeys(call.name for call in calls))
        thought = f"The user needs {names}. I will call the tool with what was asked for."
        return Reply(reasoning=_thought(ask, thought), text=Text(), calls=calls)
    if ask.results:
        thought = "The tool has answered. I will put it in a sentence."
        text = " ".join(_sentence(result) for result in ask.results)
    else:
        thought = "A plain question. I will answer it briefly."
        text = f"Olá! You asked: “{ask.question[:200]}” I am a simulation, so that is all I can say."
    return Reply(reasoning=_thought(ask, thought), text=Text(_pieces(text)), calls=())


def _thought(ask: Ask, thought: str) -> tuple[str, ...]:
    return _pieces(thought) if ask.reasons else ()


def _pieces(text: str) -> tuple[str, ...]:
    return tuple(_PIECE.findall(text))


def _echo(value: str, split: int) -> tuple[str, ...]:
    """The value in one delta, or cut in two: a secret that no single event holds."""
    if not split:
        return ("You sent ", value, ".")
    return ("You sent ", value[:split], value[split:], ".")


def _sentence(result: Result) -> str:
    if result.name == "weather":
        return f"The weather in {result.arguments.get('location', 'that place')} is {result.output}."
    return f"The result of {result.name} is {result.output}."


def _calls(ask: Ask, seeded: Seeded) -> Iterator[Call]:
    number = 0
    for tool in _wanted(ask):
        for arguments in _arguments(tool, ask.question):
            text = json.dumps(arguments, ensure_ascii=False)
            yield Call(
                id=f"call_{seeded.token(f'call {number}', 24)}",
                name=tool.name,
                arguments=text,
                pieces=tuple(_fragments(text, seeded, number)),
            )
            number += 1


def _wanted(ask: Ask) -> Iterator[Tool]:
    words = set(re.findall(r"\w+", ask.question.lower()))
    for tool in ask.tools:
        if tool.name.lower() in words or tool.name == ask.must_call:
            yield tool
    if ask.must_call == "any" and not any(tool.name.lower() in words for tool in ask.tools):
        yield from ask.tools[:1]


def _arguments(tool: Tool, question: str) -> list[dict[str, Any]]:
    """One set of arguments for each call: a tool that takes one text is called for each place that is named."""
    if list(tool.properties.values()) == ["string"]:
        name = next(iter(tool.properties))
        return [{name: text} for text in _places(question) or [question]]
    numbers = iter([int(number) for number in _INTEGER.findall(question)])
    return [{name: _argument(kind, question, numbers) for name, kind in tool.properties.items()}]


def _argument(kind: str, question: str, numbers: Iterator[int]) -> Any:
    if kind in {"integer", "number"}:
        return next(numbers, 0)
    if kind == "boolean":
        return True
    if kind == "array":
        return []
    if kind == "object":
        return {}
    return question


def _places(question: str) -> list[str]:
    _, _, behind = question.partition(" in ")
    clause = re.split(r"[?!.\n]", behind, maxsplit=1)[0]
    return [re.sub(r",\s*", ", ", place) for place in _PLACE.findall(clause)]


def _fragments(text: str, seeded: Seeded, number: int) -> Iterator[str]:
    """Cut as models cut them: a few characters at a time, anywhere."""
    start, step = 0, 0
    while start < len(text):
        end = start + 2 + seeded.number(f"fragment {number} {step}", 9)
        yield text[start:end]
        start, step = end, step + 1
