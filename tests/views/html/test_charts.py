from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recorder.views.html import charts
from recorder.views.html.charts import Column
from recorder.views.html.clock import Course

PIECES = st.lists(st.tuples(st.integers(0, 10**10), st.integers(0, 10**6)), min_size=1, max_size=400)


@settings(deadline=None, derandomize=True)
@given(PIECES)
def test_pieces_that_stand_on_each_other_are_added_up_and_none_is_lost(pieces: list[tuple[int, int]]) -> None:
    pieces.sort()
    course = Course(start=0, headers=pieces[0][0], end=pieces[-1][0], pieces=tuple(pieces))
    heaps = charts._heaped(course)
    assert sum(size for _, size in pieces) == sum(size for _, size in heaps)
    assert len(heaps) <= charts._MOST_PIECES + 1
    assert all(0 <= at <= 100 for at, _ in heaps)
    assert charts.pieces(course)


def test_bars_of_the_waterfall_share_one_clock() -> None:
    row = charts.waterfall_row(Course(start=50, headers=25, end=50, first_token=30, pieces=((40, 1), (50, 1))), 100)
    bars = re.findall(r'<rect class="(\w+)" x="(.*?)%" width="(.*?)%"', row)
    assert [("wait", "50", "25"), ("stream", "75", "25")] == bars
    assert 'class="first" x1="80%" x2="80%"' in row


def test_columns_stand_on_the_ground_layer_on_layer() -> None:
    one = Column(layers=(("prompt", 30.0), ("answer", 20.0)), told="0: fifty")
    chart = charts.columns([one, Column(layers=(), told="1: unknown")], top=100.0)
    assert ["50%", "70%"] == sorted(re.findall(r'class="(?:prompt|answer)" x="0%" y="(.*?)"', chart))
    assert 'class="untold" x="6%"' in chart
    assert "<title>1: unknown</title>" in chart


@pytest.mark.parametrize("count", [1, 16, 17, 200, 201, 3000])
def test_however_many_columns_they_fit(count: int) -> None:
    chart = charts.columns([Column(layers=(("answer", 1.0),), told="")] * count, top=1.0)
    left, width = re.findall(r'x="(.*?)%" y="0%" width="(.*?)%"', chart)[-1]
    assert float(left) + float(width) <= 100.1


def test_a_session_that_took_no_time_has_bars_without_width() -> None:
    row = charts.waterfall_row(Course(start=0, headers=0, end=0), 0)
    assert 'width="0%"' in row
    assert charts.pieces(Course(start=0, headers=0, end=0, pieces=((0, 3),)))
