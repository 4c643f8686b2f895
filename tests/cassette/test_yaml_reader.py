from __future__ import annotations

import pytest

from recorder.cassette import GO_VCR, Cassette, dumps, loads
from recorder.errors import CassetteError
from recorder.model import Interaction
from tests.cassette.strategies import plain_interaction

EXPECTED = plain_interaction(b"data: a\n\ndata: b\n\n", Date="Mon, 01 Jan")
TEXT = dumps(Cassette(interactions=(EXPECTED, EXPECTED)))

# One interaction, the same one, as a person may leave it.
BY_HAND = r"""# A comment.

interactions:
  -   response:
          duration: '1.476046083s'   # as measured
          code: 200
          status: >-
            200
            OK
          headers: {"Content-Type": [text/event-stream], Date: ['Mon, 01 Jan']}
          body: "data: a\n\
            \ndata: b\n\n"
          proto: HTTP/2.0
          proto_major: 2
          proto_minor: 0
          uncompressed: FALSE
          content_length: -1
          transfer_encoding: []
          trailer: ~
          notes: {why: [by, {hand: ~}]}
      request:
          method: POST
          url: "https://openrouter.ai/api/v1/chat/completions"
          content_length: 13
          body: !!binary eyJtb2RlbCI6IngifQ==
          headers:
              Content-Type:
              - application/json
          form: {}
          trailer: {}
          host: ""
          remote_addr:
          request_uri: ""
          proto: HTTP/1.1
          proto_major: 1
          proto_minor: 1
      id: 41
      discarded: false
version: 2
recorded_by: hand
"""


def test_a_file_edited_by_hand_is_read() -> None:
    assert loads(BY_HAND).interactions == (EXPECTED,)


def test_windows_line_ends_are_read() -> None:
    assert loads(TEXT.replace(b"\n", b"\r\n")).interactions == (EXPECTED, EXPECTED)


def test_a_byte_order_mark_is_read() -> None:
    assert loads("\ufeff" + BY_HAND).interactions == (EXPECTED,)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("    - id: 0", "    # first\n    - id: 0"),
        ("    - id: 1", "    # second\n    - id: 1"),
        ("    - id: 1", "    - id: 99"),
        ("    - id: 1\n", "    -\n"),
        ("      request:", "\n\n      request:"),
        ("POST", "'POST'"),
        ("POST", "POST  # by hand"),
        ("---", "# first\n---"),
        ("---\n", ""),
        ("duration: 1.476046083s\n", "duration: 1.476046083s\n...\n"),
        ("duration: 1.476046083s\n", "duration: 1.476046083s\n# the end\n"),
    ],
)
@pytest.mark.parametrize("times", [1, 2])
def test_small_edits_change_nothing(old: str, new: str, times: int) -> None:
    text = TEXT.decode()
    assert old in text
    # The last ones first: what ends a document can only stand at its end.
    edited = new.join(text.rsplit(old, 1 if "..." in new else times))
    assert loads(edited).interactions == (EXPECTED, EXPECTED)


def test_a_quoted_text_may_look_like_another_interaction() -> None:
    text = BY_HAND.replace(r'\ndata: b\n\n"', '\n  - id: 7"').replace("Date", "X")
    assert loads(text).interactions[0].response.body == b"data: a\n\n- id: 7"


def _edit(old: str, new: str) -> str:
    assert old in BY_HAND
    return BY_HAND.replace(old, new)


