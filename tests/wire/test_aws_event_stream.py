from __future__ import annotations

import base64
import json
import struct
import zlib
from pathlib import Path

import pytest
import yaml

from recorder.cassette import GO_VCR, render
from recorder.errors import SecretError
from recorder.scrub import CleanInteraction, Scrubber
from recorder.scrub.scrubber import _SEAL
from recorder.wire import aws_event_stream
from tests.scrub.cases import KINDS, interaction

KEY = KINDS["openrouter"]


def _frame(event: object, *, encoded: bool) -> bytes:
    payload = json.dumps(event).encode()
    if encoded:
        payload = json.dumps({"bytes": base64.b64encode(payload).decode(), "p": "abc"}).encode()
    headers = b"\x0b:event-type\x07\x00\x05chunk"
    start = struct.pack(">II", 16 + len(headers) + len(payload), len(headers))
    frame = start + struct.pack(">I", zlib.crc32(start)) + headers + payload
    return frame + struct.pack(">I", zlib.crc32(frame))


def _body(*texts: str, encoded: bool) -> bytes:
    return b"".join(_frame({"type": "content_block_delta", "delta": {"text": text}}, encoded=encoded) for text in texts)


@pytest.mark.parametrize("encoded", [True, False])
def test_a_secret_in_one_frame_or_in_two_is_removed_and_the_frames_stay_valid(encoded: bool) -> None:
    for at in range(0, len(KEY), 7):
        body = _body("so: " + KEY[:at], KEY[at:], "more", encoded=encoded)
        scrubber = Scrubber(salt=bytes(16))
        clean = scrubber.scrub(interaction(answer=body))
        text = aws_event_stream.as_text(clean.interaction.response.body)
        assert text is not None
        assert 3 == text.count(b"data: ")
        assert 1 == text.count(b"[REDACTED:openrouter-key:")
        assert KEY[at:].encode() not in text
        scrubber.check(clean, render(clean.interaction, 0, GO_VCR))


def test_the_gate_reads_the_frames() -> None:
    found = interaction(answer=_body(KEY[:12], KEY[12:], encoded=True))
    with pytest.raises(SecretError, match="openrouter-key"):
        Scrubber(salt=bytes(16)).check(CleanInteraction(found, _SEAL), render(found, 0, GO_VCR))


def test_what_is_no_stream_of_frames_is_left_alone() -> None:
    body = _body("a", "b", encoded=True)
    for other in (b"", b"\0\0", body[:-1], body + b"x", b"\0" * 100, body[:20] + b"x" + body[21:]):
        assert aws_event_stream.as_text(other) is None


def test_recorded_frames_are_read_and_written_back(shared: Path) -> None:
    seen = 0
    for file in sorted((shared / "cassettes" / "TestBedrockCommon").rglob("*streaming.yaml")):
        for recorded in yaml.load(file.read_bytes(), Loader=yaml.CSafeLoader)["interactions"]:
            body = recorded["response"]["body"]
            text = aws_event_stream.as_text(body)
            assert text is not None
            assert body == aws_event_stream.from_text(body, text)
            seen += 1
    assert seen >= 6
