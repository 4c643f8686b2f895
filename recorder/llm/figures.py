"""An interaction in numbers, and many of them in sums, medians and 95th percentiles. What was not told stays unknown.

Times in nanoseconds. A cassette has one of them, from the request sent to the response's headers: the first byte. When
the tokens came is known only where the times of the chunks were kept; then they are given as `Times`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar
from urllib.parse import urlsplit

from recorder.llm import conversation
from recorder.llm.usage import Usage
from recorder.model import Interaction

Number = TypeVar("Number", int, float)


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """When the first token and the end of one answer came, in nanoseconds from the request sent."""

    first_token: int | None = None
    end: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """One interaction. `provider`: who OpenRouter says it was, else the host that was asked.

    `failed`: by its status, or by an error in its body or stream. `retry`: the same request as one before that had
    failed. `rate`: completion tokens a second, from the first token to the end.
    """

    session: str
    provider: str
    usage: Usage
    failed: bool
    retry: bool
    first_byte: int
    first_token: int | None = None
    rate: float | None = None


_NO_TIMES = Times()


def measures(
    interactions: Iterable[Interaction], *, session: str, times: Mapping[int, Times] | None = None
) -> Iterator[Measure]:
    """A session's interactions in order. `times`: of those whose times are known, by their place in the cassette."""
    failed_before: set[bytes] = set()
    for number, interaction in enumerate(interactions):
        asked = _digest(interaction)
        failed = _failed(interaction)
        yield _measure(
            interaction,
            session=session,
            failed=failed,
            retry=asked in failed_before,
            times=(times or {}).get(number, _NO_TIMES),
        )
        (failed_before.add if failed else failed_before.discard)(asked)


def _measure(interaction: Interaction, *, session: str, failed: bool, retry: bool, times: Times) -> Measure:
    told = conversation.usage_of(interaction)
    return Measure(
        session=session,
        provider=told.provider or _host(interaction.request.url),
        usage=told,
        failed=failed,
        retry=retry,
        first_byte=interaction.response.duration,
        first_token=times.first_token,
        rate=_rate(told.completion_tokens, times),
    )


def _rate(tokens: int | None, times: Times) -> float | None:
    if tokens is None or times.first_token is None or times.end is None or times.end <= times.first_token:
        return None
    return tokens * 1e9 / (times.end - times.first_token)


def _digest(interaction: Interaction) -> bytes:
    request = interaction.request
    head = f"{request.method} {request.url}\n".encode(errors="surrogatepass")
    return hashlib.sha256(head + request.body).digest()


def _failed(interaction: Interaction) -> bool:
    response = interaction.response
    if response.code >= 400:
        return True
    # Only where an error can be is it worth looking for.
    return b'"error"' in response.body and bool(conversation.read(interaction).error)


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:  # what is recorded is what was asked for, and that may be no URL
        return ""


# --- many of them


@dataclass(frozen=True, slots=True, kw_only=True)
class Sum(Generic[Number]):
    """`total` of what was told, None if nothing was; `untold`: how many should have told, and did not."""

    total: Number | None
    untold: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread(Generic[Number]):
    """Of the `known` values the median and the 95th percentile (the nearest rank); None if there are none."""

    median: float | None
    p95: Number | None
    known: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    requests: int
    errors: int
    retries: int
    prompt_tokens: Sum[int]
    completion_tokens: Sum[int]
    reasoning_tokens: Sum[int]
    cached_tokens: Sum[int]
    cost: Sum[float]
    first_byte: Spread[int]
    first_token: Spread[int]
    rate: Spread[float]


def summary(measured: Iterable[Measure]) -> Summary:
    """Errors count as requests, and for nothing else: how soon one comes says nothing of how fast an answer does."""
    everything = list(measured)
    answers = [each for each in everything if not each.failed]
    told = [each.usage for each in answers if each.usage.model is not None]
    return Summary(
        requests=len(everything),
        errors=len(everything) - len(answers),
        retries=sum(each.retry for each in everything),
        prompt_tokens=_sum(usage.prompt_tokens for usage in told),
        completion_tokens=_sum(usage.completion_tokens for usage in told),
        reasoning_tokens=_sum(usage.reasoning_tokens for usage in told),
        cached_tokens=_sum(usage.cached_tokens for usage in told),
        cost=_sum(usage.cost for usage in told),
        first_byte=_spread(each.first_byte for each in answers),
        first_token=_spread(each.first_token for each in answers),
        rate=_spread(each.rate for each in answers),
    )


def _sum(numbers: Iterable[Number | None]) -> Sum[Number]:
    given = list(numbers)
    known = [number for number in given if number is not None]
    return Sum(total=sum(known[1:], known[0]) if known else None, untold=len(given) - len(known))


def _spread(numbers: Iterable[Number | None]) -> Spread[Number]:
    known = sorted(number for number in numbers if number is not None)
    if not known:
        return Spread(median=None, p95=None, known=0)
    middle = len(known) // 2
    median = known[middle] if len(known) % 2 else (known[middle - 1] + known[middle]) / 2
    rank = -(-95 * len(known) // 100)  # rounded up: at least 95 % are no larger
    return Spread(median=median, p95=known[rank - 1], known=len(known))


By = Callable[[Measure], str]
BY: Mapping[str, By] = {
    "session": lambda measure: measure.session,
    "model": lambda measure: measure.usage.model or "",
    "provider": lambda measure: measure.provider,
}


def grouped(measured: Iterable[Measure], by: Iterable[str]) -> dict[tuple[str, ...], Summary]:
    """A summary for each combination of the values `by` (`session`, `model`, `provider`) that there is, sorted."""
    names = list(by)
    groups: dict[tuple[str, ...], list[Measure]] = {}
    for measure in measured:
        groups.setdefault(tuple(BY[name](measure) for name in names), []).append(measure)
    return {key: summary(groups[key]) for key in sorted(groups)}
