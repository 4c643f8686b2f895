"""Summaries as the rows of a table, where what is not known is "unknown", and as JSON values, where it is null."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from recorder import humanize
from recorder.llm.figures import Spread, Sum, Summary

UNKNOWN = "unknown"

_HEADS = (
    *("REQUESTS", "ERRORS", "RETRIES", "PROMPT", "COMPLETION", "REASONING", "CACHED", "COST"),
    *("FIRST BYTE p50, p95", "FIRST TOKEN p50, p95", "TOKENS/S p50, p95"),
)


def heads(by: Sequence[str]) -> tuple[str, ...]:
    return (*(name.upper() for name in by), *_HEADS)


def rows(groups: Mapping[tuple[str, ...], Summary], total: Summary | None) -> Iterator[tuple[str, ...]]:
    """`total`: of all groups, for a last row. Times and rates: the median, and the 95th percentile."""
    for key, summary in groups.items():
        yield (*(humanize.printable(name) or UNKNOWN for name in key), *_cells(summary))
    if total is not None:
        width = len(next(iter(groups)))
        yield ("all", *[""] * (width - 1), *_cells(total))


def _cells(summary: Summary) -> tuple[str, ...]:
    counts = (summary.prompt_tokens, summary.completion_tokens, summary.reasoning_tokens, summary.cached_tokens)
    return (
        f"{summary.requests:,}",
        f"{summary.errors:,}",
        f"{summary.retries:,}",
        *(_sum(count, "" if count.total is None else f"{count.total:,}") for count in counts),
        _sum(summary.cost, humanize.dollars(summary.cost.total)),
        _times(summary.first_byte),
        _times(summary.first_token),
        _rates(summary.rate),
    )


def _sum(number: Sum[Any], text: str) -> str:
    """With a plus where there must be more, as some did not tell."""
    return UNKNOWN if number.total is None else text + ("+" if number.untold else "")


def _times(spread: Spread[int]) -> str:
    if spread.median is None or spread.p95 is None:
        return UNKNOWN
    return f"{humanize.duration(round(spread.median))}, {humanize.duration(spread.p95)}"


def _rates(spread: Spread[float]) -> str:
    return UNKNOWN if spread.median is None or spread.p95 is None else f"{spread.median:,.1f}, {spread.p95:,.1f}"


def data(by: Sequence[str], groups: Mapping[tuple[str, ...], Summary]) -> list[dict[str, Any]]:
    """Times in nanoseconds, rates in tokens a second, cost in US dollars."""
    return [
        {**{name: value or None for name, value in zip(by, key, strict=True)}, **asdict(summary)}
        for key, summary in groups.items()
    ]
