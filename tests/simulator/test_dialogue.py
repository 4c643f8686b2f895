from __future__ import annotations

import json

import pytest

from recorder.simulator.behaviour import DEFAULT, Behaviour
from recorder.simulator.dialogue import Ask, Result, Tool, reply
from recorder.simulator.seeded import seeded

SEEDED = seeded("0", b"", nth=0)
WEATHER = Tool(name="weather", properties={"location": "string"})
ADD = Tool(name="add", properties={"a": "integer", "b": "integer"})
MULTIPLY = Tool(name="multiply", properties={"a": "integer", "b": "integer"})


def calls(question: str, *tools: Tool, must_call: str = "") -> list[tuple[str, object]]:
    said = reply(Ask(model="m", question=question, tools=tools, must_call=must_call), DEFAULT, SEEDED)
    assert (str(said.text) == "") == bool(said.calls)
    return [(call.name, json.loads(call.arguments)) for call in said.calls]


@pytest.mark.parametrize(
    ("question", "places"),
    [
        ("What's the weather in Florence,Italy?", ["Florence, Italy"]),
        ("What's the weather in Florence, Italy? Be brief.", ["Florence, Italy"]),
        ("What is the weather in Florence, Italy and in Rome, Italy?", ["Florence, Italy", "Rome, Italy"]),
        ("weather in São Paulo and Rome", ["São Paulo", "Rome"]),
        ("weather?", ["weather?"]),
    ],
)
def test_the_weather_tool_is_called_once_for_each_place(question: str, places: list[str]) -> None:
    assert [("weather", {"location": place}) for place in places] == calls(question, WEATHER)


def test_every_tool_that_is_named_is_called_with_the_numbers_of_the_question() -> None:
    numbers = {"a": 2, "b": 3}
    assert [("add", numbers), ("multiply", numbers)] == calls(
        "Add and multiply the number 2 and 3", ADD, MULTIPLY, WEATHER
    )


def test_a_tool_that_is_not_asked_for_is_not_called() -> None:
    assert [] == calls("Say hi in Portuguese", WEATHER)


@pytest.mark.parametrize("demand", ["any", "weather"])
def test_a_tool_that_is_demanded_is_called(demand: str) -> None:
    assert [("weather", {"location": "Rome"})] == calls("Say hi in Rome", WEATHER, must_call=demand)


def test_the_fragments_of_a_call_are_its_arguments() -> None:
    said = reply(Ask(model="m", question="weather in Florence, Italy", tools=(WEATHER,)), DEFAULT, SEEDED)
    assert len(said.calls[0].pieces) > 2
    assert said.calls[0].arguments == "".join(said.calls[0].pieces)


def test_the_result_of_a_tool_is_in_the_answer() -> None:
    results = tuple(
        Result(name="weather", arguments={"location": place}, output=degrees)
        for place, degrees in (("Florence, Italy", "40 C"), ("Rome, Italy", "31 C"))
    )
    said = reply(Ask(model="m", question="weather in Rome", tools=(WEATHER,), results=results), DEFAULT, SEEDED)
    assert "The weather in Florence, Italy is 40 C. The weather in Rome, Italy is 31 C." == str(said.text)
    assert () == said.calls


def test_chunks_are_as_many_as_asked_and_numbered() -> None:
    text = reply(Ask(model="m", question="?"), Behaviour(chunks=3), SEEDED).text
    assert (3, ["0 é… ", "1 é… ", "2 é… "]) == (len(text), list(text))
    assert list(text) == list(text)


@pytest.mark.parametrize("split", [0, 1, 5, 99])
def test_an_echo_is_whole_however_it_is_split(split: int) -> None:
    said = reply(Ask(model="m", question="?"), Behaviour(echo="authorization", split=split), SEEDED, echoed="Bearer k")
    assert "You sent Bearer k." == str(said.text)


def test_a_split_echo_is_in_no_single_delta() -> None:
    said = reply(Ask(model="m", question="?"), Behaviour(echo="x", split=5), SEEDED, echoed="sk-or-v1-secret")
    assert [] == [piece for piece in said.text if "sk-or-v1" in piece]
