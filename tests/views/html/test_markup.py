from __future__ import annotations

from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recorder import humanize
from recorder.views.html.markup import Markup, join, tag, text

HOSTILE = ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "</title></style>", "&lt;", "' onclick='x"]


class Seen(HTMLParser):
    """What a browser would make of it: names of elements, their attributes, the text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.names: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.text += data


@settings(deadline=None, derandomize=True)
@given(st.text() | st.sampled_from(HOSTILE))
def test_any_text_stays_text_as_a_child_and_as_an_attribute(said: str) -> None:
    seen = Seen(tag("p", said, title=said))
    shown = "\n".join(map(humanize.visible, said.split("\n")))
    assert (["p"], [("title", shown)], shown) == (seen.names, seen.attributes, seen.text)


@pytest.mark.parametrize("character", ["\u202e", "\u2066", "\x00", "\x1b", "\r", "\u2028", "\ud800", "\ufeff"])
def test_what_hides_or_turns_text_around_is_spelled_out(character: str) -> None:
    shown = text(f"a{character}b\n")
    assert ascii(character)[1:-1] in shown
    assert character not in shown
    assert shown.encode()


def test_markup_is_put_in_as_it_is_and_a_sum_of_it_is_not() -> None:
    inner = tag("b", "<")
    assert "<p><b>&lt;</b>&amp;</p>" == tag("p", inner, "&")
    assert "&lt;b&gt;&amp;lt;&lt;/b&gt;!" == join(inner + "!")


def test_what_is_not_there_leaves_nothing() -> None:
    assert '<a b="0" c></a>' == tag("a", a=None, b=0, c=True, d=False)
    assert '<rect x="1.5"/>' == tag("rect", x=1.5)
    assert Markup() == join(None, "")


@pytest.mark.parametrize(
    "attributes",
    [{"onclick": "x"}, {"style": "x"}, {"href": "javascript:x"}, {"href": "https://example.com"}, {"src": "data:,"}],
)
def test_an_attribute_that_runs_or_fetches_is_refused(attributes: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="runs and fetches nothing"):
        tag("a", **attributes)
