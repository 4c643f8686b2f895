"""What others recorded takes the way of live traffic: scrubbed, gated, in order, all of it or nothing."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from recorder import cassette
from recorder.errors import BodyError
from recorder.model import Fields, Interaction
from recorder.session import foreign_recordings
from recorder.session.recording import Recording
from recorder.session.settings import Settings, parse_hosts
from recorder.wire.exchange import Exchange, WireFields
from tests.cassette.strategies import plain_interaction
from tests.session.test_recording import KEY, NOW, URL, exchange

OPAQUE: WireFields = ((b"Content-Encoding", b"dcb"), (b"Content-Type", b"application/json"))


@pytest.fixture
def recording(tmp_path: Path) -> Iterator[Recording]:
    settings = Settings(cassette_dir=tmp_path, keep_headers=("authorization",))
    started = Recording.start(settings, "chat", now=NOW, salt=bytes(16), environ={})
    yield started
    started.close()


def held(recording: Recording) -> tuple[Interaction, ...]:
    path = recording.summary.path
    return cassette.loads(path.read_bytes()).interactions if path.exists() else ()


def test_a_key_is_found_in_what_came_before_it_was_first_seen(recording: Recording) -> None:
    secret = "no-pattern-knows-this-1234"
    early = exchange("/1", began=NOW, body=f'{{"echo":"{secret}"}}'.encode(), sent=())
    late = exchange("/2", began=NOW + 1, sent=((b"Authorization", f"Bearer {secret}".encode()),))
    foreign_recordings.record(recording, [late, early], now=NOW)
    assert [f"{URL}/1", f"{URL}/2"] == [each.request.url for each in held(recording)]
    assert secret not in recording.summary.path.read_text("utf-8")


def test_our_own_interactions_are_scrubbed_as_well(recording: Recording) -> None:
    one = plain_interaction(f'{{"key":"{KEY}"}}'.encode())
    fields = Fields([("Authorization", f"Bearer {KEY}"), ("Accept", "a/b"), ("X-Trace", "1")])
    foreign_recordings.record(
        recording, [replace(one, request=replace(one.request, headers=fields, remote_addr=KEY))], now=NOW
    )
    (found,) = held(recording)
    assert KEY.encode() not in recording.summary.path.read_bytes()
    assert ["Accept", "Authorization"] == sorted(found.request.headers)
    assert b"[REDACTED:openrouter-key:" in found.response.body


def test_a_secret_in_base64_is_found(recording: Recording) -> None:
    encoded = base64.b64encode(KEY.encode())
    foreign_recordings.record(recording, [plain_interaction(b'{"x":"%b"}' % encoded), exchange()], now=NOW)
    assert encoded not in recording.summary.path.read_bytes()


def test_it_is_all_or_nothing(recording: Recording) -> None:
    good, bad = exchange("/1"), exchange("/2", began=NOW + 1, headers=OPAQUE, body=b"\xff")
    with pytest.raises(BodyError, match=r"POST to openrouter\.ai: .*--allow-opaque|POST to openrouter\.ai: .*dcb"):
        foreign_recordings.record(recording, [good, bad], now=NOW)
    assert () == held(recording)


def test_what_is_said_of_a_bad_one_is_obeyed_by_no_terminal(recording: Recording) -> None:
    bad = exchange(headers=OPAQUE, body=b"\xff")
    bad = replace(bad, request=replace(bad.request, method="GET\x1b[2J", url="https://a\x9bb/"))
    with pytest.raises(BodyError, match=r"^GET\\x1b\[2J to a\\x9bb: "):
        foreign_recordings.record(recording, [bad], now=NOW)


def test_what_broke_off_goes_where_it_goes_live(recording: Recording) -> None:
    told = foreign_recordings.record(recording, [exchange(broken="reset"), plain_interaction()], now=NOW)
    assert ["reset", ""] == [each.incomplete for each in told]
    assert 1 == len(held(recording))
    assert (1, 1) == (recording.summary.interactions, recording.summary.incomplete)


def test_an_interaction_tells_its_times(recording: Recording) -> None:
    (told,) = foreign_recordings.record(recording, [plain_interaction()], now=NOW)
    assert (1_476_046_083, None, 1_476_046_083) == (told.first_byte, told.first_token, told.total)


def test_interactions_without_times_keep_their_order(recording: Recording) -> None:
    kept = [replace(one := plain_interaction(), request=replace(one.request, url=f"{URL}/{n}")) for n in range(5)]
    foreign_recordings.record(recording, kept, now=NOW)
    recording.stop()
    assert [each.request.url for each in kept] == [each.request.url for each in held(recording)]


def asked(url: str) -> Exchange:
    one = exchange()
    return replace(one, request=replace(one.request, url=url))


def test_only_recorded_hosts_are_taken() -> None:
    urls = [
        "https://openrouter.ai/x",
        "http://OPENROUTER.ai:80/x",
        "https://x.test/1",
        "https://x.test/2",
        "https://[x",
    ]
    chosen = foreign_recordings.choose([*map(asked, urls), plain_interaction()], parse_hosts("openrouter.ai"))
    assert 3 == len(chosen.found)
    assert {"x.test": 2, "": 1} == dict(chosen.left_out)
    assert 2 == len(foreign_recordings.choose(map(asked, urls), parse_hosts("x.test:443")).found)
    everything = foreign_recordings.choose(map(asked, urls), None)
    assert (5, {}) == (len(everything.found), dict(everything.left_out))
