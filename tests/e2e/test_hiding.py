"""No secret reaches the disk: real recorders, real requests, and then a search through all that they left behind.

`hiding/` has the generator (kinds, places, encodings), the upstream that answers with given bytes, and the search.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from recorder.cassette import GO_VCR, Cassette, dumps
from recorder.model import Fields, Interaction, Request, Response
from recorder.wire.content_coding import decode
from tests.e2e.cassettes import interactions
from tests.e2e.hiding.canned import Canned, Reply, serving
from tests.e2e.hiding.cases import HOST, REFUSED, Case, converse, files_below, replies, table, whole, wider
from tests.e2e.hiding.leaks import leaks
from tests.e2e.hiding.places import KEPT
from tests.e2e.processes import Launcher, RecorderProcess, launching
from tests.e2e.test_mitmdump import ADDON, Mitmdump


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """What a run left in `folder`; `faults`: what was wrong on the wire."""

    cases: list[Case]
    folder: Path
    faults: list[str]
    recorders: list[RecorderProcess]

    def leaks(self) -> list[str]:
        return leaks(files_below(self.folder), [case.sought for case in self.cases])


def options(canned: Canned) -> list[str]:
    kept = (part for name in KEPT for part in ("--keep-header", name))
    return ["--host", f"http://{HOST}", "--connect-to", f"::127.0.0.1:{canned.port}", *kept]


def run(cases: list[Case], folder: Path, certs: Path) -> Left:
    """All cases through one recorder, and one more for each session that fails on the way."""
    faults: list[str] = []
    recorders: list[RecorderProcess] = []
    left = cases
    with serving(replies(cases)) as canned, launching(folder, certs) as launch:
        while left:
            recorder = launch(*options(canned), session=f"session-{len(recorders)}")
            recorders.append(recorder)
            for done, (case, fault) in enumerate(converse(recorder.base_url_port, left, canned), 1):
                if fault:
                    faults.append(f"{case}: {fault}")
                if REFUSED in fault or done == len(left):
                    left = left[done:]
                    break
            recorder.stop()
    return Left(cases=cases, folder=folder, faults=faults, recorders=recorders)


@pytest.fixture(scope="module")
def left(tmp_path_factory: pytest.TempPathFactory, certs: Path) -> Left:
    """What the 1,764 cases leave behind."""
    return run(table(), tmp_path_factory.mktemp("hiding"), certs)


def test_of_1764_secrets_none_is_left_anywhere(left: Left) -> None:
    """In no cassette, no incomplete file, no file of the state, nothing that was printed."""
    assert 1764 == len(left.cases)
    assert [] == left.faults
    [recorder] = left.recorders
    cut = sum(case.exchanged().cut for case in left.cases)
    assert (1764 - cut, cut) == (len(interactions(recorder.cassette)), len(interactions(recorder.incomplete)))
    assert [] == left.leaks()


def test_another_scanner_finds_nothing_either(left: Left, tmp_path: Path) -> None:
    (tmp_path / "control.yaml").write_text(f"key: {left.cases[0].secret}\nid: {'AKIA' + 'A2B3C4D5E6F7G2H3'}\n")
    assert ["control.yaml"] == list(_scanned(tmp_path))
    assert {} == _scanned(left.folder)


def _scanned(folder: Path) -> dict[str, object]:
    """What `detect-secrets` finds, by file."""
    scan = subprocess.run(
        [sys.executable, "-m", "detect_secrets", "-C", str(folder), "scan", "--all-files", "--no-verify", "."],
        capture_output=True,
        text=True,
        check=True,
    )
    found: dict[str, object] = json.loads(scan.stdout)["results"]
    return found


def test_of_other_kinds_places_and_encodings_none_is_left_either(tmp_path: Path, certs: Path) -> None:
    found = run(wider()[::4], tmp_path, certs)
    assert [] == found.faults
    assert [] == found.leaks()


def test_the_search_finds_what_is_there(tmp_path: Path) -> None:
    """Each place and each encoding, written as it came: what the tests above could not find, they could not miss."""
    cases = [
        case
        for case in whole()
        if case.kind.name in {"OpenRouter", "short"}
        and (case.encoding in {"raw", "base64"} or case.place in {"path", "UTF-16"})
    ]
    (tmp_path / "a.yaml").write_bytes(dumps(Cassette(interactions=tuple(map(_as_it_came, cases)), layout=GO_VCR)))
    found = leaks(files_below(tmp_path), [case.sought for case in cases])
    named = {line.partition(": ")[0] for line in found}
    assert [] == [str(case) for case in cases if f"case {case.number}" not in named]


def _as_it_came(case: Case) -> Interaction:
    exchanged = case.exchanged()
    answer = Fields(exchanged.answer_headers)
    body = decode(b"".join(exchanged.pieces), answer.first("Content-Encoding"), partial=True)
    return Interaction(
        request=Request(
            method=exchanged.method,
            url=f"http://{HOST}{exchanged.target}",
            body=exchanged.body,
            headers=Fields(exchanged.headers),
        ),
        response=Response(status=exchanged.status, code=200, duration=1, body=body, headers=answer),
    )


def test_nothing_is_left_in_the_logs_of_mitmdump_at_debug_level(tmp_path: Path, certs: Path) -> None:
    cases = [case for case in table() if case.encoding == "raw"]
    mitmdump = Mitmdump(folder=tmp_path, certs=certs.with_name("mitmdump-certs"))
    with serving(replies(cases)) as canned:
        settings = {"record_hosts": f"http://127.0.0.1:{canned.port}", "keep_headers": ",".join(KEPT)}
        mode = ("--mode", f"reverse:http://127.0.0.1:{canned.port}")
        with mitmdump.serving("-s", ADDON, *mode, session="s", termlog_verbosity="debug", **settings) as port:
            assert [] == [f"{case}: {fault}" for case, fault in converse(port, cases, canned) if fault]
    assert len(cases) == mitmdump.log.count("recorded ")
    assert [] == leaks(files_below(tmp_path), [case.sought for case in cases])


def test_nothing_is_left_of_a_recorder_that_was_killed_and_of_a_torn_cassette(tmp_path: Path, certs: Path) -> None:
    cases = [case for case in table() if case.kind.name == "password"]
    with serving(replies(cases)) as canned, launching(tmp_path, certs) as launch:
        killed = launch(*options(canned))
        for _ in converse(killed.base_url_port, cases, canned):
            pass
        killed.kill()
        whole_text = killed.cassette.read_bytes()
        killed.cassette.write_bytes(whole_text[:-100])
        _again(launch, canned, cases[:1])
    assert (tmp_path / "cassettes" / "session.torn").exists()
    assert [] == leaks(files_below(tmp_path), [case.sought for case in cases])


@pytest.mark.parametrize(
    "answer",
    [
        "HTTP/1.1 200 OK\r\nno header but {}\r\n\r\n",
        "HTTP/1.1 {} OK\r\nContent-Length: 2\r\n\r\n{{}}",
        "{} 200 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{{}}",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: {}\r\n\r\n{{}}",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{}\r\n",
        "HTTP/1.1 200 OK\r\nContent-Encoding: {}\r\nContent-Length: 2\r\n\r\n{{}}",
    ],
)
def test_what_cannot_be_understood_is_not_quoted(tmp_path: Path, certs: Path, answer: str) -> None:
    [case] = [case for case in table() if (case.number) == 0]
    broken = {case.number: Reply(parts=(answer.format(case.secret).encode(),), cut=True)}
    with serving(broken) as canned, launching(tmp_path, certs) as launch:
        recorder = launch(*options(canned))
        for _ in converse(recorder.base_url_port, [case], canned):
            pass
        recorder.stop()
    assert [] == leaks(files_below(tmp_path), [case.sought])


def _again(launch: Launcher, canned: Canned, cases: list[Case]) -> None:
    recorder = launch(*options(canned))
    assert [""] == [fault for _, fault in converse(recorder.base_url_port, cases, canned)]
    assert 0 == recorder.stop()