REFUSED = {
    "an anchor": (_edit("method: POST", "method: &a POST"), "an anchor"),
    "an alias": (_edit("method: POST", "method: *a"), "alias"),
    "a merge key": (_edit("method: POST", "<<: {method: POST}\n          method: POST"), "`<<`"),
    "a tag": (_edit("method: POST", "method: !!str POST"), "a tag"),
    "a tag of one's own": (_edit("headers: {", "headers: !x {"), "a tag"),
    "a binary list": (_edit("[text/event-stream]", "!!binary [a]"), "a tag"),
    "a key twice": (_edit("code: 200", "code: 200\n          code: 200"), "'code' again (first in line 6)"),
    "a header twice": (_edit("{why", "{a: 1, a: 2, why"), "'a' again"),
    "an unknown key twice": (_edit("recorded_by: hand", "recorded_by: hand\nrecorded_by: x"), "again"),
    "a list as a key": (_edit("recorded_by: hand", "? [a]\n: hand"), "a list"),
    "a second document": (BY_HAND + "---\nversion: 2\n", "a second document"),
    "version 1": (_edit("version: 2", "version: 1"), "version: 1"),
    "version 3": (_edit("version: 2", "version: 3"), "another version"),
    "version as a text": (_edit("version: 2", "version: '2'"), "another version"),
    "no version": (_edit("version: 2\n", ""), "found none"),
    "no interactions": ("version: 2\n", "found none"),
    "interactions as a text": ("version: 2\ninteractions: none\n", "a text"),
    "interactions as a mapping": ("version: 2\ninteractions: {}\n", "a mapping"),
    "an interaction as a text": ("version: 2\ninteractions: [a]\n", "another text"),
    "no request": (_edit("      request:", "      requests:"), "an interaction without one"),
    "no url": (_edit("url:", "uri:"), "found none"),
    "no method": (_edit("method:", "verb:"), "found none"),
    "no status": (_edit("status:", "state:"), "found none"),
    "no code": (_edit("code:", "kode:"), "found none"),
    "no duration": (_edit("duration:", "took:"), "found none"),
    "no body": (_edit('body: "data', 'text: "data'), "found none"),
    "no headers": (_edit("headers: {", "heads: {"), "found none"),
    "a code that is a text": (_edit("code: 200", "code: '200'"), "another text"),
    "a code that is octal": (_edit("code: 200", "code: 0200"), "another text"),
    "a code that is a list": (_edit("code: 200", "code: [200]"), "a list"),
    "a code without a value": (_edit("code: 200", "code:"), "nothing"),
    "a length of 65 bits": (_edit("content_length: 13", "content_length: 9223372036854775808"), "another text"),
    "a flag that is a text": (_edit("FALSE", "'false'"), "another text"),
    "a duration without a unit": (_edit("'1.476046083s'", "1"), "another text"),
    "a plain 0 as a duration": (_edit("'1.476046083s'", "0"), "another text"),
    "headers that are a list": (
        _edit("{\"Content-Type\": [text/event-stream], Date: ['Mon, 01 Jan']}", "[a]"),
        "a list",
    ),
    "a header that is a text": (_edit("[text/event-stream]", "text/event-stream"), "another text"),
    "a header in a list of lists": (_edit("[text/event-stream]", "[[a]]"), "a list"),
    "a body that is a mapping": (_edit("!!binary eyJtb2RlbCI6IngifQ==", "{a: b}"), "a mapping"),
    "base64 that is none": (_edit("eyJtb2RlbCI6IngifQ==", "eyJ"), "padding"),
    "base64 that is not ASCII": (_edit("eyJtb2RlbCI6IngifQ==", "é"), "ASCII"),
    "an id that is a text": (_edit("id: 41", "id: x"), "another text"),
    "half a surrogate pair": (_edit("method: POST", r'method: "\ud800"'), ""),
    "NUL": (BY_HAND + "# \0\n", "control characters"),
    "a bell": (BY_HAND + "# \a\n", "control characters"),
    "no line break at the end": (BY_HAND.rstrip("\n"), "found none"),
    "an unclosed quote": (_edit("'1.476046083s'", "'1.476046083s"), "expected key"),
    "a tab as indentation": (_edit("          code", "\tcode"), "token"),
    "33 levels": (_edit("hand: ~", "hand: " + "[" * 30 + "]" * 30), "more"),
    "a list": ("- a\n", "a list"),
    "a text": ("hello\n", "a text"),
    "comments only": ("# hello\n", "nothing"),
    "line breaks only": ("\n\n\n", "nothing"),
    "nothing": ("", "an empty file"),
    "a lone surrogate": ("version: \ud800\n", "half a surrogate pair"),
}


@pytest.mark.parametrize(("text", "found"), REFUSED.values(), ids=REFUSED)
def test_what_is_no_cassette_is_refused_with_a_reason(text: str, found: str) -> None:
    with pytest.raises(CassetteError) as refused:
        loads(text, "a.yaml")
    assert str(refused.value).startswith("a.yaml")
    assert found in str(refused.value)
    assert refused.value.expected


@pytest.mark.parametrize(
    "text",
    [b"\xff\xfe" + "version: 2\n".encode("utf-16-le"), b"version: \xff\n", b"version: \xed\xa0\x80\n"],
    ids=["UTF-16", "a stray byte", "a surrogate"],
)
def test_what_is_not_utf_8_is_refused(text: bytes) -> None:
    with pytest.raises(CassetteError, match="UTF-8"):
        loads(text)


def test_an_error_names_the_line() -> None:
    with pytest.raises(CassetteError) as refused:
        loads(_edit("code: 200", "code: [200]"), "a.yaml")
    assert (refused.value.line, refused.value.name) == (6, "a.yaml")


def test_an_error_never_shows_a_value() -> None:
    for key in ("code: 200", "'1.476046083s'", "FALSE", "content_length: 13"):
        with pytest.raises(CassetteError) as refused:
            loads(_edit(key, key.partition(" ")[0] + " sk-or-v1-secret"))
        assert "secret" not in str(refused.value)


def test_absent_values_are_go_s_zero_values() -> None:
    text = BY_HAND
    for line in ("proto: HTTP/1.1", "proto_major: 1", "proto_minor: 1", "content_length: 13", 'host: ""'):
        text = text.replace(line, f"x-{line}")
    request = loads(text).interactions[0].request
    assert (
        request.proto, request.proto_major, request.proto_minor, request.content_length, request.host,
    ) == ("", 0, 0, 0, "")  # fmt: skip


def _only(interaction: Interaction) -> Interaction:
    (found,) = loads(dumps(Cassette(interactions=(interaction,), layout=GO_VCR))).interactions
    return found


@pytest.mark.parametrize("word", ["null", "~", "true", "12", "2024-01-01", "=", ".5_", "1:30", "<<", "0o7", "y", ""])
def test_a_text_is_never_taken_for_anything_else(word: str) -> None:
    interaction = plain_interaction(word.encode(), X=word)
    assert interaction == _only(interaction)


def test_a_plain_word_is_its_own_text_and_a_plain_null_is_empty() -> None:
    expected = ["12", "true", "2024-01-01", "1.50", "", "", ""]
    text = _edit("[text/event-stream]", "[12, true, 2024-01-01, 1.50, null, ~, Null]")
    assert expected == list(loads(text).interactions[0].response.headers["Content-Type"])
