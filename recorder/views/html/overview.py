"""What stands above the conversation: the session in numbers, the waterfall, the charts, and all of it as a table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from recorder import humanize
from recorder.llm.conversation import Turn
from recorder.llm.figures import Spread, Sum, Summary
from recorder.llm.usage import Usage
from recorder.views.html import charts
from recorder.views.html.charts import Column
from recorder.views.html.clock import Course
from recorder.views.html.markup import Markup, join, tag
from recorder.views.statistics_table import UNKNOWN


def section(its_id: str, title: str, *inside: Markup | None) -> Markup:
    return tag("section", tag("h2", title, id=f"{its_id}-title"), *inside, id=its_id, aria_labelledby=f"{its_id}-title")


# --- numbers


def numbers(summary: Summary) -> Markup:
    retries = f", {humanize.count(summary.retries, 'retry', 'retries')}" if summary.retries else ""
    facts = (
        ("Interactions", f"{summary.requests:,}"),
        ("Errors", f"{summary.errors:,}{retries}"),
        ("Cost", _sum(summary.cost, humanize.dollars(summary.cost.total))),
        ("First byte", _median(summary.first_byte)),
        ("First token", _median(summary.first_token)),
        ("Prompt tokens", _count(summary.prompt_tokens)),
        ("Cached tokens", _count(summary.cached_tokens)),
        ("Completion tokens", _count(summary.completion_tokens)),
        ("Reasoning tokens", _count(summary.reasoning_tokens)),
        ("Tokens a second", UNKNOWN if summary.rate.median is None else f"{summary.rate.median:,.0f}"),
    )
    listed = (tag("div", tag("dt", name), _value(value)) for name, value in facts)
    return tag("section", tag("dl", *listed, class_="numbers"), aria_label="In numbers")


def _value(value: str) -> Markup:
    return tag("dd", value, class_="faint" if value == UNKNOWN else None)


def _sum(number: Sum[int] | Sum[float], text: str) -> str:
    return UNKNOWN if number.total is None else text + ("+" if number.untold else "")


def _count(number: Sum[int]) -> str:
    return _sum(number, f"{number.total or 0:,}")


def _median(spread: Spread[int]) -> str:
    return UNKNOWN if spread.median is None else humanize.duration(round(spread.median))


# --- the waterfall


def waterfall(turns: Sequence[Turn], clock: Sequence[Course]) -> Markup:
    whole = max((course.start + course.end for course in clock), default=0)
    moments, lines = charts.axis(whole)
    kept = sum(bool(course.pieces) for course in clock)
    rows = (
        tag("li", _row(turn, course, whole), class_="bad" if _failed(turn) else None)
        for turn, course in zip(turns, clock, strict=True)
    )
    return section(
        "timeline",
        "Timeline",
        tag("p", _what_is_known(kept, len(turns)), class_="note"),
        _legend(("wait", "until the headers"), ("stream", "the answer"), ("first", "first token")) if kept else None,
        tag(
            "div",
            moments,
            tag("div", lines, tag("ol", *rows, start=0), class_="tracks"),
            class_="waterfall",
            role="region",
            tabindex=0,
            aria_label="Timeline of the interactions",
        ),
    )


def _row(turn: Turn, course: Course, whole: int) -> Markup:
    label = join(tag("span", f"{turn.id}", class_="number"), " ", tag("span", _short_name(turn), class_="what"))
    took = humanize.duration(course.end)
    told = tag("span", "failed, " if _failed(turn) else "", tag("span", took), class_="took")
    return tag("a", label, charts.waterfall_row(course, whole), " ", told, href=f"#i{turn.id}")


def _short_name(turn: Turn) -> str:
    return (turn.model or turn.interaction.request.url).rstrip("/").rsplit("/", 1)[-1]


def _failed(turn: Turn) -> bool:
    return turn.status >= 400 or bool(turn.error)


def _what_is_known(kept: int, count: int) -> Markup:
    order = (
        "A cassette does not say when an interaction began: "
        "they stand one after another, also where some ran side by side. "
    )
    if kept == count:
        return join(order)
    ends = "Each bar ends" if not kept else f"{humanize.count(count - kept, 'bar')} end"
    return join(
        order, f"{ends} with the headers, as how long an answer took is only kept with ", tag("code", "--timing"), "."
    )


def _legend(*entries: tuple[str, str]) -> Markup:
    return tag("ul", *(tag("li", _swatch(style), f" {told}") for style, told in entries), class_="legend")


def _swatch(style: str) -> Markup:
    square = tag("rect", class_=style, width=10, height=10)
    return tag("svg", square, width=10, height=10, aria_hidden="true", class_="swatch")


# --- charts


def figures(turns: Sequence[Turn]) -> Markup | None:
    drawn = [*_tokens([turn.usage for turn in turns]), *_cost([turn.usage.cost for turn in turns])]
    return section("charts", "Tokens and cost", tag("div", *drawn, class_="figures")) if drawn else None


def _tokens(told: Sequence[Usage]) -> Iterator[Markup]:
    layers = [_layers(usage) for usage in told]
    top = max((sum(amount for _, amount in each) for each in layers), default=0)
    if not top:
        return
    values = [Column(layers=each, told=f"{number}: {_in_words(each)}") for number, each in enumerate(layers)]
    legend = _legend(("cached", "cached prompt"), ("prompt", "prompt"), ("thought", "reasoning"), ("answer", "answer"))
    yield _figure(
        "Tokens of each interaction", humanize.tokens(int(top)), charts.columns(values, top=top), len(told), legend
    )


def _layers(usage: Usage) -> tuple[tuple[str, float], ...]:
    cached, thought = usage.cached_tokens or 0, usage.reasoning_tokens or 0
    amounts = (
        ("cached", cached),
        ("prompt", (usage.prompt_tokens or 0) - cached),
        ("thought", thought),
        ("answer", (usage.completion_tokens or 0) - thought),
    )
    return tuple((style, float(amount)) for style, amount in amounts if amount > 0)


def _in_words(layers: tuple[tuple[str, float], ...]) -> str:
    return ", ".join(f"{style} {amount:,.0f}" for style, amount in layers) or UNKNOWN


def _cost(told: Sequence[float | None]) -> Iterator[Markup]:
    total = sum(cost or 0 for cost in told)
    if not total:
        return
    values = [
        Column(
            layers=() if cost is None else (("spent", before), ("cost", cost)),
            told=f"{number}: {humanize.dollars(cost) or UNKNOWN}, {humanize.dollars(before + (cost or 0))} so far",
        )
        for number, (before, cost) in enumerate(charts.running(told))
    ]
    legend = _legend(("cost", "this interaction"), ("spent", "those before"))
    yield _figure("Cost, added up", humanize.dollars(total), charts.columns(values, top=total), len(told), legend)


def _figure(title: str, top: str, chart: Markup, count: int, legend: Markup) -> Markup:
    ends = tag("p", f"interactions 0 to {count - 1}" if count > 1 else "interaction 0", class_="ends")
    return tag("figure", tag("figcaption", title, tag("span", top, class_="most")), chart, ends, legend)


def table(turns: Sequence[Turn], clock: Sequence[Course]) -> Markup | None:
    if not turns:
        return None
    heads = (
        "",
        "Model",
        "Status",
        "First byte",
        "First token",
        "End",
        "Prompt",
        "Cached",
        "Completion",
        "Reasoning",
        "Cost",
    )
    rows = (tag("tr", *_cells(turn, course)) for turn, course in zip(turns, clock, strict=True))
    head = tag("tr", *(tag("th", name or "Interaction", scope="col") for name in heads))
    table = tag("table", tag("thead", head), tag("tbody", *rows))
    scrolled = tag("div", table, class_="scrolled", tabindex=0, role="region", aria_label="All interactions in numbers")
    return tag("details", tag("summary", "All interactions in numbers"), scrolled, class_="table")


def _cells(turn: Turn, course: Course) -> Iterator[Markup]:
    usage = turn.usage
    yield tag("th", tag("a", f"{turn.id}", href=f"#i{turn.id}"), scope="row")
    yield tag("td", turn.model or UNKNOWN, class_="words")
    yield tag("td", turn.interaction.response.status, class_="words bad" if _failed(turn) else "words")
    ends = course.end if course.pieces else None
    moments = (turn.duration, course.first_token, ends)
    counts = (usage.prompt_tokens, usage.cached_tokens, usage.completion_tokens, usage.reasoning_tokens)
    told = (
        *("" if moment is None else humanize.duration(moment) for moment in moments),
        *("" if count is None else f"{count:,}" for count in counts),
        humanize.dollars(usage.cost),
    )
    yield from (tag("td", text) if text else tag("td", UNKNOWN, class_="faint") for text in told)
