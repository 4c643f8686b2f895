"""The sessions of a recorder: what each mode makes of a request, and what is left on disk."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from recorder.cassette import loads
from recorder.errors import CassetteError, LockedError
from recorder.replay.cadence import parse_pace
from recorder.replay.faults import parse_fault
from recorder.replay.policy import OnMiss, Playing
from recorder.replay.timing import SUFFIX
from recorder.session.session_table import Course, Recordings, Started
from recorder.session.settings import Mode, Settings
from recorder.wire.exchange import Exchange, WireRequest, WireResponse

URL = "https://openrouter.ai/api/v1/chat/completions"


def asked(text: str) -> WireRequest:
    headers = ((b"content-type", b"application/json"),)
    body = json.dumps({"say": text}).encode()
    return WireRequest(method="POST", url=URL, http_version="HTTP/1.1", headers=headers, body=body)


def exchange(text: str, answer: bytes = b"data: 1\n\ndata: [DONE]\n\n") -> Exchange:
    response = WireResponse(
        code=200,
        reason="OK",
        http_version="HTTP/1.1",
        headers=((b"content-type", b"text/event-stream"),),
        body=answer,
    )
    return Exchange(
        request=asked(text),
        response=response,
        began=1,
        duration=5,
        chunks=((7, 9), (9, len(answer) - 9)),
        ended=10,
    )


@contextmanager
def sessions(
    folder: Path, mode: Mode = Mode.RECORD, playing: Playing | None = None, timing: bool = False
) -> Iterator[Recordings]:
    settings = Settings(cassette_dir=folder, mode=mode, playing=playing, timing=timing)
    recordings = Recordings(settings, clock=lambda: 1, salts=lambda: bytes(16), environ={})
    yield recordings
    recordings.close()


def record(started: Started, *texts: str) -> None:
    assert started.recording is not None
    for text in texts:
        started.recording.record(exchange(text))


@pytest.fixture
def recorded(tmp_path: Path) -> Path:
    """A folder with the session `s`, which knows `known`."""
    with sessions(tmp_path) as recordings:
        record(recordings.start("s"), "known")
        recordings.stop("s")
    return tmp_path


def course(folder: Path, mode: Mode, text: str, on_miss: OnMiss = OnMiss.ERROR) -> Course:
    with sessions(folder, mode, Playing(on_miss=on_miss)) as recordings:
        found = recordings.start("s").ask(asked(text))
    return replace(found, answer=None) if found.answer is None else found


@pytest.mark.parametrize(
    ("mode", "known", "other"),
    [
        (Mode.RECORD, Course(upstream=True, recorded=True), Course(upstream=True, recorded=True)),
        (Mode.REPLAY, None, Course(missed=True)),
        (Mode.ONCE, None, Course(missed=True)),
        (Mode.NEW_EPISODES, None, Course(upstream=True, recorded=True)),
        (Mode.PASSTHROUGH, Course(upstream=True), Course(upstream=True)),
    ],
)
def test_each_mode_makes_its_own_of_what_is_known_and_what_is_not(
    recorded: Path, mode: Mode, known: Course | None, other: Course
) -> None:
    found = course(recorded, mode, "known")
    assert known == (None if found.answer else found)
    assert other == course(recorded, mode, "other")


def test_once_records_where_there_is_no_cassette(tmp_path: Path) -> None:
    assert Course(upstream=True, recorded=True) == course(tmp_path, Mode.ONCE, "known")


def test_a_miss_goes_where_the_user_says(recorded: Path) -> None:
    assert Course(missed=True, upstream=True) == course(recorded, Mode.REPLAY, "other", OnMiss.FORWARD)
    assert Course(missed=True, upstream=True, recorded=True) == course(recorded, Mode.REPLAY, "other", OnMiss.RECORD)


def test_replaying_writes_nothing_and_locks_nothing(recorded: Path) -> None:
    before = {path.name: path.read_bytes() for path in recorded.iterdir()}
    with sessions(recorded, Mode.REPLAY) as one, sessions(recorded, Mode.REPLAY) as other:
        for recordings in (one, other):
            assert recordings.start("s").ask(asked("known")).answer is not None
            assert recordings.start("nothing/there").ask(asked("known")).missed
        assert before == {path.name: path.read_bytes() for path in recorded.iterdir()}


def test_a_session_may_have_a_mode_of_its_own(recorded: Path) -> None:
    with sessions(recorded) as recordings:
        assert Mode.REPLAY is recordings.start("s", Mode.REPLAY).mode
        assert Mode.REPLAY is recordings.start("s").mode
        assert Mode.RECORD is recordings.start("other").mode


def test_what_new_episodes_records_comes_behind_what_was_there(recorded: Path) -> None:
    with sessions(recorded, Mode.NEW_EPISODES) as recordings:
        started = recordings.start("s")
        assert started.ask(asked("known")).answer is not None
        record(started, "new")
        started.connected()
        summary = recordings.stop("s")
    assert summary.receipt is not None
    assert "1 served, 0 missed, 0 never played, 1 recorded, 1 upstream connection" == summary.line()
    assert [b'{"say": "known"}', b'{"say": "new"}'] == [
        each.request.body for each in loads((recorded / "s.yaml").read_bytes()).interactions
    ]


def test_new_episodes_lets_go_of_a_cassette_that_it_cannot_play(recorded: Path) -> None:
    path = recorded / "s.yaml"
    path.write_bytes(path.read_bytes().replace(b"code: 200", b"code: two"))
    with sessions(recorded, Mode.NEW_EPISODES) as recordings:
        for _ in range(2):
            with pytest.raises(CassetteError):
                recordings.start("s")


def test_a_recorder_and_new_episodes_do_not_share_a_cassette(recorded: Path) -> None:
    with sessions(recorded) as one, sessions(recorded, Mode.NEW_EPISODES) as other:
        one.start("s")
        with pytest.raises(LockedError):
            other.start("s")


def test_times_are_kept_where_they_are_asked_for_and_played_back(tmp_path: Path) -> None:
    with sessions(tmp_path, timing=True) as recordings:
        record(recordings.start("s"), "one", "two")
        recordings.stop("s")
    lines = (tmp_path / f"s{SUFFIX}").read_bytes().splitlines()
    assert 2 == len(lines)
    with sessions(tmp_path, Mode.REPLAY, Playing(pace=parse_pace("recorded"))) as recordings:
        answer = recordings.start("s").ask(asked("two")).answer
    assert answer is not None
    assert answer.delivery is not None
    assert (5, [7, 9]) == (answer.delivery.headers, [at for at, _ in answer.delivery.pieces])


def test_without_them_none_are_kept(recorded: Path) -> None:
    assert ["s.yaml"] == [path.name for path in recorded.iterdir()]


def test_faults_make_other_answers(recorded: Path) -> None:
    faults = tuple(map(parse_fault, ("status:429,retry-after=3", "reset", "cut:after=1")))
    with sessions(recorded, Mode.REPLAY, Playing(faults=faults)) as recordings:
        started = recordings.start("s")
        answers = [started.ask(asked("known")).answer for _ in range(3)]
    refused, reset, cut = answers
    assert refused is not None
    assert ("429 Too Many Requests", ("3",)) == (refused.response.status, refused.response.headers["Retry-After"])
    assert reset is not None
    assert reset.delivery is None
    assert cut is not None
    assert cut.delivery is not None
    assert (b"data: 1\n\n", True) == (cut.delivery.body, cut.delivery.cut)
    assert ["(status)", "(reset)", "(cut)"] == [each.line().split()[-1] for each in answers if each]
