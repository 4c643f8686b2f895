"""The page in a real browser, used by keyboard. Screenshots stay in `.screenshots/`, to be looked at."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import pytest

import recorder
from recorder.llm.conversation import Turn
from recorder.replay import timing
from recorder.replay.timing import Timing
from recorder.views import html
from tests.views.html import pages
from tests.views.html.chromium import Tab

SIZES = {"wide": (1280, 1600), "narrow": (390, 1600)}
FOCUSED = "document.activeElement"


def opened(
    tab: Tab, folder: Path, turns: Sequence[Turn], timings: Sequence[Timing | None] = (), name: str = "demo"
) -> Path:
    file = folder / "report.html"
    file.write_bytes(html.render(turns, name=name, timings=timings).encode())
    tab.open(file)
    return file


def clean(tab: Tab, file: Path) -> None:
    """Nothing in the console, and nothing fetched but the page."""
    assert [] == tab.errors()
    assert {file.as_uri()} == {url.partition("#")[0] for url in tab.requests()}


def articles(tab: Tab) -> list[str]:
    found = tab.run("[...document.querySelectorAll('article')].map(each => each.id)")
    assert isinstance(found, list)
    return found


def search(tab: Tab, wanted: str) -> None:
    """As typed: the search is reached by its key."""
    tab.key("k", control=True)
    assert "query" == tab.run(f"{FOCUSED}.id")
    tab.write(wanted)


def pressed(tab: Tab, key: str, **held: bool) -> str:
    """What the search says after a key."""
    tab.key(key, **held)
    said = tab.run("document.getElementById('found').value")
    assert isinstance(said, str)
    return said


def taken(tab: Tab, folder: Path, name: str) -> None:
    for scheme in ("light", "dark"):
        tab.media(scheme=scheme)
        for width, size in SIZES.items():
            tab.size(*size)
            assert len(tab.screenshot(folder / f"{name}-{scheme}-{width}.png")) > 10_000
    print(f"screenshots: {folder}/{name}-*.png")  # noqa: T201 - for whoever wants to look at them


def test_the_longest_real_cassette(tab: Tab, tmp_path: Path, shared: Path, screenshots: Path) -> None:
    longest = max((shared / "cassettes").rglob("*.yaml"), key=lambda file: file.stat().st_size)
    turns = recorder.load(longest)
    file = opened(tab, tmp_path, turns, name=longest.stem)
    assert [f"i{turn.id}" for turn in turns] == articles(tab)
    shown = tab.run("document.getElementById('conversation').textContent")
    for turn in turns:
        assert turn.text in shown
        assert turn.reasoning in shown
        for call in turn.tool_calls:
            assert call.name in shown
    taken(tab, screenshots, "longest")
    clean(tab, file)


def test_a_session_with_times(tab: Tab, tmp_path: Path, screenshots: Path) -> None:
    interactions = pages.conversation()
    file = opened(tab, tmp_path, pages.turns(interactions), pages.timings(interactions))
    assert [f"i{number}" for number in range(len(interactions))] == articles(tab)
    assert 3 == tab.run("document.querySelectorAll('.tracks rect.stream').length")
    assert 3 == tab.run("document.querySelectorAll('.tracks line.first').length")
    assert 3 == tab.run("document.querySelectorAll('article > .picture').length")
    assert 1 == tab.run("document.querySelectorAll('.tracks li.bad').length")
    taken(tab, screenshots, "times")
    clean(tab, file)


def test_search_finds_folded_text_by_keyboard_and_opens_its_fold(
    tab: Tab, tmp_path: Path, shared: Path, screenshots: Path
) -> None:
    seed = next((shared / "cassettes").glob("seed-*.yaml"))
    file = opened(tab, tmp_path, recorder.load(seed))
    search(tab, "florence,  italy")  # any case, any white space
    assert 0 == tab.run("document.querySelectorAll('article details[open]').length")
    first = pressed(tab, "Enter")
    assert first.startswith("1 of ")
    count = int(first.removeprefix("1 of "))
    assert 3 <= count
    where = []
    for number in range(2, count + 2):
        mark = "[...CSS.highlights.get('current')][0]"
        where.append(tab.run(f"{mark}.toString()"))
        assert tab.run(
            f"(() => {{ const {{top, bottom}} = {mark}.getBoundingClientRect();"
            " return bottom > top && top >= 0 && bottom <= innerHeight })()"
        )
        assert f"{(number - 1) % count + 1} of {count}" == pressed(tab, "Enter")
    assert {"florence, italy"} == {found.lower() for found in where}
    assert 1 <= tab.run("document.querySelectorAll('article details.reasoning[open]').length")
    assert f"{count} of {count}" == pressed(tab, "Enter", shift=True)
    assert count == tab.run("CSS.highlights.get('found').size")
    assert "query" == tab.run(f"{FOCUSED}.id")
    taken(tab, screenshots, "search")
    assert "" == pressed(tab, "Escape")
    assert 0 == tab.run("CSS.highlights.size")
    clean(tab, file)


def test_a_search_without_a_match_says_so_and_signs_are_no_patterns(tab: Tab, tmp_path: Path) -> None:
    opened(tab, tmp_path, pages.turns(pages.hostile()))
    search(tab, "(.*")
    tab.until("document.getElementById('found').value === 'nothing found'")
    assert "nothing found" == pressed(tab, "Enter")
    pressed(tab, "Escape")
    tab.write("<!-- ]]> <![CDATA[ &lt;")
    assert pressed(tab, "Enter").startswith("1 of ")
    assert [] == tab.errors()


def test_everything_is_reached_with_the_tab_key_and_folds_open_with_enter_and_space(tab: Tab, tmp_path: Path) -> None:
    file = opened(tab, tmp_path, pages.turns(pages.conversation()))
    wanted = tab.run(
        "[...document.querySelectorAll('a, summary, input, button:not(:disabled), [tabindex=\"0\"]')]"
        ".filter(each => each.checkVisibility()).length"
    )
    reached = []
    for _ in range(wanted):
        tab.key("Tab")
        reached.append(tab.run(f"{FOCUSED}.id || {FOCUSED}.className || {FOCUSED}.localName"))
        outlined = tab.run(f"getComputedStyle({FOCUSED}).outlineStyle")
        assert outlined != "none", reached[-1]
        if tab.run(f"{FOCUSED}.localName") == "summary":
            for key, is_open in ((" ", True), ("Enter", False)):
                tab.key(key)
                assert is_open == tab.run(f"{FOCUSED}.parentElement.open")
    assert ["skip", "query", "folds", "dark"] == reached[:4]
    assert wanted > 30
    clean(tab, file)


def test_all_folds_open_at_once_and_close(tab: Tab, tmp_path: Path, screenshots: Path) -> None:
    opened(tab, tmp_path, pages.turns(pages.conversation()))
    tab.run("document.getElementById('folds').focus()")
    for open_now in (True, False):
        tab.key("Enter")
        folds = tab.run("[...document.querySelectorAll('article details')].map(each => each.open)")
        assert {open_now} == set(folds)
        if open_now:
            taken(tab, screenshots, "unfolded")


def test_what_is_in_a_fold_can_be_copied(tab: Tab, tmp_path: Path) -> None:
    file = opened(tab, tmp_path, pages.turns(pages.conversation()))
    tab.call("Browser.grantPermissions", permissions=["clipboardReadWrite", "clipboardSanitizedWrite"])
    tab.run("document.querySelector('article details.tools summary').focus()")
    tab.key("Enter")
    tab.until("document.querySelector('article details.tools .copy') !== null")
    assert 1 == tab.run("document.querySelectorAll('.copy').length")
    tab.key("Tab")
    tab.key("Enter")
    tab.until(f"{FOCUSED}.textContent === 'Copied'")
    assert tab.run("navigator.clipboard.readText()").startswith('Weather\n{\n  "type": "object"')
    clean(tab, file)


def test_a_link_leads_to_its_interaction(tab: Tab, tmp_path: Path) -> None:
    file = opened(tab, tmp_path, pages.turns(pages.agent(60)))
    tab.run("document.querySelector('.tracks a[href=\"#i41\"]').focus()")
    tab.key("Enter")
    tab.until("(top => top >= 0 && top < 200)(document.getElementById('i41').getBoundingClientRect().top)")
    assert "#i41" == tab.run("location.hash")
    clean(tab, file)


@pytest.mark.parametrize("system", ["light", "dark"])
def test_colours_are_the_systems_until_the_button_is_pressed(tab: Tab, tmp_path: Path, system: str) -> None:
    tab.media(scheme=system)
    opened(tab, tmp_path, pages.turns(pages.conversation(1)))
    ground = "getComputedStyle(document.body).backgroundColor"
    pressed_now = "document.getElementById('dark').getAttribute('aria-pressed')"
    colours = {"light": "rgb(251, 250, 248)", "dark": "rgb(23, 24, 27)"}
    other = "light" if system == "dark" else "dark"
    tab.run("document.getElementById('dark').focus()")
    for scheme in (system, other, system):
        assert (colours[scheme], str(scheme == "dark").lower()) == (tab.run(ground), tab.run(pressed_now))
        tab.key("Enter")


def test_hostile_texts_stay_text(tab: Tab, tmp_path: Path, screenshots: Path) -> None:
    file = opened(tab, tmp_path, pages.turns(pages.hostile()), name=pages.HOSTILE[0])
    search(tab, "hacked")
    pressed(tab, "Enter")
    tab.run("document.getElementById('folds').click()")
    taken(tab, screenshots, "hostile")
    assert tab.run("window.hacked === undefined")
    assert [f"i{number}" for number in range(len(pages.HOSTILE))] == articles(tab)
    assert 1 == tab.run("document.scripts.length")
    assert 0 == tab.run("document.querySelectorAll('main script, main style, img, iframe, object, link').length")
    assert tab.run("[...document.links].every(link => link.hash && link.href.startsWith('file:'))")
    shown = tab.run("document.body.textContent")
    for text in pages.HOSTILE[:-2]:
        assert text in shown
    assert tab.run("document.title") == pages.HOSTILE[0]
    clean(tab, file)


def test_the_policy_stops_what_would_get_past_the_escaping(tab: Tab, tmp_path: Path) -> None:
    """The second wall, tried by itself: the page with markup put into it."""
    shown = html.render([], name="x")
    bad = "<script>window.hacked=1</script><img src='https://example.com/x.png' onerror='window.hacked=1'>"
    file = tmp_path / "report.html"
    file.write_text(shown.replace("No interactions.", bad), encoding="utf-8")
    tab.open(file)
    assert tab.run("window.hacked === undefined && document.images.length === 1")
    assert ["csp"] == [failed.get("blockedReason") for failed in tab.events("Network.loadingFailed")]
    told = [event["entry"]["text"] for event in tab.errors()]  # the script, the picture, its handler
    assert 3 == len([text for text in told if "Content Security Policy" in text])


def test_a_screen_reader_finds_landmarks_headings_and_names(tab: Tab, tmp_path: Path) -> None:
    opened(tab, tmp_path, pages.turns(pages.conversation()))
    tab.frames()  # what has not been painted once is not in the tree
    tree = tab.call("Accessibility.getFullAXTree")["nodes"]
    nodes = [
        (node["role"]["value"], node.get("name", {}).get("value", ""), node)
        for node in tree
        if not node.get("ignored") and "role" in node
    ]
    roles = [role for role, _, _ in nodes]
    for landmark in ("banner", "main", "search"):
        assert 1 == roles.count(landmark), landmark
    named = {(role, name) for role, name, _ in nodes}
    assert {
        ("region", "Search and view"),
        ("region", "In numbers"),
        ("region", "Timeline"),
        ("region", "Tokens and cost"),
        ("region", "Conversation"),
    } <= named
    assert 5 == roles.count("article")
    used = ("link", "button", "searchbox", "article", "region", "heading", "DisclosureTriangle")
    assert [] == [(role, name) for role, name, _ in nodes if role in used and not name.strip()]
    assert "0 grok-code-fast-1 300 ms" in {name for role, name in named if role == "link"}
    levels = [
        next(each["value"]["value"] for each in node["properties"] if each["name"] == "level")
        for role, _, node in nodes
        if role == "heading"
    ]
    assert 1 == levels[0] == levels.count(1)
    assert all(deeper <= level + 1 for level, deeper in pairwise(levels))


def test_a_thousand_interactions_stay_usable(tab: Tab, tmp_path: Path, screenshots: Path) -> None:
    began = time.monotonic()
    file = opened(tab, tmp_path, pages.turns(pages.agent(1000)))
    loaded = time.monotonic() - began
    assert 1000 == len(articles(tab))
    search(tab, "return 1")
    began = time.monotonic()
    assert "1 of 38,000" == pressed(tab, "Enter")
    found = time.monotonic() - began
    assert "38,000 of 38,000" == pressed(tab, "Enter", shift=True)
    taken(tab, screenshots, "thousand")
    clean(tab, file)
    print(f"1,000 interactions: {file.stat().st_size:,} bytes, made and loaded {loaded:.1f} s, searched {found:.1f} s")  # noqa: T201
    assert found < 10  # a page that hangs; the machine may be busy


def test_nothing_is_wider_than_a_narrow_window(tab: Tab, tmp_path: Path) -> None:
    tab.size(320, 700)
    interactions = pages.conversation()
    opened(tab, tmp_path, pages.turns(interactions), pages.timings(interactions), name="a" * 200)
    tab.run("document.querySelectorAll('details').forEach(each => { each.open = true })")
    assert 320 == tab.run("document.documentElement.scrollWidth")


def test_times_are_found_beside_the_cassette_by_what_was_said() -> None:
    interactions = pages.conversation()
    kept = pages.timings(interactions)
    lines = [timing.dumps(told, its) for told, its in zip(interactions, kept, strict=True) if its]
    assert kept == timing.of(interactions, b"".join(reversed(lines)))
    assert json.loads(lines[0])["headers"] == interactions[0].response.duration
