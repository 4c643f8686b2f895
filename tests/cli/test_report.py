"""`report`: a cassette as a page."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from recorder.cassette import GO_VCR, Cassette, dumps
from recorder.replay import timing
from tests.cli.conftest import Call
from tests.views.html import pages


@pytest.fixture
def folder(place: Path) -> Path:
    folder = place / "cassettes"
    (folder / "trips").mkdir(parents=True)
    (folder / "trips" / "weather.yaml").write_bytes(dumps(Cassette(interactions=pages.conversation(), layout=GO_VCR)))
    return folder


@pytest.mark.usefixtures("folder")
def test_a_session_becomes_a_page_here(call: Call, place: Path) -> None:
    outcome = call("report", "trips/weather")
    assert (0, "") == (outcome.status, outcome.stderr)
    assert outcome.stdout.startswith("weather.html: 5 interactions, ")
    made = (place / "weather.html").read_text(encoding="utf-8")
    assert "<title>trips/weather</title>" in made
    assert made.endswith("</html>\n")


def test_a_file_can_be_named_and_the_page_can_go_anywhere(call: Call, folder: Path, place: Path) -> None:
    (folder / "trips" / "weather.yaml").rename(place / "other.yaml")
    assert 0 == call("report", "other.yaml", "-o", "x.htm").status
    piped = call("report", "other.yaml", "--output", "-")
    assert (0, (place / "x.htm").read_text(encoding="utf-8")) == (piped.status, piped.stdout)
    assert "<title>other.yaml</title>" in piped.stdout


def test_the_times_beside_it_are_shown(call: Call, folder: Path) -> None:
    without = call("report", "trips/weather", "-o", "-").stdout
    interactions = pages.conversation()
    kept = zip(interactions, pages.timings(interactions), strict=True)
    lines = b"".join(timing.dumps(told, its) for told, its in kept if its)
    (folder / "trips" / f"weather{timing.SUFFIX}").write_bytes(lines + b"{torn")
    shown = call("report", "trips/weather", "-o", "-").stdout
    assert "first token after" not in without
    assert 3 == shown.count('<p class="facts" dir="auto">streamed, headers after ')
    assert 6 == shown.count("first token after")  # in the timeline, and in the conversation


def test_a_damaged_cassette_is_shown_as_far_as_it_is_whole(call: Call, folder: Path, place: Path) -> None:
    file = folder / "trips" / "weather.yaml"
    file.write_bytes(file.read_bytes()[:-20])
    outcome = call("report", "trips/weather")
    assert 1 == outcome.status
    assert outcome.stderr.startswith("recorder: cassettes/trips/weather.yaml:")
    made = (place / "weather.html").read_text(encoding="utf-8")
    assert 4 == made.count("<article ")
    assert "The cassette is damaged" in made


@pytest.mark.usefixtures("folder")
def test_it_is_opened_in_a_browser(call: Call, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    browser = place / "browser"
    browser.write_text(f'#!{sys.executable}\nimport sys; open("opened", "w").write(sys.argv[1])\n')
    browser.chmod(0o755)
    monkeypatch.setenv("BROWSER", f"{browser} %s")
    assert 0 == call("report", "trips/weather", "--open").status
    assert (place / "weather.html").as_uri() == (place / "opened").read_text()


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("status", "arguments"),
    [
        (1, ["nobody"]),
        (1, ["trips/weather", "-o", "no/such/folder.html"]),
        (2, []),
        (2, ["trips/weather", "-o", "cassettes"]),
        (2, ["trips/weather", "-o", "-", "--open"]),
        (2, ["trips/weather", "-o", "cassettes/trips/weather.yaml"]),
        (2, ["trips/weather", "-o", "new.yaml"]),
    ],
)
def test_a_wrong_call_is_one_line(call: Call, place: Path, status: int, arguments: list[str]) -> None:
    before = sorted(place.rglob("*"))
    outcome = call("report", *arguments)
    assert (status, "") == (outcome.status, outcome.stdout)
    assert 1 == len(outcome.stderr.splitlines())
    assert before == sorted(place.rglob("*"))


@pytest.mark.usefixtures("folder")
def test_a_page_is_not_written_through_a_link_to_its_cassette(call: Call, place: Path) -> None:
    (place / "weather.html").symlink_to("cassettes/trips/weather.yaml")
    assert 2 == call("report", "trips/weather").status
