"""Strings and interactions for properties: what LLM traffic is made of, and what YAML stumbles over."""

from __future__ import annotations

import os
from dataclasses import replace

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from recorder.cassette import CHARM, GO_VCR, SEED
from recorder.model import INT64_MAX, INT64_MIN, Fields, Interaction, Request, Response

_SOAK = os.environ.get("RECORDER_CASES")
CASES = int(_SOAK or 2000)
"""How many strings a property takes; the soak raises it to 20,000."""
INTERACTIONS = int(_SOAK or 300)
"""The same for whole interactions, each of which holds dozens of strings."""

# The same cases on every machine and in every run.
_always = settings(derandomize=True, database=None, deadline=None, suppress_health_check=list(HealthCheck))
for_strings = settings(_always, max_examples=CASES)
for_interactions = settings(_always, max_examples=INTERACTIONS)

PIECES = (
    *" \n\t\r#:-?!&*|>%@`,[]{}'\"\\=~<.",
    "\n\n", "\x00", "\x07", "\x1b", "\x7f", "\x85", "\xa0", "\u2028", "\u2029", "\ufeff", "\ufffe", "\ud7ff", "\ue000",
    "é", "中文", "\U0001f600", "\U0010ffff", "\udc80", "\udcff", "a", "b", "word", "'s", "---", "...", "- ", ": ", " #",
    "data: ", 'data: {"id":"gen-1","choices":[{"delta":{"content":"x"}}]}', ": OPENROUTER PROCESSING", "data: [DONE]",
    "event: message_start", '{"a":1}', "null", "true", "No", "y", "on", "<<", "0", "1", "12", "0x1f", "0o7", "1_0",
    ".5", ".5_", "1e3", ".inf", ".nan", "1:30", "2024-01-01", "2024-13-45", "T10:00:00Z", "https://openrouter.ai/api/v1",
    "application/json",
)  # fmt: skip

texts = st.one_of(
    st.lists(st.sampled_from(PIECES), max_size=8).map("".join),
    st.text(st.sampled_from(" \n\ta\u2028-#:."), max_size=10),
    st.text(st.sampled_from("0123456789_.+-eExob:TtZ "), max_size=14),
    # Names are sorted by what is a letter, and beyond the first plane Go's Unicode and Python's differ in age.
    st.text(st.characters(exclude_categories=["Cs", "Cn"], max_codepoint=0xFFFF), max_size=20),
)
"""Go strings: `surrogateescape` for what is not UTF-8."""

# Behind the strategy's back: two escaped bytes may together be UTF-8, and then they are not escaped.
texts = texts.map(lambda text: text.encode("utf-8", "surrogateescape").decode("utf-8", "surrogateescape"))
bodies = st.one_of(
    texts.map(lambda text: text.encode("utf-8", "surrogateescape")),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=20).map(str.encode),
    st.binary(max_size=120),
)

names = st.sampled_from(("Accept", "Content-Type", "X-2", "X-10", "X-A", "x", "é")) | texts | st.just("k" * 129)
fields = st.dictionaries(names, st.lists(texts, max_size=3).map(tuple), max_size=4).map(Fields.of)
lists = st.lists(texts, max_size=2).map(tuple)
numbers = st.sampled_from((0, -1, 1, 2, 200)) | st.integers(INT64_MIN, INT64_MAX)

requests = st.builds(
    Request,
    method=texts, url=texts, proto=texts, proto_major=numbers, proto_minor=numbers, content_length=numbers,
    transfer_encoding=lists, trailer=fields, host=texts, remote_addr=texts, request_uri=texts, body=bodies, form=fields,
    headers=fields,
)  # fmt: skip
responses = st.builds(
    Response,
    status=texts, code=numbers, duration=numbers, proto=texts, proto_major=numbers, proto_minor=numbers,
    transfer_encoding=lists, trailer=fields, content_length=numbers, uncompressed=st.booleans(), body=bodies,
    headers=fields,
)  # fmt: skip
interactions = st.builds(Interaction, request=requests, response=responses)

layouts = st.sampled_from(
    tuple(replace(layout, candidate=candidate) for layout in (GO_VCR, SEED, CHARM) for candidate in (3, 6))
)


def plain_interaction(body: bytes = b"hello", **headers: str) -> Interaction:
    """An everyday exchange with that response body."""
    return Interaction(
        request=Request(
            method="POST",
            url="https://openrouter.ai/api/v1/chat/completions",
            body=b'{"model":"x"}',
            content_length=13,
            headers=Fields([("Content-Type", "application/json")]),
        ),
        response=Response(
            status="200 OK",
            code=200,
            duration=1_476_046_083,
            proto="HTTP/2.0",
            proto_major=2,
            proto_minor=0,
            content_length=-1,
            body=body,
            headers=Fields([("Content-Type", "text/event-stream"), *headers.items()]),
        ),
    )
