"""The soak's table: a line for each row, and status 1 if one of them found something wrong or could not be made."""

from __future__ import annotations

import json

import pytest

from tests.crash.soak import Place, Row, main


def good(place: Place) -> Row:
    return Row(name="good", tried="kill -9 under load", times=place.count(1000), came_to="0 missing", wrong=())


def bad(_place: Place) -> Row:
    return Row(name="bad", tried="the disk is full", times=2, came_to="1 missing", wrong=("number 7 is not there",))


def broken(_place: Place) -> Row:
    raise AssertionError("the recorder did not start")


def test_a_row_that_is_wrong_or_cannot_be_made_ends_it_with_status_1(capsys: pytest.CaptureFixture[str]) -> None:
    assert 1 == main([], [bad, broken, good])
    said = capsys.readouterr()
    heads, *lines = said.out.splitlines()
    ends = [heads.index("what it came to")] * 3
    assert ends == [lines[0].index("1 missing"), lines[1].index("broken off"), lines[2].index("0 missing")]
    assert ["WRONG", "WRONG", "ok"] == [next(word for word in line.split() if word in "WRONG ok") for line in lines]
    assert "number 7 is not there" in said.err
    assert "the recorder did not start" in said.err


def test_rows_can_be_chosen_and_told_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert 0 == main(["good", "--quick", "--json"], [bad, broken, good])
    (line,) = capsys.readouterr().out.splitlines()
    told = json.loads(line)
    assert ("good", 10, []) == (told["name"], told["times"], told["wrong"])
