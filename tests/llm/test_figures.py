from __future__ import annotations

import statistics
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recorder import load
from recorder.llm.figures import Measure, Spread, Sum, Times, grouped, measures, summary
from recorder.llm.usage import Usage
from recorder.model import Interaction
from tests.llm.conversation.making import STREAM, events, interaction

CHAT = "/api/v1/chat/completions"
ASKED = {"model": "m", "messages": []}
TOLD = {"prompt_tokens": 10, "completion_tokens": 4, "cost": 0.5, "prompt_tokens_details": {"cached_tokens": 0}}


def answered(usage: Any = None, **more: Any) -> Interaction:
    return interaction(CHAT, more.pop("asked", ASKED), {"model": "m", "usage": usage, "error": None}, **more)


def measured(*interactions: Interaction, **more: Any) -> list[Measure]:
    return list(measures(interactions, session="s", **more))


def test_what_was_not_told_is_unknown_and_never_nothing() -> None:
    sums = summary(measured(answered(), answered()))
    assert Sum(total=None, untold=2) == sums.prompt_tokens == sums.reasoning_tokens == sums.cached_tokens
    assert Sum(total=None, untold=2) == sums.cost
    assert Spread(median=None, p95=None, known=0) == sums.first_token == sums.rate


def test_what_some_told_is_a_sum_with_the_number_of_those_that_did_not() -> None:
    sums = summary(measured(answered(TOLD), answered(), answered(TOLD)))
    assert (Sum(total=20, untold=1), Sum(total=1.0, untold=1)) == (sums.prompt_tokens, sums.cost)
    assert (Sum(total=0, untold=1), Sum(total=None, untold=3)) == (sums.cached_tokens, sums.reasoning_tokens)


def test_what_is_no_call_of_a_model_has_no_tokens_to_tell() -> None:
    models = interaction("/api/v1/models", b"", {"data": []})
    sums = summary(measured(models, answered(TOLD)))
    assert (2, Sum(total=10, untold=0)) == (sums.requests, sums.prompt_tokens)


@pytest.mark.parametrize(
    "failure",
    [
        answered(code=429),
        interaction(CHAT, ASKED, b"<html>", code=502),
        interaction(CHAT, ASKED, {"error": {"message": "overloaded"}}),
        interaction(CHAT, ASKED, events({"choices": []}, {"error": {"message": "cut"}}), content_type=STREAM),
    ],
)
def test_an_error_is_one_by_its_status_or_by_what_its_body_says(failure: Interaction) -> None:
    both = summary(measured(failure, answered(TOLD)))
    assert (2, 1, 1) == (both.requests, both.errors, both.retries)
    assert (1, Sum(total=10, untold=0)) == (both.first_byte.known, both.prompt_tokens)


def test_a_retry_is_the_same_request_after_one_that_failed() -> None:
    other = {**ASKED, "temperature": 1}
    failed = answered(code=500)
    ways = [
        (0, [answered(), answered()]),
        (1, [failed, answered()]),
        (2, [failed, failed, answered()]),
        (1, [failed, answered(), answered()]),
        (0, [failed, answered(asked=other)]),
        (1, [failed, answered(asked=other), answered()]),
    ]
    for retries, interactions in ways:
        assert retries == summary(measured(*interactions)).retries


def test_times_are_known_where_they_were_kept() -> None:
    times = {1: Times(first_token=1_000_000_000, end=3_000_000_000)}
    first, second = measured(answered(TOLD), answered(TOLD), times=times)
    assert (None, None, 1_000_000) == (first.first_token, first.rate, first.first_byte)
    assert (1_000_000_000, 2.0) == (second.first_token, second.rate)
    (at_once,) = measured(answered(TOLD), times={0: Times(first_token=5, end=5)})
    assert at_once.rate is None


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.lists(st.integers(0, 10**12), min_size=1, max_size=60))
def test_the_95th_percentile_is_a_value_that_95_percent_do_not_exceed(durations: list[int]) -> None:
    spread = summary(
        Measure(session="", provider="", usage=Usage(), failed=False, retry=False, first_byte=duration)
        for duration in durations
    ).first_byte
    assert statistics.median(durations) == spread.median
    assert spread.p95 in durations
    no_larger = sum(duration <= spread.p95 for duration in durations)
    smaller = sum(duration < spread.p95 for duration in durations)
    assert 100 * no_larger >= 95 * len(durations) > 100 * smaller
    assert len(durations) == spread.known


def test_groups_are_by_any_of_the_three() -> None:
    other = interaction("/v1/messages", {"model": "n", "messages": []}, {"model": "n"})
    found = measured(answered(TOLD), other, other)
    assert {("m",): 1, ("n",): 2} == {key: group.requests for key, group in grouped(found, ["model"]).items()}
    assert [("api.example.com", "m"), ("api.example.com", "n")] == list(grouped(found, ["provider", "model"]))
    assert {} == grouped([], ["session"])


def test_real_cassettes_are_measured_as_the_library_reads_them(shared: Path) -> None:
    for path in sorted((shared / "cassettes").rglob("*.yaml")):
        turns = load(path)
        found = measured(*(turn.interaction for turn in turns))
        assert [turn.usage for turn in turns] == [each.usage for each in found], path
        assert [bool(turn.error) for turn in turns] == [each.failed for each in found], path
        assert [turn.duration for turn in turns] == [each.first_byte for each in found], path
