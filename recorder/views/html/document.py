"""The page as a whole: its head and policy, and what stands in it, in order."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Sequence
from functools import cache
from importlib import resources
from string import Template

from recorder.llm import figures
from recorder.llm.conversation import Turn
from recorder.replay.timing import Timing
from recorder.views.html import conversation_articles, overview
from recorder.views.html.clock import Course, courses
from recorder.views.html.markup import Markup, join, tag


def render(turns: Sequence[Turn], *, name: str, timings: Iterable[Timing | None] = (), damage: str = "") -> str:
    """The page. `timings`: in the turns' order, where they were kept. `damage`: what is wrong behind the last turn."""
    clock = courses(turns, timings)
    times = {place: course.times for place, course in enumerate(clock)}
    measured = figures.measures((turn.interaction for turn in turns), session=name, times=times)
    main = (
        _damage(damage),
        overview.numbers(figures.summary(measured)),
        overview.waterfall(turns, clock),
        overview.figures(turns),
        overview.table(turns, clock),
        _conversation(turns, clock),
    )
    models = ", ".join(dict.fromkeys(turn.model for turn in turns if turn.model))
    head = join(tag("h1", tag("bdi", name)), tag("p", models or "no model", class_="models", dir="auto"))
    return _frame(name, head, join(*main))


def _damage(damage: str) -> Markup | None:
    if not damage:
        return None
    return tag("p", tag("strong", "The cassette is damaged; this is what comes before. "), damage, class_="notice bad")


def _conversation(turns: Sequence[Turn], clock: Sequence[Course]) -> Markup:
    inside = [*conversation_articles.articles(turns, clock)] or [tag("p", "No interactions.", class_="note")]
    return overview.section("conversation", "Conversation", *inside)


# --- the frame


def _frame(title: str, head: Markup, main: Markup) -> str:
    style, script = _asset("page.css"), _asset("page.js")
    return Template(_asset("page.html")).substitute(
        policy=(
            f"default-src 'none'; style-src {_digest(style)}; script-src {_digest(script)}; "
            "base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
        ),
        title=join(title),
        style=style,
        script=script,
        head=head,
        main=main,
    )


@cache
def _asset(name: str) -> str:
    return resources.files(__package__).joinpath("assets", name).read_text(encoding="utf-8")


def _digest(source: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()}'"
