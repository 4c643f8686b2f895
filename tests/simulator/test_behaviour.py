from __future__ import annotations

from dataclasses import fields

import pytest

from recorder.errors import UsageError
from recorder.simulator.behaviour import DEFAULT, Behaviour, loads


def test_nothing_asked_is_the_default() -> None:
    assert DEFAULT == loads("")


def test_names_have_hyphens_and_a_name_alone_is_a_yes() -> None:
    asked = loads("chunks=20, pace-ms=0.5,no-terminal, encoding=gzip, cut-bytes=0")
    assert Behaviour(chunks=20, pace_ms=0.5, no_terminal=True, encoding="gzip", cut_bytes=0) == asked


def test_a_value_may_hold_a_comma_if_it_is_percent_encoded() -> None:
    assert "Olá, you = me" == loads("say=Ol%C3%A1%2C you = me").say


def test_a_request_changes_only_what_it_names() -> None:
    assert Behaviour(chunks=3, comments=0) == loads("chunks=3", Behaviour(chunks=9, comments=0))


def test_a_request_can_take_a_flag_back() -> None:
    assert DEFAULT == loads("no-terminal=no", Behaviour(no_terminal=True))


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("chunk=1", "chunk"),
        ("chunks", "chunks=…"),
        ("chunks=many", "many"),
        ("chunks=-1", "-1"),
        ("pace-ms=nan", "nan"),
        ("pace-ms=inf", "inf"),
        ("no-terminal=maybe", "maybe"),
        ("encoding=lzma", "gzip"),
        ("framing=none", "chunked"),
        ("cut=off", "reset"),
        ("error=200", "200"),
    ],
)
def test_what_is_not_known_is_refused_in_one_line(text: str, part: str) -> None:
    with pytest.raises(UsageError) as caught:
        loads(text)
    assert part in str(caught.value)
    assert "\n" not in str(caught.value)


def test_every_word_is_explained() -> None:
    assert [] == [field.name for field in fields(Behaviour) if f"`{field.name}`" not in (Behaviour.__doc__ or "")]
