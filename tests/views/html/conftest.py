"""One browser for all tests of the page, a tab for each, and a folder where their screenshots stay."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.views.html.chromium import Chromium, Tab, program, running


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    with running(program(), tmp_path_factory.mktemp("chromium")) as browser:
        yield browser


@pytest.fixture
def tab(browser: Chromium) -> Iterator[Tab]:
    tab = Tab(browser)
    yield tab
    tab.close()


@pytest.fixture(scope="session")
def screenshots() -> Path:
    folder = ROOT / ".screenshots"
    folder.mkdir(exist_ok=True)
    return folder
