from __future__ import annotations

import base64
import hashlib
import re
from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recorder.llm.conversation import read
from recorder.views import html
from tests.conftest import ROOT
from tests.llm.conversation.hostile import PATHS, VALUES
from tests.llm.conversation.making import STREAM, events, interaction
from tests.views.html import pages
from tests.views.html.test_markup import Seen

ASSETS = ROOT / "recorder" / "views" / "html" / "assets"
KNOWN = {
    *("html", "head", "meta", "title", "style", "script", "body", "header", "main", "section", "article", "a", "div"),
    *("p", "span", "bdi", "code", "strong", "form", "label", "input", "output", "button", "details", "summary"),
    *("h1", "h2", "h3", "h4", "dl", "dt", "dd", "ol", "ul", "li", "figure", "figcaption"),
    *("table", "thead", "tbody", "tr", "th", "td", "svg", "rect", "line", "text", "g"),
}


def test_the_policy_lets_in_the_pages_own_style_and_script_and_nothing_else() -> None:
    shown = html.render([], name="x")
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]*)"', shown)
    assert policy.startswith("default-src 'none'; ")
    for element, directive in (("style", "style-src"), ("script", "script-src")):
        (source,) = re.findall(rf"<{element}>(.*?)</{element}>", shown, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()
        assert f"{directive} 'sha256-{digest}';" in policy
    assert not re.search(r"unsafe|https?:|\*|data:", policy)


def test_a_session_without_interactions_says_so() -> None:
    shown = html.render([], name="x")
    assert "No interactions." in shown
    assert 'id="charts"' not in shown


def test_damage_is_told_on_the_page() -> None:
    assert "weather.yaml:7: &lt;torn&gt;" in html.render([], name="x", damage="weather.yaml:7: <torn>")


def test_what_was_said_before_is_a_link() -> None:
    shown = html.render(pages.turns(pages.conversation()), name="x")
    assert 1 == shown.count("What&#x27;s the weather in Florence, Italy?")
    assert '3 messages as in <a href="#i0">interaction 0</a>' in shown


def test_an_answer_that_is_none_is_shown_as_it_came() -> None:
    asked = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}
    told = interaction(pages.CHAT, asked, b"<h1>502 Bad Gateway</h1>", content_type="text/html", code=502)
    shown = html.render([read(told)], name="x")
    assert "&lt;h1&gt;502 Bad Gateway&lt;/h1&gt;" in shown
    assert "request body" not in shown


def test_of_a_body_that_is_no_conversation_a_page_holds_the_beginning() -> None:
    told = interaction("/upload", b"x" * 300_000, b"y" * 1_000_000, content_type="text/plain")
    shown = html.render([read(told)], name="x")
    assert 2 == shown.count("The first 200,000 characters; the cassette has the rest.")
    assert 450_000 > len(shown) > 400_000


def test_hostile_texts_make_no_element_and_no_attribute() -> None:
    shown = html.render(pages.turns(pages.hostile()), name=pages.HOSTILE[0], damage=pages.HOSTILE[1])
    assert shown.encode()
    seen = Seen(shown)
    assert set() == set(seen.names) - KNOWN
    assert [1, 1, 6] == [seen.names.count(name) for name in ("script", "style", "meta")]
    assert [] == [name for name, _ in seen.attributes if name.startswith("on") or name == "style"]
    links = {link for name, link in seen.attributes if name == "href"}
    assert {"#conversation", *(f"#i{number}" for number in range(len(pages.HOSTILE)))} == links
    assert "\u202e" not in shown


@settings(max_examples=150, derandomize=True, deadline=None)
@given(path=PATHS, request=VALUES, answer=VALUES, streamed=st.booleans())
def test_whatever_a_body_holds_it_is_text(path: str, request: Any, answer: Any, streamed: bool) -> None:
    body = events(answer) if streamed else answer
    told = interaction(path, request, body, content_type=STREAM if streamed else "application/json")
    shown = html.render([read(told)], name="x")
    assert shown.encode()
    assert set() == set(Seen(shown).names) - KNOWN


def test_a_thousand_interactions_make_a_page_of_a_few_megabytes() -> None:
    shown = html.render(pages.turns(pages.agent(1000)), name="x")
    assert 1000 == shown.count("<article ")
    assert len(shown) < 6_000_000


# --- colours


def luminance(colour: str) -> float:
    """WCAG 2's relative luminance of `#rrggbb` or `#rgb`."""
    digits = colour[1:] if len(colour) == 7 else "".join(digit * 2 for digit in colour[1:])
    channels = [int(digits[place : place + 2], 16) / 255 for place in (0, 2, 4)]
    linear = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


PALETTE = {
    name: (light, dark)
    for name, light, dark in re.findall(
        r"--(\w+): light-dark\((#\w+), (#\w+)\)", (ASSETS / "page.css").read_text(encoding="utf-8")
    )
}
WORDS = [*product(("ink", "soft", "accent", "bad"), ("ground", "paper", "well")), ("ink", "found")]
SHAPES = product(("wait", "stream", "first", "cached", "prompt", "thought", "answer"), ("ground",))


@pytest.mark.parametrize(("front", "back", "least"), [*((*w, 4.5) for w in WORDS), *((*s, 3) for s in SHAPES)])
def test_contrast_is_that_of_wcag_aa(front: str, back: str, least: float) -> None:
    for one, other in zip(PALETTE[front], PALETTE[back], strict=True):
        assert least <= contrast(one, other)
