"""The settings file: which one is taken, and what it may not say."""

from __future__ import annotations

from pathlib import Path

import pytest

from recorder.errors import UsageError
from recorder.scrub import Rule
from recorder.session.settings_file import nearest

BAD_RULES = (
    'scrub = "x"',
    "[[scrub]]\nname = 3\nexpression = 'x'",
    "[[scrub]]\nname = 'a'",
    "[[scrub]]\nname = 'a'\nexpression = 'x'\njson-path = '$.a'",
    "[[scrub]]\nname = 'a'\nexpression = '('",
    "[[scrub]]\nname = 'a'\njson-path = 'a.b'",
    "[[scrub]]\nname = 'a'\nexpression = 'x'\ncolour = 'red'",
)


def test_the_rules_of_a_user(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(
        "[tool.recorder]\nlayout = 'seed'\n"
        "[[tool.recorder.scrub]]\nname = 'customer'\nexpression = 'cust-[0-9]{8}'\n"
        "[[tool.recorder.scrub]]\nname = 'email'\njson_path = '$..email'\n",
        encoding="utf-8",
    )
    (tmp_path / "below").mkdir()
    found = nearest(tmp_path / "below")
    assert found.path == tmp_path / "pyproject.toml"
    assert found.values == {"layout": "seed"}
    assert found.rules == (
        Rule(name="customer", expression="cust-[0-9]{8}"),
        Rule(name="email", json_path="$..email"),
    )


@pytest.mark.parametrize("text", BAD_RULES)
def test_a_rule_that_cannot_be_is_refused_with_the_file(tmp_path: Path, text: str) -> None:
    (tmp_path / "recorder.toml").write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match=r"recorder\.toml"):
        nearest(tmp_path)


def test_without_a_file_nothing_is_said(tmp_path: Path) -> None:
    found = nearest(tmp_path)
    assert (found.values, found.rules) == ({}, ())
