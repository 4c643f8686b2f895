"""`import recorder`: what a test or a notebook writes, as the README and the docstrings show it."""

from __future__ import annotations

import doctest
import re
import subprocess
import sys
from pathlib import Path

import pytest

import recorder
from recorder import CassetteError, load, loads
from tests.conftest import ROOT

SEED = "seed-tool_streaming_grok-code-fast-1.yaml"


@pytest.fixture
def weather(shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the cassette that the examples are about."""
    (tmp_path / "cassettes").mkdir()
    (tmp_path / "cassettes" / "weather.yaml").write_bytes((shared / "cassettes" / SEED).read_bytes())
    monkeypatch.chdir(tmp_path)
    return tmp_path / "cassettes" / "weather.yaml"


@pytest.mark.usefixtures("weather")
def test_the_examples_of_the_docstrings_are_true() -> None:
    outcome = doctest.testmod(recorder, raise_on_error=False)
    assert (0, True) == (outcome.failed, outcome.attempted > 0)


@pytest.mark.usefixtures("weather")
def test_the_examples_of_the_readme_are_true() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```", text.partition("## From Python\n")[2], re.MULTILINE | re.DOTALL)
    assert [] != blocks
    for block in blocks:
        names: dict[str, object] = {}
        exec(compile(block, "README.md", "exec"), names)
        for name, test in names.items():
            if name.startswith("test_") and callable(test):
                test()


def test_a_path_may_be_text_or_a_path(weather: Path) -> None:
    assert load(weather) == load(str(weather)) == loads(weather.read_bytes())
    assert [0, 1] == [turn.id for turn in load(weather)]


def test_a_damaged_cassette_is_an_error_that_names_the_file(weather: Path) -> None:
    weather.write_bytes(weather.read_bytes().replace(b"code: 200", b"code: [200"))
    with pytest.raises(CassetteError, match=r"weather\.yaml:"):
        load(weather)
    with pytest.raises(FileNotFoundError):
        load("nowhere.yaml")


def test_every_public_name_is_there_and_no_other() -> None:
    assert {"load", "loads", "Turn", "Usage", "CassetteError"} < set(dir(recorder))
    for name in dir(recorder):
        assert getattr(recorder, name) is getattr(recorder, name)
    with pytest.raises(AttributeError, match="no attribute 'nope'"):
        recorder.nope  # type: ignore[attr-defined]  # noqa: B018 - it is the access that fails


def test_importing_the_package_loads_nothing_of_it() -> None:
    program = "import recorder, sys; print([name for name in sys.modules if name.startswith('recorder.')])"
    told = subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True, capture_output=True, text=True)
    assert "[]\n" == told.stdout
