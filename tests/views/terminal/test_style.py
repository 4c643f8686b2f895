from __future__ import annotations

import re

from hypothesis import given, settings
from hypothesis import strategies as st

from recorder.views.terminal.style import Span, line, lines, paint

HOSTILE = "\x1b[2J\x1b]52;c;aGk=\x07\x9b31m\r\x08\x00\u202eabc\u2066\ud800\x85\u2028\U000e0041\x7f"
SGR = re.compile(r"\x1b\[[0-9;]*m")


def painted(text: str, *, colour: bool) -> str:
    return "".join(paint(lines(text, style="bad"), colour=colour))


def test_no_control_character_goes_out() -> None:
    assert (
        "\\x1b[2J\\x1b]52;c;aGk=\\x07\\x9b31m\\r\\x08\\x00\\u202eabc\\u2066\\ud800\\x85\\u2028\\U000e0041\\x7f\n"
        == painted(HOSTILE, colour=False)
    )


def test_text_of_every_script_stays_as_it_is() -> None:
    text = "Grüße,\tпривет, 你好\u3000\u00a0\u202f, नमस्ते, می\u200cخواهم, 👩\u200d👧 \ufe0f\n"  # noqa: RUF001 - that is what it is about
    assert text == painted(text, colour=False)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(text=st.text(st.characters()) | st.text("\x1b[]0;m\n\r\t\x9ba"), colour=st.booleans())
def test_only_our_own_escapes_go_out_and_only_in_colour(text: str, *, colour: bool) -> None:
    out = painted(text, colour=colour)
    plain = SGR.sub("", out) if colour else out
    assert set() == {char for char in plain if not char.isprintable() and char.isascii()} - {"\n", "\t"}
    assert text.removesuffix("\n").count("\n") + 1 == out.count("\n")
    assert {"\x1b[1;31m", "\x1b[m"} >= set(SGR.findall(out) if colour else ())


def test_a_style_ends_where_its_span_ends() -> None:
    row = line("a", Span(text="b", style="call"), "c", indent=2)
    assert ["  a\x1b[35mb\x1b[mc\n"] == list(paint([row], colour=True))
    assert ["  abc\n"] == list(paint([row], colour=False))
